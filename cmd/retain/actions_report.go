package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/pipelines"
	"retain/training/metrics"
)

func (a *app) actionsReportCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "What the actions did, against the control group that got none of them",
		Long: `Compare the customers to whom an action was assigned with those held out, by intention to treat: each customer counts from the first day of the quarter
on which anything could have been done for him, whoever was reached, accepted or left afterwards. The control is weighted to be like those to whom the
policy gives the action. The intervals hold at every look together, so the report may be read every night.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			in, err := cutoffWindow(from, to)
			if err != nil {
				return err
			}
			return a.readSession(cmd.Context(), "actions report", func(s *session, _ pipelines.Scores) error {
				champion, err := s.champion(cmd.Context())
				if err != nil {
					return err
				}
				spec := champion.artifact.Churn
				spec.DataUntil = s.config.Churn.DataUntil
				if from == "" {
					if in, err = lastYear(cmd, s, in); err != nil {
						return err
					}
				}
				report, err := pipelines.ReportActions(cmd.Context(), pipelines.ActionReportOptions{Store: s.store, Spec: spec, In: in})
				if errors.Is(err, pipelines.ErrNoDecisions) {
					return errors.New("no decisions in this time: `retain score` makes them")
				}
				if err != nil {
					return err
				}
				return a.print(report, func(w io.Writer) { printActionReport(w, report) })
			})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "only decisions of cutoffs from the quarter of this day on (default: a year before the newest)")
	cmd.Flags().StringVar(&to, "to", "", "only decisions of cutoffs before")
	return cmd
}

// lastYear bounds the window to the year before its newest decision.
func lastYear(cmd *cobra.Command, s *session, in warehouse.Window) (warehouse.Window, error) {
	runs, err := s.db.DecisionRuns(cmd.Context())
	if err != nil {
		return in, err
	}
	for _, run := range runs {
		if in.Holds(run.Cutoff) { // oldest first
			in.From = run.Cutoff.AddDate(-1, 0, 0)
		}
	}
	return in, nil
}

func printActionReport(w io.Writer, r *pipelines.ActionReport) {
	fmt.Fprintf(w, "%s from %s to %s: %s for whom anything could be done, each counted once a quarter, %s of them held out.\n", spoken.Counted(r.Runs, "run"), day(r.From), day(r.To),
		spoken.Counted(r.Customers, "customer"), spoken.Count(r.HeldOut))
	fmt.Fprintf(w, "What became of them within %d days is known %d days after the decision", r.HorizonDays, r.MatureDays)
	if r.Watermark != nil {
		fmt.Fprintf(w, "; the data are complete until %s", day(*r.Watermark))
	}
	fmt.Fprintln(w, ".")
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	fmt.Fprintln(w)
	all := append([]pipelines.ActionEffect{r.Programme}, r.Actions...)
	signed := func(v metrics.Figure) string {
		if !v.Defined() {
			return "–"
		}
		return fmt.Sprintf("%+.1f", 100*float64(v))
	}
	table(w, func(line func(string, ...any)) {
		line("action\tassigned\tmatured\tcontrol\tstayed\tcontrol stayed\teffect in points\t95 %% at every look\tbelieved\tcost\tvalue saved\t")
		for _, e := range all {
			interval, saved := "–", "–"
			if e.Low.Defined() {
				interval = signed(e.Low) + " to " + signed(e.High)
				if e.ValueSaved.Defined() {
					saved = money(e.ValueSaved) + " (" + money(e.ValueLow) + " to " + money(e.ValueHigh) + ")"
				}
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", e.Action, spoken.Count(e.Assigned), spoken.Count(e.Matured), spoken.Count(e.Control), share(e.Stay), share(e.ControlStay),
				signed(e.Effect), interval, signed(e.Believed), money(e.Cost), saved, e.Verdict)
		}
	})
	if p := r.Programme; p.Pending > 0 {
		fmt.Fprintf(w, "\n%s of those assigned have not matured: their labels are known from data until %s on, all of them until %s.\n", spoken.Count(p.Pending), day(*p.MaturesFrom), day(*p.MaturesUntil))
	}
}

// money is an amount that may be undefined.
func money(v metrics.Figure) string {
	if !v.Defined() {
		return "–"
	}
	x := float64(v)
	return amount(&x)
}

// share is a share that may be undefined.
func share(v metrics.Figure) string {
	if !v.Defined() {
		return "–"
	}
	x := float64(v)
	return percent(&x)
}
