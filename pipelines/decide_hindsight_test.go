package pipelines

import (
	"testing"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// A model that has learned what became of the customers tells nothing of what they would have done: learning must not start from its risks.
func TestRisksInHindsightAreNotLogged(t *testing.T) {
	t.Parallel()
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := m.Artifact.TrainedUntil.AddDate(0, 0, -1)
	run, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff))
	if err != nil {
		t.Fatal(err)
	}
	if !run.Hindsight || run.Scored == 0 {
		t.Fatalf("%+v: want customers scored in hindsight", run)
	}
	for r, err := range w.Decisions(t.Context(), warehouse.DecisionRun{RunID: run.ID, Cutoff: cutoff}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Risk == r.Risk {
			t.Errorf("%s: a risk of %v is logged", r.CustomerID, r.Risk)
		}
	}
}
