package pipelines

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
	"retain/training"
	"retain/training/metrics"
)

// trainShadow trains another model on the shop, with two more columns, and returns it; the gate promotes none so soon.
func trainShadow(t *testing.T, w *warehouse.Warehouse, now time.Time) (warehouse.ModelRow, *models.Artifact) {
	t.Helper()
	c := features.DefaultCatalogue().Only(append(smallCatalogue().Names(), "purchase_amount_mean_365d", "purchase_count_365d", "purchase_tenure_days"))
	report, err := training.Train(t.Context(), training.Options{Store: &features.Store{DB: w}, Catalogue: c, Churn: shopChurn(), Seed: 2, Registry: w,
		Now: func() time.Time { return now }, Who: "test"})
	if err != nil {
		t.Fatal(err)
	}
	row, err := w.ModelByVersion(t.Context(), KindChurn, uint32(report.Model.Version))
	if err != nil {
		t.Fatal(err)
	}
	a, err := models.DecodeArtifact(row.Blob)
	if err != nil {
		t.Fatal(err)
	}
	if report.Promoted || report.Model.Version != 2 {
		t.Fatalf("version %d, promoted %v: %v", report.Model.Version, report.Promoted, report.Verdict)
	}
	return row, a
}

// A trained model that is not promoted is scored beside the champion for one horizon, as it would score by itself, and compared when the labels are known.
func TestShadow(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := t.Context()
	m := openShop(t, w, 150)
	day := func(d int) time.Time { return worldStart.AddDate(0, 0, d) }
	at := func(cutoff, now int) (models.Run, ShadowOutcome, error) {
		t.Helper()
		run, err := Score(ctx, scoreShop(w, m, day(cutoff), day(now)))
		if err != nil {
			t.Fatal(err)
		}
		out, err := Shadow(ctx, ShadowOptions{DB: w, Run: run, Model: m.Artifact, Now: func() time.Time { return day(now) }})
		return run, out, err
	}
	if _, out, err := at(149, 150); err != nil || out.Version != 0 {
		t.Errorf("without a shadow: %+v, %v", out, err)
	}
	row, a := trainShadow(t, w, day(150).Add(time.Hour))
	if len(a.Schema) <= len(m.Artifact.Schema) {
		t.Fatalf("the shadow has %d columns, the champion %d: nothing is to be computed", len(a.Schema), len(m.Artifact.Schema))
	}
	run, out, err := at(150, 151)
	if err != nil || out.Version != 2 || out.Rows != run.Scored || out.Done {
		t.Fatalf("%+v, %v; %d are scored", out, err, run.Scored)
	}
	if _, out, err := at(150, 151); err != nil || !out.Done {
		t.Errorf("beside the same run again: %+v, %v", out, err)
	}

	// The oracle: the shadow's own features, computed from the log, and its own model.
	customer, margin, probability, err := w.ShadowScored(ctx, run.ID, row.Artifact)
	if err != nil || len(customer) != run.Scored {
		t.Fatalf("%d rows, %v", len(customer), err)
	}
	p, err := (&features.Store{DB: w}).Population(ctx, a.Churn, day(150))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(ctx)
	snapshot, err := (&features.Store{DB: w}).Snapshot(ctx, a.Catalogue, p)
	if err != nil {
		t.Fatal(err)
	}
	x, err := a.Encoding.Apply(snapshot.X)
	if err != nil {
		t.Fatal(err)
	}
	model, err := a.LoadModel(training.Decoders())
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float64, x.Rows())
	if err := model.Margin(want, x); err != nil {
		t.Fatal(err)
	}
	for i, id := range snapshot.Customer {
		if customer[i] != id || margin[i] != want[i] || probability[i] != a.Calibration.Probability(want[i]) {
			t.Fatalf("%s: %v, %s by itself: %v", customer[i], margin[i], id, want[i])
		}
	}
	o, err := Monitor(ctx, MonitorOptions{DB: w, Now: day(151)})
	if err != nil {
		t.Fatal(err)
	}
	if v := o.Report.(*MonitorReport).Shadow; v == nil || v.Shadow != nil || v.DaysLeft == nil || *v.DaysLeft < 29 || *v.DaysLeft > 31 || !strings.Contains(v.Verdict, "is known in") {
		t.Errorf("before the labels are known: %+v", v)
	}

	// Its time ends one horizon after its first run.
	s := shop{customers: 60, seed: 7}
	if _, err := Import(ctx, ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(s.csv(150, 215))}); err != nil {
		t.Fatal(err)
	}
	if _, out, err := at(179, 180); err != nil || out.Version != 2 || !out.Ends.Equal(day(180)) {
		t.Errorf("on the last day: %+v, %v", out, err)
	}
	if _, out, err := at(180, 181); err != nil || out.Version != 0 {
		t.Errorf("when its time is over: %+v, %v", out, err)
	}
	state, err := w.Shadow(ctx, KindChurn)
	if err != nil || !state.Over || state.Runs != 2 {
		t.Errorf("%+v, %v", state, err)
	}

	// Compared over both runs, by hand.
	if o, err = Monitor(ctx, MonitorOptions{DB: w, Now: day(215)}); err != nil {
		t.Fatal(err)
	}
	v := o.Report.(*MonitorReport).Shadow
	if v == nil || v.Shadow == nil || len(v.Cutoffs) != 2 || v.Against != 1 || !strings.Contains(v.Verdict, "v2 ") || v.DaysLeft != nil {
		t.Fatalf("%+v", v)
	}
	var y, own, beside []float64
	for _, r := range []struct {
		cutoff int
		run    string
	}{{150, run.ID}, {179, ""}} {
		if r.run == "" {
			again, _, _ := at(r.cutoff, 180)
			r.run = again.ID
		}
		var bought []string
		if err := w.Conn().QueryRow(ctx, "SELECT groupUniqArray(customer_id) FROM purchases WHERE at >= toDateTime64('"+day(r.cutoff).Format("2006-01-02 15:04:05")+
			"', 3, 'UTC') AND at < toDateTime64('"+day(r.cutoff+30).Format("2006-01-02 15:04:05")+"', 3, 'UTC')").Scan(&bought); err != nil {
			t.Fatal(err)
		}
		stays := map[string]float64{}
		for _, id := range bought {
			stays[id] = 1
		}
		customer, _, p, err := w.Scored(ctx, r.run)
		if err != nil {
			t.Fatal(err)
		}
		_, _, q, err := w.ShadowScored(ctx, r.run, row.Artifact)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range customer {
			y, own, beside = append(y, 1-stays[id]), append(own, p[i]), append(beside, q[i])
		}
	}
	if a, b := metrics.LogLoss(own, y, nil), metrics.LogLoss(beside, y, nil); v.Rows != len(y) || math.Abs(float64(v.Champion.LogLoss)-a) > 1e-12 || math.Abs(float64(v.Shadow.LogLoss)-b) > 1e-12 ||
		math.Abs(float64(v.Gain)-(a-b)) > 1e-12 {
		t.Errorf("%d rows, %v against %v, gain %v; by hand %d, %v against %v", v.Rows, v.Shadow.LogLoss, v.Champion.LogLoss, v.Gain, len(y), b, a)
	}

	if err := w.Conn().Exec(ctx, "CREATE TABLE nothing AS purchases"); err != nil {
		t.Fatal(err)
	}
	// Without rows in the label's source nothing is known of any run, and the monitor says so.
	if o, err = Monitor(ctx, MonitorOptions{DB: w, Sources: features.Sources{features.Purchases: {Table: "nothing"}}, Now: day(215)}); err != nil {
		t.Fatal(err)
	}
	if v := o.Report.(*MonitorReport).Shadow; v == nil || v.Shadow != nil || v.DaysLeft != nil || !strings.Contains(v.Verdict, "no known label") {
		t.Errorf("without rows: %+v", v)
	}

	// A run from before the shadow's training ended is no test of it.
	if _, err := w.SetAlias(ctx, warehouse.AliasRow{Kind: KindChurn, Alias: warehouse.AliasShadow, At: day(216), Action: warehouse.ActionShadowed, Artifact: row.Artifact, Name: row.Name, Version: row.Version}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := at(100, 217); !errors.Is(err, ErrNoShadow) {
		t.Errorf("in hindsight: %v", err)
	}
}
