package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/features/lifecycle/lead"
	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) lifecycleLeadsCommand() *cobra.Command {
	var limit int
	var at string
	var catalogue bool
	cmd := &cobra.Command{
		Use:   "leads",
		Short: "Score those who have not bought yet, with the measured conversion of each grade",
		Long: `Score everyone who exists and has never been a customer by what they did: points of touchpoints, fading with time, less for decline.
The points are those of lifecycle.lead_points in retain.yaml, else the shipped ones (--points shows them).

Beside each grade stands how many of the leads that had it at the start of the last four quarters before the cutoff became customers
within three months, with 95 % intervals: a grade that converts no better than the next shows a wrong weighting.`,
		Example: "  retain lifecycle leads --limit 50\n  retain lifecycle leads --points > points.yaml",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if catalogue {
				_, err := a.stdout.Write(lead.Shipped())
				return err
			}
			if limit < 0 {
				return usagef("--limit: %d is below 0", limit)
			}
			cutoff, err := instantIf("cutoff", at)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "lifecycle leads", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			points, err := s.config.leadPoints()
			if err != nil {
				return err
			}
			report, err := pipelines.Leads{Store: s.store, Churn: s.config.Churn, Points: points}.Compute(cmd.Context(), cutoff, limit)
			if err != nil {
				return explainKPIs(err)
			}
			printWarnings(a.stderr, report.Warnings)
			return a.print(report, func(w io.Writer) { printLeads(w, report) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&limit, "limit", 20, "list so many of the best leads")
	f.StringVar(&at, "cutoff", "", "leads of this instant (default: the cutoff of the run in force)")
	f.BoolVar(&catalogue, "points", false, "print the shipped points instead, to change them")
	return cmd
}

// leadPoints reads the configured points of leads, or the shipped ones. Errors: every problem at once.
func (c *Config) leadPoints() (*lead.Points, error) {
	if c.Lifecycle.LeadPoints == nil {
		return lead.Default(), nil
	}
	path := *c.Lifecycle.LeadPoints
	text, err := readRules(path)
	if err != nil {
		return nil, usagef("lifecycle.lead_points: %v", err)
	}
	points, err := lead.Parse(text)
	if err != nil {
		return nil, unfit(path, err)
	}
	return points, nil
}

func printLeads(w io.Writer, r *pipelines.LeadReport) {
	fmt.Fprintf(w, "%s who never bought, as of %s\n\n", spoken.Counted(r.Leads, "lead"), day(r.Cutoff))
	table(w, func(line func(string, ...any)) {
		line("grade\tscore\tleads\tbefore\tbecame customers\tconversion\t95 %%")
		for _, g := range r.Grades {
			line("%s\tfrom %d\t%s\t%s\t%s\t%s\t%s", g.Grade, g.From, spoken.Count(g.Leads), spoken.Count(g.Measured), spoken.Count(g.Converted), percent(g.Rate), shareInterval(g.Low, g.High))
		}
	})
	fmt.Fprintf(w, "\nbefore: leads at the starts of the last %d windows of %d months, and what became of them in the window.\n", pipelines.LeadWindows, r.Months)
	if len(r.Top) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("lead\tscore\tgrade")
		for _, l := range r.Top {
			line("%s\t%d\t%s", printable(l.CustomerID), l.Score, l.Grade)
		}
	})
}

// shareInterval is an interval of shares.
func shareInterval(low, high *float64) string {
	if low == nil || high == nil {
		return "–"
	}
	return percent(low) + " – " + percent(high)
}
