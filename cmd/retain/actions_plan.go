package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/models"
	"retain/models/actions"
	"retain/pipelines"
)

// plannedActions is the JSON of `retain actions plan`.
type plannedActions struct {
	RunID  string `json:"run_id"`
	Cutoff string `json:"cutoff"`
	*actions.BudgetPlan
	Items []actions.Planned `json:"items"`
}

func (a *app) actionsPlanCommand() *cobra.Command {
	var f pipelines.PlanFilter
	var capacities []string
	var out string
	budget := math.Inf(1)
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Who should get what for a budget, over the run in force",
		Long: `Allot a budget over the customers of the run in force: who gets what so that the expected value is greatest, what it costs, and how far from the best
it can be at most. Nothing is decided by it: the decisions of the run stand. Customers who wait for an answer get it, outside the budget.`,
		Example: `  retain actions plan --budget 5000 --segment enterprise --out plan.csv
  retain actions plan --budget 2000 --capacity save_call=20,perk=-1 --band high --json`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if math.IsNaN(budget) || budget < 0 {
				return usagef("--budget: give an amount of 0 or more")
			}
			if !isBand(f.Band) {
				return usagef("--band: %q is none of low, medium, high", f.Band)
			}
			named, err := pairs("capacity", capacities)
			if err != nil {
				return err
			}
			capacity := map[string]int{}
			for id, text := range named {
				if capacity[id], err = strconv.Atoi(text); err != nil {
					return usagef("--capacity: %s=%s is no whole number (below 0 = no limit)", id, text)
				}
			}
			if otherThanCSV(out) {
				return usagef("--out: %s: the plan is written as CSV; name a file that ends in .csv", out)
			}
			return a.readSession(cmd.Context(), "actions plan", func(s *session, scores pipelines.Scores) error {
				run, plan, err := scores.Plan(cmd.Context(), s.store, f, budget, capacity)
				switch {
				case errors.Is(err, actions.ErrPlan):
					return usagef("%v", err)
				case errors.Is(err, pipelines.ErrNoDecisions):
					return errors.New("the run in force was made before actions were decided: `retain score` makes them")
				case err != nil:
					return explainNoRun(err)
				}
				if out != "" {
					if err := writePlan(out, plan.Items); err != nil {
						return err
					}
				}
				return a.print(plannedActions{run.ID, run.Cutoff.Format("2006-01-02T15:04:05Z07:00"), plan, plan.Items}, func(w io.Writer) { printPlan(w, run, plan, out) })
			})
		},
	}
	fl := cmd.Flags()
	fl.Float64Var(&budget, "budget", math.Inf(1), "what may be spent, in the currency of the sources (default: no limit)")
	fl.Lookup("budget").DefValue = ""
	fl.StringSliceVar(&capacities, "capacity", nil, "action=n,…: instead of the catalogue's, below 0 = no limit")
	fl.StringVar(&f.Segment, "segment", "", "only customers of this segment (of the source customers)")
	fl.StringVar(&f.Stage, "stage", "", "only customers in this stage of the lifecycle")
	fl.StringVar(&f.Band, "band", "", "only low, medium or high")
	fl.StringVar(&out, "out", "", "write who gets what as CSV to this file")
	return cmd
}

func isBand(band string) bool {
	return band == "" || band == "low" || band == "medium" || band == "high"
}

// writePlan writes a plan as CSV; the file appears whole.
func writePlan(path string, items []actions.Planned) (err error) {
	file, err := atomicfile.Create(path, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer func() {
		if err != nil {
			err = errorsJoin(err, file.Discard())
		}
	}()
	buffer := bufio.NewWriter(file)
	w := csv.NewWriter(buffer)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
	_ = w.Write([]string{"customer_id", "decision_id", "action", "channel", "cost", "expected_value", "duty"}) // the writer keeps its error
	for _, x := range items {
		_ = w.Write([]string{x.CustomerID, x.DecisionID, x.Action, x.Channel, number(x.Cost), number(x.Expected), strconv.FormatBool(x.Duty)})
	}
	w.Flush()
	if err := errorsJoin(w.Error(), buffer.Flush()); err != nil {
		return fmt.Errorf("--out %s: %w", path, err)
	}
	return file.Publish()
}

// shownPlanned is how many customers of a plan are listed.
const shownPlanned = 10

func printPlan(w io.Writer, run models.Run, p *actions.BudgetPlan, out string) {
	worth := func(v float64) string {
		if p.Unit == actions.UnitCustomers {
			return strconv.FormatFloat(v, 'f', 2, 64) + " customers saved"
		}
		return amount(&v)
	}
	fmt.Fprintf(w, "%s customers as of %s: %s get an action", spoken.Count(p.Customers), day(run.Cutoff), spoken.Count(p.Assigned))
	if p.Budget != nil {
		fmt.Fprintf(w, " for %s of the budget of %s", amount(&p.Cost), amount(p.Budget))
	} else {
		fmt.Fprintf(w, " for %s", amount(&p.Cost))
	}
	fmt.Fprintf(w, ", expected to bring %s after costs.\nNo plan brings more than %s: the gap is %s at most.\n", worth(p.Expected), worth(p.Bound), percent(&p.Gap))
	if p.BudgetPrice > 0 {
		fmt.Fprintf(w, "One more unit of money would bring about %s.\n", strconv.FormatFloat(p.BudgetPrice, 'f', 2, 64))
	}
	if p.Duties > 0 {
		fmt.Fprintf(w, "%s are waiting for an answer and get it, outside the budget, for %s.\n", spoken.Counted(p.Duties, "customer"), amount(&p.DutyCost))
	}
	if p.HeldOut > 0 {
		fmt.Fprintf(w, "%s in this quarter's control group and get nothing else.\n", spoken.Counted(p.HeldOut, "customer"))
	}
	if p.WithoutValue > 0 {
		fmt.Fprintf(w, "%s left out, because what they are worth is not known.\n", spoken.Counted(p.WithoutValue, "customer"))
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("action\tcustomers\tof\tcost\texpected value\tone place more")
		for _, x := range p.Actions {
			of, price := "", ""
			if x.Capacity != nil {
				of = spoken.Count(*x.Capacity)
			}
			if x.Price > 0 {
				price = worth(x.Price)
			}
			line("%s\t%s\t%s\t%s\t%s\t%s", x.Action, spoken.Count(x.Customers), of, amount(&x.Cost), worth(x.Expected), price)
		}
	})
	if out != "" {
		fmt.Fprintf(w, "\nwho gets what: %s\n", out)
		return
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("customer\taction\tchannel\tcost\texpected value")
		for _, x := range p.Items[:min(len(p.Items), shownPlanned)] {
			line("%s\t%s\t%s\t%s\t%s", short(x.CustomerID), x.Action, x.Channel, amount(&x.Cost), worth(x.Expected))
		}
	})
	if n := len(p.Items) - shownPlanned; n > 0 {
		fmt.Fprintf(w, "… and %s more; --out FILE writes all\n", spoken.Count(n))
	}
}

// readSession opens the warehouse for a reading command that needs more than the run in force.
func (a *app) readSession(ctx context.Context, command string, read func(s *session, scores pipelines.Scores) error) (err error) {
	s, err := a.open(ctx, command, reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	scores, _, err := s.scores(ctx)
	if err != nil {
		return err
	}
	return read(s, scores)
}
