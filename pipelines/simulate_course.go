package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/simulation"
)

// CarriedOut tells what became of a run's decisions in the known world.
type CarriedOut struct {
	RunID    string    `json:"run_id"`
	Cutoff   time.Time `json:"cutoff"`
	Decided  int       `json:"decided"`         // customers with a decision
	Treated  int       `json:"treated"`         // of them those who got something
	Saved    float64   `json:"customers_saved"` // Σ true change of P(stay) by what was done
	Possible float64   `json:"possible"`        // the same for the best of what each customer could have got by the rules, held out or not
}

// courseFutures is how many futures the truth of a carried-out run is the mean of.
const courseFutures = 32

// Course makes of a world the one in which the decisions that the warehouse holds have been carried out, each on the day of its cutoff, with
// records until a midnight. From the first decision on the company does nothing else, and what becomes of the customers comes from a
// seed of its own. label is the window of the truth that the answer tells. Errors: a decision after until, or on someone who is not of this world.
func Course(ctx context.Context, db *warehouse.Warehouse, world *simulation.World, until time.Time, label simulation.Label) (*simulation.World, []CarriedOut, error) {
	runs, err := db.DecisionRuns(ctx)
	if err != nil {
		return nil, nil, err
	}
	from := until
	if len(runs) > 0 {
		from = runs[0].Cutoff
	}
	const outcomes = 1 // of the seed of the world: any other number would do
	course, err := world.Course(simulation.CourseOptions{From: from, Outcomes: outcomes, Futures: courseFutures})
	if err != nil {
		return nil, nil, err
	}
	done := []CarriedOut{}
	for k, run := range runs {
		if run.Cutoff.After(until) {
			return nil, nil, fmt.Errorf("run %s decided at %s, after %s until which the world is to go", run.RunID, run.Cutoff.Format(time.DateOnly), until.Format(time.DateOnly))
		}
		if k > 0 {
			if err := course.Step(run.Cutoff); err != nil {
				return nil, nil, err
			}
		}
		one, err := carryOut(ctx, db, course, run, label)
		if err != nil {
			return nil, nil, fmt.Errorf("carry out run %s: %w", run.RunID, err)
		}
		done = append(done, one)
	}
	if until.After(course.Now()) {
		if err := course.Step(until); err != nil {
			return nil, nil, err
		}
	}
	return course.World(), done, nil
}

// carryOut does what a run decided.
func carryOut(ctx context.Context, db *warehouse.Warehouse, course *simulation.Course, run warehouse.DecisionRun, label simulation.Label) (CarriedOut, error) {
	c := CarriedOut{RunID: run.RunID, Cutoff: run.Cutoff}
	catalogue, err := actions.Decode([]byte(run.Document))
	if err != nil {
		return c, err
	}
	names := simulation.Actions()
	w, one := course.World(), new(simulation.Customer)
	for row, err := range db.Decisions(ctx, run) {
		if err != nil {
			return c, err
		}
		if strings.HasPrefix(row.CustomerID, "l") {
			continue // a lead that never buys, whatever is done
		}
		index, ok := simulatedIndex(row.CustomerID, w.Customers())
		if !ok {
			return c, fmt.Errorf("a decision on %q, who is not of this world: --customers, --days, --seed and --end must be those of the first call", row.CustomerID)
		}
		c.Decided++
		w.Live(index, one)
		truth, _ := w.Truth(one, course.Day(), label)
		effect := func(action string) float64 {
			if k := slices.Index(names, action); k >= 0 && truth.Effects != nil {
				return truth.Effects[k]
			}
			return 0
		}
		best := 0.
		for _, action := range slices.Concat(row.Actions, row.Withheld) {
			best = max(best, effect(action))
		}
		c.Possible += best
		k, place := catalogue.Index(row.Chosen), slices.Index(row.Actions, row.Chosen)
		if row.Chosen == actions.DoNothing || k < 0 || place < 0 {
			continue
		}
		c.Treated++
		c.Saved += effect(row.Chosen)
		t := simulation.Treatment{Action: row.Chosen, Channel: row.Channels[place], Class: string(catalogue.Actions[k].Class), Campaign: "next best action", Decision: row.DecisionID}
		if err := course.Act(index, t); err != nil {
			return c, err
		}
	}
	return c, nil
}

// simulatedIndex is the index of a customer_id of a world.
func simulatedIndex(id string, customers int) (int, bool) {
	digits, ok := strings.CutPrefix(id, "c")
	index, err := strconv.Atoi(digits)
	return index, ok && err == nil && index >= 0 && index < customers && simulation.ID(index) == id
}
