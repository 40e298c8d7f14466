package pipelines

import (
	"math"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/training"
)

// A programme that works keeps customers whom the model told to leave. As long as nobody tells that its decisions were carried out, the perfect scores of
// the known world read as miscalibrated; once that is told, they are compared with the untreated alone.
func TestAWorkingProgrammeIsNoMiscalibration(t *testing.T) {
	p := openProgramme(t, 5000)
	realised := func() Realised {
		t.Helper()
		m := &monitor{o: MonitorOptions{DB: p.db}, store: &features.Store{DB: p.db}, runs: []warehouse.RunRow{p.run}, labels: map[string]map[string]float64{}, treated: map[string]int{},
			reach:   map[string]reached{p.run.Artifact: {p.churn, p.cutoff.AddDate(0, 5, 0)}},
			existed: map[string]map[string]bool{p.run.Artifact: {}}}
		for _, id := range p.id {
			m.existed[p.run.Artifact][id] = true
		}
		r, ok, err := m.realisedOf(t.Context(), p.run)
		if err != nil || !ok {
			t.Fatalf("realised %v, %v", ok, err)
		}
		return r
	}
	r := realised()
	t.Logf("untold: %s", r.Verdict)
	if r.Calibrated || r.Treated != 0 || r.Rows != len(p.id) || float64(r.OEInterval[1]) > .95 {
		t.Errorf("a working programme, untold: %+v; want it to read as miscalibration of all %d customers", r, len(p.id))
	}

	p.carryOut(t)
	r = realised()
	t.Logf("told: %s", r.Verdict)
	if !r.Calibrated || !(float64(r.OEInterval[0]) < 1 && 1 < float64(r.OEInterval[1])) {
		t.Errorf("the same, told: %+v; want it calibrated", r)
	}
	// By hand: the untreated, each with 1 / (h + (1-h) π₀).
	treated, rows, observed, expected, truth := 0, 0, 0., 0., 0.
	all := make([]float64, 3)
	for i, id := range p.id {
		truth += p.risk[i] / float64(len(p.id))
		if p.turns.Chosen(i) != 0 {
			treated++
			continue
		}
		p.turns.Propensities(all, i)
		rows++
		expected += p.risk[i] / all[0]
		if p.left[id] {
			observed += 1 / all[0]
		}
	}
	if r.Treated != treated || r.Rows != rows || math.Abs(float64(r.ObservedExpected)-observed/expected) > 1e-9 {
		t.Errorf("%d treated, %d rows, O/E %v; by hand %d, %d, %v", r.Treated, r.Rows, r.ObservedExpected, treated, rows, observed/expected)
	}

	// What training keeps is those rows with those weights, and their weighted rate is that of a world in which nothing is done.
	guard, err := training.NewGuard(t.Context(), &features.Store{DB: p.db})
	if err != nil {
		t.Fatal(err)
	}
	untreated, err := guard.Of(t.Context(), p.churn, p.cutoff, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	var sum, churned, plain, all1 float64
	for i, id := range p.id {
		if p.left[id] {
			plain++
		}
		all1++
		w, ok := untreated.Weight(id)
		if ok != (p.turns.Chosen(i) == 0) {
			t.Fatalf("%s: kept %v, action %d", id, ok, p.turns.Chosen(i))
		}
		if !ok {
			continue
		}
		p.turns.Propensities(all, i)
		if math.Abs(w-1/all[0]) > 1e-9 {
			t.Fatalf("%s weighs %v, want %v", id, w, 1/all[0])
		}
		sum += w
		if p.left[id] {
			churned += w
		}
	}
	t.Logf("true rate %.4f; untreated, weighted %.4f; everyone %.4f", truth, churned/sum, plain/all1)
	if math.Abs(churned/sum-truth) > .012 || plain/all1 > truth-.012 {
		t.Errorf("true rate %.4f, of the weighted untreated %.4f, of everyone %.4f", truth, churned/sum, plain/all1)
	}
	if outside, err := guard.Of(t.Context(), p.churn, p.cutoff.AddDate(0, 0, -p.churn.HorizonDays), time.Time{}); err != nil || outside != nil {
		t.Errorf("a window that ends at the decisions: %v, %v; want it left as it is", outside, err)
	}
}
