package pipelines

import (
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
)

// dueActions has what is due to everyone, by a channel that wakes people.
const dueActions = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: notice, title: Notice, channel: email, class: transactional, message: Notice, expires_after: 2d, eligibility: status == "scored"}
`

func TestDecisionsInHindsight(t *testing.T) {
	t.Parallel()
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := m.Artifact.TrainedUntil.AddDate(0, 0, -1)
	engine, err := actions.Parse([]byte(dueActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := scoreShop(w, m, cutoff, cutoff)
	o.Decide.Engine = engine
	run, err := Score(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if !run.Hindsight || run.Scored == 0 {
		t.Fatalf("%+v: want customers scored in hindsight", run)
	}
	noticed := 0
	for r, err := range w.Decisions(t.Context(), warehouse.DecisionRun{RunID: run.ID, Cutoff: cutoff}) {
		if err != nil {
			t.Fatal(err)
		}
		// A model that has learned what became of the customers tells nothing of what they would have done: learning must not start from its risks.
		if r.Risk == r.Risk {
			t.Errorf("%s: a risk of %v is logged", r.CustomerID, r.Risk)
		}
		// The cutoff is midnight, and what is due waits for the end of the quiet hours.
		if r.Chosen == "notice" {
			noticed++
			if at := cutoff.Add(8 * time.Hour); !r.Moments[1].Equal(at) || !r.Expiries[1].Equal(at.AddDate(0, 0, 2)) {
				t.Errorf("%s: due at %v until %v, want %v", r.CustomerID, r.Moments, r.Expiries, at)
			}
		}
	}
	if noticed != run.Scored {
		t.Errorf("%d of %d are sent what is due", noticed, run.Scored)
	}
}
