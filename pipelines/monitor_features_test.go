package pipelines

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"retain/features"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
	"retain/simulation"
	"retain/training/metrics"
)

// What the one query counts is what a loop over the stored vectors counts, and a planted drift is found.
func TestMonitorDrift(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 150)
	// From day 150 on everybody buys every other day, and dearly.
	var log bytes.Buffer
	log.WriteString("customer_id,at,order_id,amount\n")
	for c := range 60 {
		for d := 150; d < 185; d += 2 {
			fmt.Fprintf(&log, "c%03d,%s,x%d-%d,%d\n", c, worldStart.AddDate(0, 0, d).Format("2006-01-02"), c, d, 900+c)
		}
	}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: &log}); err != nil {
		t.Fatal(err)
	}
	cutoff := worldStart.AddDate(0, 0, 185)
	run, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Monitor(t.Context(), MonitorOptions{DB: w, Now: cutoff})
	if err != nil {
		t.Fatal(err)
	}
	report := o.Report.(*MonitorReport)
	drift := map[string]FeatureDrift{}
	last := math.Inf(1)
	for _, d := range report.Features {
		drift[d.Feature] = d
		if v := float64(d.Importance); v > last {
			t.Errorf("%s of importance %v comes after %v", d.Feature, v, last)
		} else {
			last = v
		}
	}
	columns := make([][]float64, len(m.Artifact.Schema))
	var margins []float64
	for row, err := range w.Scores(t.Context(), run.ID) {
		if err != nil {
			t.Fatal(err)
		}
		if row.Status != features.StatusScored {
			continue
		}
		full, _, err := w.Score(t.Context(), run.ID, row.CustomerID)
		if err != nil {
			t.Fatal(err)
		}
		for j, v := range full.Vector {
			columns[j] = append(columns[j], float64(v))
		}
		margins = append(margins, row.Margin)
	}
	for j, c := range m.Artifact.Schema {
		h := metrics.Histogram(m.Artifact.Reference.Features[j])
		psi, threshold := h.PSI(h.Count(columns[j]))
		if d := drift[c.Name]; float64(d.PSI) != psi || float64(d.Threshold) != threshold || d.Drifted != (psi > threshold) || d.Source != features.Purchases {
			t.Errorf("%s: %+v; counted one by one PSI %v, threshold %v", c.Name, d, psi, threshold)
		}
	}
	h := metrics.Histogram(*m.Artifact.Reference.Margin)
	if psi, _ := h.PSI(h.Count(margins)); report.Margin == nil || report.Margin.PSI != psi {
		t.Errorf("margins %+v, counted one by one %v", report.Margin, psi)
	}
	var found MonitorCheck
	for _, c := range report.Checks {
		if c.Name == "drift" {
			found = c
		}
	}
	planted := drift["purchase_amount_sum_90d"]
	if !planted.Drifted || !strings.HasPrefix(planted.Verdict, "drifted, PSI ") || found.Status != checkWarning || !strings.Contains(found.Message, "purchase_amount_sum_90d") {
		t.Errorf("the planted drift: %+v, %+v", planted, found)
	}
}

func TestMonitorTellsAVanishedSource(t *testing.T) {
	m := &monitor{report: &MonitorReport{}, artifact: &models.Artifact{}}
	reference := models.Histogram{Cuts: []float64{1}, Counts: []uint64{40, 40, 20}}
	for _, c := range []struct {
		name, source string
		counts       []uint64
	}{{"usage_a", "usage", []uint64{0, 0, 50}}, {"usage_b", "usage", []uint64{0, 0, 50}}, {"purchase_a", "purchases", []uint64{0, 0, 50}}, {"purchase_b", "purchases", []uint64{20, 20, 10}}, {"tenure_days", "", []uint64{0, 0, 50}}} {
		d := m.featureDrift(c.name, reference, c.counts, .2)
		d.Source = c.source
		m.report.Features = append(m.report.Features, d)
	}
	m.checkDrift(&models.Reference{Cutoff: worldStart})
	check := m.report.Checks[0]
	if !slices.Equal(m.report.Vanished, []string{"usage"}) || check.Status != checkWarning || !strings.Contains(check.Message, "usage has vanished: nobody has a value of any of its 2 features") ||
		strings.Contains(check.Message, "usage_a") || !strings.Contains(check.Message, "purchase_a (vanished: nobody has a value, 80 % had one at training)") {
		t.Errorf("%v, %+v", m.report.Vanished, check)
	}
}

// Drift is no warning where the model hardly looks, and is told all the same.
func TestDriftThatHardlyMatters(t *testing.T) {
	for _, c := range []struct {
		importance metrics.Figure
		status     string
	}{{.01, checkOK}, {.3, checkWarning}, {metrics.Figure(math.NaN()), checkWarning}} {
		m := &monitor{report: &MonitorReport{}, artifact: &models.Artifact{}}
		m.report.Features = []FeatureDrift{m.featureDrift("tenure_days", models.Histogram{Cuts: []float64{1}, Counts: []uint64{900, 100, 0}}, []uint64{100, 900, 0}, c.importance)}
		m.checkDrift(&models.Reference{Cutoff: worldStart})
		if check := m.report.Checks[0]; check.Status != c.status || !strings.Contains(check.Message, "tenure_days (drifted") {
			t.Errorf("importance %v: %+v", c.importance, check)
		}
	}
}

// On the known world without change there is next to no false alarm: every column of the default catalogue, half of the customers against the other half, over twenty
// seeds of the halves.
func TestDriftFalseAlarms(t *testing.T) {
	w := warehousetest.Open(t)
	world := newWorld(t, simulation.Options{Customers: 1200, Days: 240, Seed: 5})
	if _, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: world, Churn: simulatedChurn()}); err != nil {
		t.Fatal(err)
	}
	store := &features.Store{DB: w}
	cutoff := world.End()
	p, err := store.Population(t.Context(), simulatedChurn(), cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context())
	catalogue := features.DefaultCatalogue().For(simulatedChurn())
	catalogue.Entries = slices.DeleteFunc(slices.Clone(catalogue.Entries), func(e features.Entry) bool { return e.Each != "" })
	snapshot, err := store.Snapshot(t.Context(), catalogue, p)
	if err != nil {
		t.Fatal(err)
	}
	verdicts, alarms := 0, 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		first := make([]bool, snapshot.X.Rows())
		for i := range first {
			first[i] = rng.IntN(2) == 0
		}
		for j := range snapshot.X.X {
			var a, b []float64
			for i, v := range snapshot.X.X[j] {
				if first[i] {
					a = append(a, float64(v))
				} else {
					b = append(b, float64(v))
				}
			}
			verdicts++
			if psi, threshold := metrics.PSI(a, b); psi > threshold {
				alarms++
			}
		}
	}
	t.Logf("%d alarms in %d verdicts on %d customers", alarms, verdicts, snapshot.X.Rows())
	// At the 99.9 % quantile one in a thousand is expected where few customers are compared; five in a thousand of as many are beyond chance.
	if verdicts < 1000 || alarms > verdicts/200 {
		t.Errorf("%d false alarms in %d verdicts", alarms, verdicts)
	}
}
