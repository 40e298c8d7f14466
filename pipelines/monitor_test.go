package pipelines

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse/warehousetest"
	"retain/training/metrics"
)

// The monitor of a small shop: what was told of a run that has matured agrees with what became of its customers, counted by hand from the log.
func TestMonitor(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 150)
	early, late := worldStart.AddDate(0, 0, 149), worldStart.AddDate(0, 0, 150)
	if _, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: late}); !errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), "retain score") {
		t.Errorf("before any run: %v, want ErrNoRun and the way on", err)
	}
	for _, cutoff := range []int{149, 150} {
		c := worldStart.AddDate(0, 0, cutoff)
		if _, err := Score(t.Context(), scoreShop(w, m, c, c)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: late, Cutoff: worldStart}); !errors.Is(err, ErrNoRun) || !strings.Contains(err.Error(), "the latest stands at "+late.Format(time.RFC3339)) {
		t.Errorf("at a cutoff without a run: %v, want ErrNoRun and the latest", err)
	}
	o, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: late})
	if err != nil {
		t.Fatal(err)
	}
	report := o.Report.(*MonitorReport)
	if len(report.Realised) != 0 || report.PreviousRunID == nil || report.Drift == nil || report.Drift.Drifted {
		t.Errorf("on the day of the run: %+v", report)
	}
	statuses := map[string]string{}
	for _, c := range report.Checks {
		statuses[c.Name] = c.Status
	}
	same(t, "checks", statuses, map[string]string{"cutoff": "ok", "freshness": "ok", "population": "ok", "statuses": "ok", "missing": "ok", "scores": "ok", "realised": "ok", "drift": "ok", "margins": "ok"})
	// The older run is known first: 30 days after its cutoff, which the newest purchase of before day 150 is short of by 30 days or a little less.
	if c := report.Maturing; c == nil || !c.Cutoff.Equal(early) || !c.KnownAt.Equal(early.AddDate(0, 0, 30)) || c.DaysLeft < 29 || c.DaysLeft > 31 || !strings.Contains(report.Checks[len(report.Checks)-1].Message, "is known in") {
		t.Errorf("countdown %+v", report.Maturing)
	}
	if len(report.Features) != len(m.Artifact.Schema) {
		t.Errorf("%d verdicts on %d features", len(report.Features), len(m.Artifact.Schema))
	}

	// Forty days later the labels have matured.
	s := shop{customers: 60, seed: 7}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(s.csv(150, 190))}); err != nil {
		t.Fatal(err)
	}
	stranger := "customer_id,at,order_id,amount\nnew1," + worldStart.AddDate(0, 0, 140).Format("2006-01-02") + ",n1,10\n" // known too late for the runs: no part of them
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: strings.NewReader(stranger)}); err != nil {
		t.Fatal(err)
	}
	if o, err = Monitor(t.Context(), MonitorOptions{DB: w, Now: worldStart.AddDate(0, 0, 190)}); err != nil {
		t.Fatal(err)
	}
	report = o.Report.(*MonitorReport)
	if len(report.Realised) != 2 || report.Checks[0].Status != checkWarning {
		t.Fatalf("forty days later: %+v", report)
	}
	var bought []string
	if err := w.Conn().QueryRow(t.Context(), "SELECT groupUniqArray(customer_id) FROM purchases WHERE at >= toDateTime64('"+early.Format("2006-01-02 15:04:05")+
		"', 3, 'UTC') AND at < toDateTime64('"+early.AddDate(0, 0, 30).Format("2006-01-02 15:04:05")+"', 3, 'UTC')").Scan(&bought); err != nil {
		t.Fatal(err)
	}
	stays := map[string]bool{}
	for _, id := range bought {
		stays[id] = true
	}
	if report.Maturing != nil {
		t.Errorf("nothing is left to wait for, and %+v", report.Maturing)
	}
	r := report.Realised[1]
	customer, margin, probability, err := w.Scored(t.Context(), r.RunID)
	if err != nil {
		t.Fatal(err)
	}
	var y []float64
	expected, churned := 0., 0
	for i, id := range customer {
		label := 1.
		if stays[id] {
			label = 0
		} else {
			churned++
		}
		y = append(y, label)
		expected += probability[i]
	}
	if r.Rows != len(y) || r.Churned != churned || math.Abs(float64(r.ObservedExpected)-float64(churned)/expected) > 1e-9 ||
		math.Abs(float64(r.AUC)-metrics.AUC(margin, y, nil)) > 1e-12 || math.Abs(float64(r.LogLoss)-metrics.LogLoss(probability, y, nil)) > 1e-12 {
		t.Errorf("realised %+v; by hand %d rows, %d churned, O/E %v, AUC %v", r, len(y), churned, float64(churned)/expected, metrics.AUC(margin, y, nil))
	}
}

