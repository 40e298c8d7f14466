package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) mrrCommand() *cobra.Command {
	var from, to, asKnown string
	cmd := &cobra.Command{
		Use:   "mrr",
		Short: "Monthly recurring revenue: new, expansion, contraction, churn, and what was retained",
		Long: `Tell how monthly recurring revenue moved in each complete month, from the source subscriptions:

  start + new + reactivation + expansion - contraction - churn = end

MRR at an instant is the sum over the paid periods that hold the moment before it. Through a gap of at most churn.grace_days
what was paid just before goes on, so that a late renewal is no churn. Gross retention is (start - contraction - churn) / start,
net retention adds expansion; new and returning customers count in neither.`,
		Example: `  retain mrr
  retain mrr --from 2026-01-01 --to 2026-07-01
  retain mrr --as-known 2026-04-01   # what was known then, corrections since left out`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var o pipelines.MRROptions
			for _, flag := range []struct {
				name, text string
				into       *time.Time
			}{{"from", from, &o.From}, {"to", to, &o.To}, {"as-known", asKnown, &o.AsKnown}} {
				if *flag.into, err = instantIf(flag.name, flag.text); err != nil {
					return err
				}
			}
			s, err := a.open(cmd.Context(), "mrr", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			o.Churn = s.config.Churn
			report, err := pipelines.MRR(cmd.Context(), s.store, o)
			if err != nil {
				return explainHistory(err)
			}
			printWarnings(a.stderr, report.Warnings)
			return a.print(mrrDocument{s.config.Currency, report}, func(w io.Writer) { printMRR(w, report, s.config.currency()) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "only months that begin on or after this day")
	f.StringVar(&to, "to", "", "only months that begin before this day")
	f.StringVar(&asKnown, "as-known", "", "what was known before this instant (default: all that is held)")
	return cmd
}

// mrrDocument is the JSON of `retain mrr`.
type mrrDocument struct {
	Currency *string `json:"currency"`
	*pipelines.MRRReport
}

// explainHistory tells what to bring where the history is too short or absent.
func explainHistory(err error) error {
	var empty *features.EmptySourceError
	switch {
	case errors.As(err, &empty):
		return fmt.Errorf("there are no %s; fill them with: retain import %s FILE", empty.Source, empty.Source)
	case errors.Is(err, pipelines.ErrNoMonth):
		return fmt.Errorf("%w: import more history", err)
	}
	return err
}

func printMRR(w io.Writer, r *pipelines.MRRReport, currency string) {
	if currency != "" {
		currency = " in " + currency
	}
	fmt.Fprintf(w, "Monthly recurring revenue%s; subscriptions are complete until %s", currency, day(r.CompleteUntil))
	if r.GraceDays > 0 {
		fmt.Fprintf(w, ", gaps of up to %d days are no churn", r.GraceDays)
	}
	if r.AsKnown != nil {
		fmt.Fprintf(w, "; as known at %s", day(*r.AsKnown))
	}
	fmt.Fprint(w, "\n\n")
	var provisional, first bool
	table(w, func(line func(string, ...any)) {
		line("month\tstart\tnew\treturning\texpansion\tcontraction\tchurn\tend\tgross kept\tnet kept\tcustomers\tgone\t")
		for _, m := range r.Months {
			note := ""
			if m.First {
				note, first = "²", true
			}
			if m.Provisional {
				note, provisional = note+"¹", true
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", m.Month.Format("2006-01"), whole(m.Start), signed(m.New), signed(m.Reactivation), signed(m.Expansion),
				signed(-m.Contraction), signed(-m.Churn), whole(m.End), percent(m.Gross), percent(m.Net), spoken.Count(m.Customers.End), spoken.Count(m.Customers.Churn), note)
		}
	})
	if provisional {
		fmt.Fprintln(w, "¹ not settled: who seems to have gone may still renew within the grace")
	}
	if first {
		fmt.Fprintln(w, "² the records begin in this month: its new customers may have been there before")
	}
}

// signed writes a movement; nothing where there is none.
func signed(v float64) string {
	switch {
	case v > 0:
		return "+" + whole(v)
	case v < 0:
		return "-" + whole(-v)
	}
	return "·"
}
