package warehouse_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// The risk by which a customer was decided about is kept; who was not scored has none.
func TestDecisionsTellTheirRisk(t *testing.T) {
	w := warehousetest.Open(t)
	run := warehouse.DecisionRun{RunID: "aa", Cutoff: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Document: "{}"}
	risk := []float64{.25, math.NaN()}
	if err := w.PutDecisions(t.Context(), run, 2, func(i int) warehouse.DecisionRow {
		return warehouse.DecisionRow{CustomerID: fmt.Sprint(i), DecisionID: fmt.Sprint(i), Chosen: "do_nothing", Risk: risk[i]}
	}); err != nil {
		t.Fatal(err)
	}
	for r, err := range w.Decisions(t.Context(), run) {
		if err != nil {
			t.Fatal(err)
		}
		if r.CustomerID == "0" && r.Risk != .25 || r.CustomerID == "1" && r.Risk == r.Risk {
			t.Errorf("customer %s has a risk of %v", r.CustomerID, r.Risk)
		}
	}
}

// decideRun writes the decisions of a run of three customers as the scoring job does.
func decideRun(t *testing.T, w *warehouse.Warehouse, id string, cutoff time.Time) {
	t.Helper()
	run := warehouse.DecisionRun{RunID: id, Cutoff: cutoff, Policy: "p", Document: "{}", Explore: true, Holdout: .1, DecidedAt: cutoff.Add(time.Hour)}
	err := w.PutDecisions(t.Context(), run, 3, func(i int) warehouse.DecisionRow {
		return warehouse.DecisionRow{CustomerID: fmt.Sprint("c\t'", i), DecisionID: fmt.Sprint(id, i), Chosen: "do_nothing", Actions: []string{"do_nothing"}, Channels: []string{"none"},
			Priorities: []float64{0}, Propensities: []float64{1}, Moments: []time.Time{{}}, Expiries: []time.Time{{}}}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func countDecisions(t *testing.T, w *warehouse.Warehouse, id string, cutoff time.Time) (n int) {
	t.Helper()
	for _, err := range w.Decisions(t.Context(), warehouse.DecisionRun{RunID: id, Cutoff: cutoff}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestDecisionsAreWrittenOnce(t *testing.T) {
	w := warehousetest.Open(t)
	cutoff := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	decideRun(t, w, "aa", cutoff)
	decideRun(t, w, "aa", cutoff)
	if n := countDecisions(t, w, "aa", cutoff); n != 3 {
		t.Errorf("written twice, the run has %d decisions, want 3", n)
	}
	// The engine remembers the tokens of a thousand inserts. A run that is made again after its scores were pruned comes later.
	for _, table := range []string{"decisions", "decision_runs"} {
		if err := w.Conn().Exec(t.Context(), "ALTER TABLE "+table+" MODIFY SETTING non_replicated_deduplication_window = 0"); err != nil {
			t.Fatal(err)
		}
	}
	decideRun(t, w, "aa", cutoff)
	if n := countDecisions(t, w, "aa", cutoff); n != 3 {
		t.Errorf("written again after the tokens are forgotten, the run has %d decisions, want 3", n)
	}
	got, ok, err := w.Decision(t.Context(), warehouse.DecisionRun{RunID: "aa", Cutoff: cutoff}, "c\t'2")
	if err != nil || !ok || got.DecisionID != "aa2" || !got.Moments[0].IsZero() {
		t.Errorf("one customer's: %+v, %v, %v", got, ok, err)
	}
}

func TestDecisionsStayTwoYears(t *testing.T) {
	w := warehousetest.Open(t)
	now := time.Now().UTC().Truncate(24 * time.Hour)
	old, recent, mistyped := now.AddDate(-3, 0, 0), now.AddDate(0, -20, 0), now.AddDate(40, 0, 0)
	cutoffs := map[string]time.Time{"aa": old, "bb": recent, "cc": now}
	for id, cutoff := range cutoffs {
		decideRun(t, w, id, cutoff)
	}
	decideRun(t, w, "dd", mistyped)
	if err := w.PruneDecisions(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int{"aa": 0, "bb": 3, "cc": 3} {
		if n := countDecisions(t, w, id, cutoffs[id]); n != want {
			t.Errorf("decisions of %s: %d, want %d", cutoffs[id].Format(time.DateOnly), n, want)
		}
	}
	if _, err := w.DecisionRun(t.Context(), "aa"); err == nil {
		t.Error("what the dropped decisions shared is still there")
	}
}
