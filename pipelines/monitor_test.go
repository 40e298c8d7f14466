package pipelines

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse/warehousetest"
	"retain/training/metrics"
)

func TestPSI(t *testing.T) {
	nan := math.NaN()
	ten := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		name               string
		reference, current []float64
		want               float64
	}{
		{"the same", ten, ten, 0},
		// By hand: one cut at 1 for the equal deciles, so bins ≤ 1, > 1 and missing. Shares (c + ½)/(n + 3/2): reference 3.5, 1.5, .5 of 5.5;
		// current 1.5, 3.5, .5 of 5.5. Σ (p-q) ln(p/q) = 2 · (2/5.5) · ln(3.5/1.5) = .6162.
		{"by hand, with equal deciles", []float64{1, 1, 1, 2}, []float64{1, 2, 2, 2}, 2 * (2 / 5.5) * math.Log(3.5/1.5)},
		// One bin of values and one of missing: (2.5, .5)/3 against (1.5, 1.5)/3: (1/3) ln(2.5/1.5) + (1/3) ln 3.
		{"missing values", []float64{5, 5}, []float64{5, nan}, math.Log(2.5/1.5)/3 + math.Log(3)/3},
	} {
		if got, _ := PSI(c.reference, c.current); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// χ² with 10 degrees of freedom has its 99.9 % quantile at 29.588 (tables); .2 is the floor.
	if _, threshold := PSI(ten, ten); math.Abs(threshold-29.588*.2) > .01 {
		t.Errorf("threshold of 10 and 10 rows is %v, want %v", threshold, 29.588*.2)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64() + shift
		}
		return x
	}
	if psi, threshold := PSI(draw(5000, 0), draw(5000, 0)); threshold != smallDrift || psi > threshold {
		t.Errorf("no drift: %v beyond %v", psi, threshold)
	}
	if psi, threshold := PSI(draw(5000, 0), draw(5000, 1)); psi < threshold {
		t.Errorf("a shift by one standard deviation: %v below %v", psi, threshold)
	}
	if psi, _ := PSI(nil, ten); !math.IsNaN(psi) {
		t.Errorf("without a reference: %v, want undefined", psi)
	}
}

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
	same(t, "checks", statuses, map[string]string{"cutoff": "ok", "freshness": "ok", "population": "ok", "statuses": "ok", "missing": "ok", "scores": "ok", "realised": "ok"})

	// Forty days later the labels have matured.
	s := shop{customers: 60, seed: 7}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(s.csv(150, 190))}); err != nil {
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