func TestMonitorTellsAStaleSource(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 150)
	usage := "customer_id,at,event_id\n"
	for d := range 100 { // every day until 50 days before the cutoff
		usage += "c001," + worldStart.AddDate(0, 0, d).Format("2006-01-02") + ",u" + worldStart.AddDate(0, 0, d).Format("0102") + "\n"
	}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: features.Usage, Path: "-", Stdin: bytes.NewReader([]byte(usage))}); err != nil {
		t.Fatal(err)
	}
	cutoff := worldStart.AddDate(0, 0, 150)
	if _, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff)); err != nil {
		t.Fatal(err)
	}
	o, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: cutoff})
	if err != nil {
		t.Fatal(err)
	}
	if early, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: cutoff.AddDate(0, 0, -1)}); err != nil || early.Report.(*MonitorReport).Checks[0].Status != "warning" {
		t.Errorf("a run in the future: %+v, %v; want a warning", early.Report, err)
	}
	for _, f := range o.Report.(*MonitorReport).Sources {
		if stale := f.Source == features.Usage; f.Stale != stale || stale && (*f.UsualGap != 1 || *f.BehindDays != 51) {
			t.Errorf("%s: %+v (%v days, gap %v)", f.Source, f, *f.BehindDays, *f.UsualGap)
		}
	}
}

// A feature table is late by its own rhythm; one that was written once has none.
func TestMonitorTellsAStoppedFeatureTable(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 150)
	cutoff := worldStart.AddDate(0, 0, 150)
	if _, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		days  []int // of the rows; nil: the table is not there
		gap   int   // 0: not known
		stale bool
	}{
		{"weekly", []int{130, 137, 144}, 7, false},
		{"weekly, one late", []int{116, 123, 130}, 7, false},
		{"weekly, stopped", []int{114, 121, 128}, 7, true},
		{"monthly", []int{28, 59, 89}, 30, false},
		{"once", []int{10}, 0, false},
		{"empty", []int{}, 0, false},
		{"gone", nil, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := w.Conn().Exec(t.Context(), "DROP TABLE IF EXISTS own"); err != nil {
				t.Fatal(err)
			}
			if c.days != nil {
				queries := []string{"CREATE TABLE own (customer_id String, at DateTime('UTC'), spend Float64) ENGINE = Memory"}
				for _, d := range c.days {
					queries = append(queries, "INSERT INTO own VALUES ('c001', '"+worldStart.AddDate(0, 0, d).Format(time.DateTime)+"', 1), ('c002', '"+worldStart.AddDate(0, 0, d).Format(time.DateTime)+"', 2)")
				}
				for _, q := range queries {
					if err := w.Conn().Exec(t.Context(), q); err != nil {
						t.Fatal(err)
					}
				}
			}
			o, err := Monitor(t.Context(), MonitorOptions{DB: w, Sources: features.Sources{features.OwnFeatures: {Table: "own"}}, Now: cutoff})
			if err != nil {
				t.Fatal(err)
			}
			report := o.Report.(*MonitorReport)
			at := slices.IndexFunc(report.Sources, func(f SourceFreshness) bool { return f.Source == features.OwnFeatures })
			if len(c.days) == 0 {
				if at >= 0 {
					t.Errorf("told of no rows: %+v", report.Sources[at])
				}
				return
			}
			if at < 0 {
				t.Fatalf("not told: %+v", report.Sources)
			}
			f, gap := report.Sources[at], 0
			if f.UsualGap != nil {
				gap = *f.UsualGap
			}
			if f.Rows != uint64(2*len(c.days)) || gap != c.gap || f.Stale != c.stale || *f.BehindDays != float64(150-c.days[len(c.days)-1]) {
				t.Errorf("%+v (%v days, gap %d)", f, *f.BehindDays, gap)
			}
			for _, check := range report.Checks {
				if check.Name == "freshness" && ((check.Status == checkWarning) != c.stale || strings.Contains(check.Message, "features ends 22.0 days before the cutoff") != c.stale) {
					t.Errorf("%+v", check)
				}
			}
		})
	}
}
