package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) experimentCommand() *cobra.Command {
	return group("experiment", "Try an action before it is relied on", a.experimentPlanCommand())
}

func (a *app) experimentPlanCommand() *cobra.Command {
	var o pipelines.ExperimentOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "How small an effect of an action can be found, and how long it takes",
		Example: `  retain experiment plan --action save_call
  retain experiment plan --action discount --segment smb --share 0.8 --effect 0.02`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.Action == "":
				return usagef("--action: name one; `retain actions --catalogue` lists them")
			case !(o.Share > 0 && o.Share < 1):
				return usagef("--share: %v does not lie between 0 and 1", o.Share)
			case math.IsNaN(o.Effect) || math.Abs(o.Effect) > 1 || cmd.Flags().Changed("effect") && o.Effect == 0:
				return usagef("--effect: give a change of the probability to stay, such as 0.02")
			case !isBand(o.Filter.Band):
				return usagef("--band: %q is none of low, medium, high", o.Filter.Band)
			}
			return a.readSession(cmd.Context(), "experiment plan", func(s *session, scores pipelines.Scores) error {
				champion, err := s.champion(cmd.Context())
				if err != nil {
					return err
				}
				o.Store, o.Spec = s.store, champion.artifact.Churn
				e, err := scores.PlanExperiment(cmd.Context(), o)
				switch {
				case errors.Is(err, pipelines.ErrExperiment):
					return usagef("%v", err)
				case errors.Is(err, pipelines.ErrNoDecisions):
					return errors.New("the run in force was made before actions were decided: `retain score` makes them")
				case err != nil:
					return explainNoRun(err)
				}
				return a.print(e, func(w io.Writer) { printExperiment(w, e) })
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Action, "action", "", "the action to try (`retain actions --catalogue`)")
	f.StringVar(&o.Filter.Segment, "segment", "", "only customers of this segment (of the source customers)")
	f.StringVar(&o.Filter.Stage, "stage", "", "only customers in this stage of the lifecycle")
	f.StringVar(&o.Filter.Band, "band", "", "only low, medium or high")
	f.Float64Var(&o.Share, "share", .5, "share of them who get the action; the rest is the control group")
	f.Float64Var(&o.Effect, "effect", 0, "change of the probability to stay that is to be found (default: what the catalogue believes)")
	f.Lookup("effect").DefValue = ""
	return cmd
}

func printExperiment(w io.Writer, e *pipelines.Experiment) {
	if e.Customers == 0 {
		fmt.Fprintf(w, "%s is possible for nobody of these customers as of %s\n", e.Action, day(e.Cutoff))
		return
	}
	points := func(v float64) string { return fmt.Sprintf("%.2f points", 100*v) }
	fmt.Fprintf(w, "%s is possible for %s as of %s, of whom %s are expected to leave without it.\n", e.Action, spoken.Counted(e.Customers, "customer"), day(e.Cutoff), share(e.BaseRate))
	if e.Detectable.Defined() {
		fmt.Fprintf(w, "With %s who get it and %s who do not, the smallest effect that can be found is %s.\n", spoken.Count(e.Treated), spoken.Count(e.Control), points(float64(e.Detectable)))
	} else {
		fmt.Fprintln(w, "They are too few for two groups.")
	}
	source := "believed"
	if e.EffectSource != "prior" {
		source = "asked for"
	}
	if e.Needed.Defined() {
		fmt.Fprintf(w, "To find the %s that are %s it takes %s", points(e.Effect), source, spoken.Counted(int64(e.Needed), "customer"))
	}
	switch {
	case !e.Needed.Defined():
	case e.Days.Defined():
		fmt.Fprintf(w, ": %.0f days, %.0f to enrol them and %d until their labels are known.\n", float64(e.Days), float64(e.EnrolDays), e.MatureDays)
	case e.NewPerDay.Defined():
		fmt.Fprintf(w, ", which %.1f newly eligible a day do not bring.\n", float64(e.NewPerDay))
	default:
		fmt.Fprintf(w, "; how many become eligible a day is not known before the second run, and then %d days until their labels are.\n", e.MatureDays)
	}
	if e.CapacityPerDay != nil {
		fmt.Fprintf(w, "%s a day can get it.\n", spoken.Counted(*e.CapacityPerDay, "customer"))
	}
	if e.Unscored > 0 {
		fmt.Fprintf(w, "%s without a score are left out.\n", spoken.Counted(e.Unscored, "customer"))
	}
	fmt.Fprintln(w, e.Formula)
}
