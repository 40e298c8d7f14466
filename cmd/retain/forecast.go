package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/pipelines"
)

// maxForecastMonths bounds the months ahead that can be asked for.
const maxForecastMonths = 120

func (a *app) forecastCommand() *cobra.Command {
	var o pipelines.ForecastOptions
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "How many customers will leave month by month, and the revenue that goes with them",
		Long: `Forecast who of the customers of the run in force will leave, month by month from its cutoff, and what monthly revenue
goes with them. The level comes from their calibrated churn probabilities, the shape over time from a life table of earlier
cutoffs; customers who come later are not in it. The same is done for earlier cutoffs and compared with what came: the
interval holds chance and that error.

--refit also tests hazards that are refitted with the features at each earlier cutoff; that takes as long as a training.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Months < 1 || o.Months > maxForecastMonths {
				return usagef("--months: %d is not between 1 and %d", o.Months, maxForecastMonths)
			}
			s, err := a.open(cmd.Context(), "forecast", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			_, model, err := s.scores(cmd.Context())
			if err != nil {
				return err
			}
			o.DB, o.Sources, o.Artifact, o.Grid, o.Until = s.db, s.config.sources(), model.artifact, s.config.Snapshots, s.config.Churn.DataUntil
			o.Progress = a.say
			report, err := pipelines.Forecast(cmd.Context(), o)
			if beyond := (*pipelines.ForecastBeyondError)(nil); errors.As(err, &beyond) {
				return usagef("--months %d: %v", o.Months, beyond)
			}
			if err != nil {
				return err
			}
			printWarnings(a.stderr, report.Warnings)
			return a.print(report, func(w io.Writer) { printForecast(w, report, s.config.currency()) })
		},
	}
	cmd.Flags().IntVar(&o.Months, "months", 3, "how many months to look ahead")
	cmd.Flags().BoolVar(&o.Refit, "refit", false, "also test hazards refitted with the features at earlier cutoffs")
	return cmd
}

func printForecast(w io.Writer, r *pipelines.ForecastReport, currency string) {
	fmt.Fprintf(w, "%s scored at %s by %s v%d", spoken.Counted(r.Customers, "customer"), day(r.Cutoff), r.Model.Name, r.Model.Version)
	if r.MRR != nil {
		fmt.Fprintf(w, ", worth %s a month (%s)", strings.TrimSpace(whole(*r.MRR)+" "+currency), r.MonthlyWhat)
	}
	fmt.Fprint(w, "\n\n")
	announced := false
	for _, m := range r.Months {
		announced = announced || m.Announced > 0
	}
	table(w, func(line func(string, ...any)) {
		header := "month from\tthere at its begin\twill leave\t95 % interval\trevenue lost a month\t95 % interval"
		if announced {
			header += "\thave cancelled already"
		}
		line("%s", header)
		for _, m := range r.Months {
			text := fmt.Sprintf("%s\t%s\t%s\t%s – %s\t%s\t%s – %s", day(m.From), whole(m.There), whole(m.Churners), whole(m.Low), whole(m.High),
				amount(m.LostMRR), amount(m.LostLow), amount(m.LostHigh))
			if announced {
				text += "\t" + spoken.Count(m.Announced)
				if m.AnnouncedMRR != nil {
					text += " (" + amount(m.AnnouncedMRR) + ")"
				}
			}
			line("%s", text)
		}
	})
	if announced {
		fmt.Fprintln(w, "those who have cancelled already are not scored, and come on top")
	}
	if len(r.Backtest) > 0 {
		fmt.Fprintf(w, "\nhad it been done before: observed / expected\n")
		table(w, func(line func(string, ...any)) {
			header := "from\tby\tcustomers"
			widest := 0
			for _, b := range r.Backtest {
				widest = max(widest, len(b.Months))
			}
			widest = min(widest, 6)
			for k := range widest {
				header += fmt.Sprintf("\tmonth %d", k+1)
			}
			line("%s", header)
			for _, b := range r.Backtest {
				line("%s\t%s\t%s%s", day(b.Cutoff), map[string]string{"run": "its run", "life_table": "life table"}[b.Method], spoken.Count(b.Customers), ratios(b.Months, widest))
			}
			line("all\t\t%s", ratios(r.ByMonth, widest))
		})
		if r.CalibrationError != nil {
			fmt.Fprintf(w, "calibration error beyond chance: ±%.0f %% (one standard deviation), in the intervals above\n", 100**r.CalibrationError)
		}
	}
	if f := r.Refitted; f != nil && len(f.Cutoffs) > 0 {
		fmt.Fprintf(w, "\nhazards with features (%s), refitted at %d cutoffs, on %s: concordance %s, integrated Brier score %s (life table %s)\n", f.Family, len(f.Cutoffs),
			spoken.Counted(f.Rows, "customer"), figure(f.Concordance, 3), figure(f.Integrated, 4), figure(f.IntegratedReference, 4))
		table(w, func(line func(string, ...any)) {
			line("by day\tcustomers\tleft\texpected\tratio\tBrier score\tof a life table")
			for _, p := range f.Periods {
				line("%.0f\t%s\t%s\t%s\t%s\t%.4f\t%.4f", p.End, spoken.Count(p.Rows), spoken.Count(p.Observed), whole(p.Expected), figure(p.Ratio, 2), p.Brier, p.Reference)
			}
		})
	}
}

// ratios are the cells of observed / expected with both numbers.
func ratios(months []pipelines.ForecastRatio, widest int) string {
	var b strings.Builder
	for k, m := range months {
		if k == widest {
			break
		}
		fmt.Fprintf(&b, "\t%s (%d/%.0f)", figure(m.Ratio, 2), m.Observed, m.Expected)
	}
	return b.String()
}
