package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/pipelines"
)

// maxCohortMonths bounds the columns that a table can have.
const maxCohortMonths = 120

func (a *app) retentionCommand() *cobra.Command {
	var months int
	var revenue bool
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "How many of those who began in a month are still there, month by month",
		Long: `Show the cohort triangle: a row for the customers who began in a month, a column for each month of age.
With subscriptions (setting contractual) those count who hold a paid period at the end of a month, otherwise those who were
active in it; with leaving events those who have not left. --revenue shows what they pay in place of how many they are.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if months < 1 || months > maxCohortMonths {
				return usagef("--months: %d is not between 1 and %d", months, maxCohortMonths)
			}
			s, err := a.open(cmd.Context(), "retention", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			report, err := pipelines.Cohorts(cmd.Context(), s.store, s.config.Churn)
			if err != nil {
				return explainHistory(err)
			}
			if revenue && report.Cohorts[0].Revenue == nil {
				return fmt.Errorf("there is no revenue to show: it comes from subscriptions, or from purchases where these are churn.activity")
			}
			return a.print(report, func(w io.Writer) { printCohorts(w, report, months, revenue) })
		},
	}
	cmd.Flags().IntVar(&months, "months", 12, "how many months of age to print; --json has all")
	cmd.Flags().BoolVar(&revenue, "revenue", false, "print the share of the revenue at the begin in place of that of the customers")
	return cmd
}

func printCohorts(w io.Writer, r *pipelines.CohortReport, months int, revenue bool) {
	what := "customers"
	if revenue {
		what = "revenue"
	}
	fmt.Fprintf(w, "Share of the %s of the begin, by months of age; a customer counts who %s; complete until %s\n\n", what, r.Measure, day(r.CompleteUntil))
	var provisional bool
	cells := func(list []pipelines.CohortCell, marked bool) string {
		var b strings.Builder
		for _, cell := range list[:min(months, len(list))] {
			share := cell.Share
			if revenue {
				share = cell.RevenueShare
			}
			b.WriteByte('\t')
			if share == nil {
				b.WriteString("–")
			} else {
				fmt.Fprintf(&b, "%.0f %%", 100**share)
			}
			if cell.Provisional && marked {
				provisional = true
				b.WriteString("¹")
			}
		}
		return b.String()
	}
	table(w, func(line func(string, ...any)) {
		header := "began\tcustomers"
		if revenue {
			header += "\ta month"
		}
		widest := 0
		for _, row := range r.Cohorts {
			widest = max(widest, len(row.Cells))
		}
		for age := range min(months, widest) {
			header += fmt.Sprintf("\t%d", age)
		}
		line("%s", header)
		for _, row := range r.Cohorts {
			text := row.Month.Format("2006-01")
			if row.First {
				text += "²"
			}
			text += "\t" + spoken.Count(row.Customers)
			if revenue {
				text += "\t" + whole(*row.Revenue)
			}
			line("%s%s", text, cells(row.Cells, true))
		}
		if len(r.Average) > 0 {
			text := "all\t" + spoken.Count(r.Average[0].Of)
			if revenue {
				text += "\t"
			}
			line("%s%s", text, cells(r.Average, false))
		}
	})
	if provisional {
		fmt.Fprintln(w, "¹ not settled: who seems to have gone may still renew within the grace")
	}
	fmt.Fprintln(w, "² the records begin in this month: it may hold customers who were there before, and is not in the last row")
}
