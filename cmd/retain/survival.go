package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/pipelines"
)

// maxTenureStep is the longest step between two points of a curve, in days.
const maxTenureStep = 3650

func (a *app) survivalCommand() *cobra.Command {
	var by, since, out string
	o := pipelines.TenureOptions{}
	cmd := &cobra.Command{
		Use:   "survival",
		Short: "How many customers are left by tenure, over all and by plan or segment",
		Long: `Estimate by Kaplan–Meier how many customers are left after so many days, by the churn definition of the configuration.

A customer who was there before the records begin counts from the tenure it had then, because those who left earlier are not on
record. There is no curve before ten customers are under observation and none beyond the tenure that was observed. The log-rank
test tells whether groups differ by more than chance.`,
		Example: `  retain survival
  retain survival --by plan --out survival.svg
  retain survival --since 2025-10-01   # leavers are on record from then on only`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			switch o.By = features.TenureGroup(by); o.By {
			case features.Ungrouped, features.ByPlan, features.BySegment:
			default:
				return usagef("--by: %q is neither plan nor segment", by)
			}
			if o.Step < 1 || o.Step > maxTenureStep {
				return usagef("--step: %d is not between 1 and %d days", o.Step, maxTenureStep)
			}
			if o.Since, err = instantIf("since", since); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "survival", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			o.Churn = s.config.Churn
			if o.By == features.ByPlan && o.Churn.Setting != features.Contractual {
				return usagef("--by plan: plans are those of subscriptions, and churn.setting is %s; --by segment groups by the customers' segment", o.Churn.Setting)
			}
			report, err := pipelines.Tenure(cmd.Context(), s.store, o)
			if err != nil {
				return explainHistory(err)
			}
			if report.Customers == 0 {
				return fmt.Errorf("nobody was under observation between %s and %s: import more history, or take an earlier --since", day(report.Since), day(report.Until))
			}
			printWarnings(a.stderr, report.Warnings)
			if out != "" {
				chart, err := tenureChart(report)
				if err != nil {
					return fmt.Errorf("draw %s: %w", out, err)
				}
				if err := atomicfile.Write(out, 0o644, chart); err != nil {
					return err
				}
			}
			return a.print(report, func(w io.Writer) { printTenure(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&by, "by", "", "a curve for each plan (of the first paid period) or segment")
	f.StringVar(&since, "since", "", "who left before this day is not on record (default: the first row of the label's sources)")
	f.IntVar(&o.Step, "step", 30, "days between two lines of the table")
	f.StringVar(&out, "out", "", "write the curves as a chart to this SVG file")
	return cmd
}

// tenureRows is how many lines a printed curve has at most; --json has more.
const tenureRows = 24

func printTenure(w io.Writer, r *pipelines.TenureReport) {
	fmt.Fprintf(w, "%s on record between %s and %s, %s of them left", spoken.Counted(r.Customers, "customer"), day(r.Since), day(r.Until), spoken.Count(r.Left))
	if r.LeftOut > 0 {
		fmt.Fprintf(w, " (%s had left before, or came on the last day)", spoken.Count(r.LeftOut))
	}
	fmt.Fprint(w, "\n\n")
	all := r.Curves[0]
	if all.From == nil {
		fmt.Fprintln(w, "There is no curve: fewer than ten customers are under observation at one tenure.")
		return
	}
	fmt.Fprintf(w, "still there after, of those with a tenure of %s\n", tenureDays(all.From))
	every := (len(all.Points) + tenureRows - 1) / tenureRows
	table(w, func(line func(string, ...any)) {
		line("tenure\tunder observation\tstill there\t95 %% interval\t")
		for i, p := range all.Points {
			if p.Survival == nil || i%every > 0 {
				continue
			}
			line("%.0f days\t%s\t%s\t%s – %s\t%s", p.Tenure, spoken.Count(p.AtRisk), percent(p.Survival), percent(p.Low), percent(p.High), bar(p.Survival))
		}
	})
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("\tcustomers\tleft\thalf have left after\t95 %% interval\tmean days (se)\tobserved from – to")
		for i, c := range r.Curves {
			name := printable(c.Group)
			if i == 0 {
				name = "everyone"
			}
			mean := "–"
			if c.Mean != nil {
				mean = fmt.Sprintf("%.0f (%s)", *c.Mean, figure(c.MeanError, 1))
			}
			between := "–"
			if c.Low != nil || c.High != nil {
				between = tenureDays(c.Low) + " – " + tenureDays(c.High)
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s – %s", name, spoken.Count(c.Customers), spoken.Count(c.Left), tenureDays(c.Median), between, mean, figure(c.From, 0), figure(c.Until, 0))
		}
	})
	if until := all.MeanUntil; until != nil {
		fmt.Fprintf(w, "mean days within the first %.0f, which every curve reaches\n", *until)
	}
	if t := r.LogRank; t != nil && t.P != nil {
		verdict := "the groups differ by more than chance"
		if *t.P >= .05 {
			verdict = "the groups do not differ by more than chance would have it"
		}
		fmt.Fprintf(w, "log-rank: χ² %.1f with %d degrees of freedom, p %s: %s\n", *t.Statistic, t.Freedom, comparedP(*t.P), verdict)
	}
}

// tenureDays writes days, a dash where there are none.
func tenureDays(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f days", *v)
}

// comparedP writes a p-value after the letter p.
func comparedP(p float64) string {
	if p < .0001 {
		return "< .0001"
	}
	return fmt.Sprintf("= %.4f", p)
}
