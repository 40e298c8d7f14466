package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
)

func (a *app) labelCommand() *cobra.Command {
	return group("label", "What counts as churn", &cobra.Command{
		Use:   "preview",
		Short: "Per cutoff: eligible, churned, stayed, missing; and the return curve behind the choice of horizon",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "label preview", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			preview, err := s.store.Preview(cmd.Context(), s.config.Churn, s.config.Snapshots)
			if err != nil {
				return err
			}
			return a.print(preview, func(w io.Writer) { printPreview(w, preview) })
		},
	})
}

func printPreview(w io.Writer, p *features.Preview) {
	fmt.Fprintf(w, "%s; churn within %d days after a gap of %d; data until %s\n\n", p.Setting, p.HorizonDays, p.GapDays, day(p.DataEnd))
	table(w, func(line func(string, ...any)) {
		line("cutoff\teligible\tchurned\tstayed\tmissing\tbase rate\t")
		for _, c := range p.Cutoffs {
			note := ""
			if !c.Known {
				note = "labels not known yet"
			}
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s", c.Cutoff.Format(time.DateOnly), spoken.Count(c.Eligible), spoken.Count(c.Churned), spoken.Count(c.Stayed), spoken.Count(c.Missing), percent(c.BaseRate), note)
		}
	})
	if len(p.ReturnCurve) > 0 {
		fmt.Fprintln(w)
		table(w, func(line func(string, ...any)) {
			line("silent for\tcome back within a year\tcustomers")
			for _, point := range p.ReturnCurve {
				line("%d days\t%s\t%s", point.SilentDays, percent(point.ReturnProbability), spoken.Count(point.Customers))
			}
		})
		if p.RecommendedHorizonDays != nil {
			fmt.Fprintf(w, "recommended horizon: %d days, the shortest silence after which fewer than 15 %% come back\n", *p.RecommendedHorizonDays)
		} else {
			fmt.Fprintln(w, "no horizon up to 365 days is recommended: 15 % or more come back after each of them")
		}
	}
}

// day writes an instant as its date.
func day(t time.Time) string { return t.Format(time.DateOnly) }
