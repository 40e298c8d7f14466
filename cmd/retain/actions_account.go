package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"retain/internal/spoken"
	"retain/models"
	"retain/models/actions"
	"retain/pipelines"
)

// decidedRun is a scoring run with what its decisions come to.
type decidedRun struct {
	models.Run
	Decisions *actions.Account `json:"decisions"` // null: an older program decided
}

// decided adds to a run what its decisions come to.
func (s *session) decided(ctx context.Context, run models.Run) (decidedRun, error) {
	shared, err := pipelines.Decisions{DB: s.db}.Shared(ctx, run.ID)
	if errors.Is(err, pipelines.ErrNoDecisions) {
		return decidedRun{Run: run}, nil
	}
	if err != nil {
		return decidedRun{}, err
	}
	return decidedRun{run, shared.Account}, nil
}

// runDecide makes the run of a cutoff, unless it is there, and tells what its decisions come to.
func (a *app) runDecide(ctx context.Context, cutoff time.Time) (err error) {
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return err
	}
	k := &keeper{app: a, config: config, command: "run decide", how: reading, who: "retain run"}
	defer func() { err = errorsJoin(err, k.close()) }()
	if _, err := k.open(ctx); err != nil {
		return err
	}
	r := k.runner()
	r.Again, r.Retries, r.Log = true, 0, nil
	row, err := r.Run(ctx, pipelines.JobScore, pipelines.Call{Cutoff: cutoff})
	if err != nil || row.Job == "" {
		return err
	}
	var run models.Run
	if err := json.Unmarshal(pipelines.EntryOf(row).Report, &run); err != nil {
		return fmt.Errorf("read the run of the ledger: %w", err)
	}
	made, err := k.s.decided(ctx, run)
	if err != nil {
		return err
	}
	return a.print(made, func(w io.Writer) {
		fmt.Fprintf(w, "run %s at %s: %s decided\n", run.ID, run.Cutoff.Format(time.RFC3339), spoken.Counted(int64(run.Customers), "customer"))
		printAccount(w, made.Decisions)
	})
}

// printAccount tells what the decisions of a run come to.
func printAccount(w io.Writer, a *actions.Account) {
	if a == nil {
		return
	}
	fmt.Fprintf(w, "control group: %s of %s scored customers", spoken.Count(a.Held), spoken.Count(a.Held+a.Treated))
	if a.Effect != nil {
		fmt.Fprintf(w, "; a difference of churn of %.1f points can be found (mean risk %s)", 100**a.Effect, percent(a.Churn))
	}
	fmt.Fprintln(w)
	if len(a.Actions) > 0 {
		table(w, func(line func(string, ...any)) {
			line("  action\tcustomers\tcapacity\tof the budget, each\tprice of a place")
			for _, u := range a.Actions {
				capacity, price := "–", "–"
				if u.Capacity != nil {
					capacity, price = spoken.Count(*u.Capacity), figure(&u.Price, 2)
				}
				line("  %s\t%s\t%s\t%s\t%s", u.Action, spoken.Count(u.Chosen), capacity, amount(&u.Cost), price)
			}
		})
	}
	if a.Budget != nil {
		fmt.Fprintf(w, "budget: %s of %s spent; one more would bring %s\n", amount(&a.Spent), amount(a.Budget), figure(&a.MoneyCost, 2))
	}
	worth, bound := amount(&a.Worth), amount(&a.Bound)
	if a.Unit == actions.UnitCustomers {
		fmt.Fprintln(w, "what customers are worth is not known: actions rank by customers saved, and costs count against the budget only")
		worth, bound = figure(&a.Worth, 2)+" customers", figure(&a.Bound, 2)+" customers"
	}
	fmt.Fprintf(w, "the plan within these limits is worth %s; no plan is worth more than %s (gap %.2f %%)\n", worth, bound, 100*a.Gap)
	if a.Explored {
		fmt.Fprintln(w, "actions were drawn around the plan, so that what works can be learned")
	} else {
		fmt.Fprintln(w, "the plan itself was taken; nothing was drawn, so nothing can be learned from this run")
	}
}
