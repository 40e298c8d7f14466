package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"retain/features/lifecycle/segment"
	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) lifecycleSegmentsCommand() *cobra.Command {
	var find bool
	var at, rules string
	var names []string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "segments",
		Short: "Groups of customers who are alike, and what sets each apart",
		Long: `Show the segments that were found last, or find them anew with --find: k-means over what customers use, buy and pay, with as many groups
as stand apart best (by their silhouette). Labels stay while most of a group's customers do; each group is told by the features that
set it apart. What is found is kept with the customer ids, 24 months long.

With --rules, segments that you declare in a file are counted on the run in force, with their risk:

  attributes: [industry]       # of customers, read as f.profile_industry
  segments:                    # a customer is in the first whose rule holds
    - {name: large, title: Large accounts, rule: f.subscription_mrr_sum >= 500}
    - {name: banks, rule: 'f.profile_industry == "bank"'}`,
		Example: "  retain lifecycle segments --rules segments.yaml\n  retain lifecycle segments --find\n  retain lifecycle segments --find --features usage_sessions_count_84d,subscription_mrr_sum",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, flag := range []string{"cutoff", "features", "seed"} {
				if cmd.Flags().Changed(flag) && !find {
					return usagef("--%s: only with --find", flag)
				}
			}
			if rules != "" {
				if find {
					return usagef("--rules and --find: declared segments are not found; name one of them")
				}
				return a.declaredSegments(cmd.Context(), rules)
			}
			cutoff, err := instantIf("cutoff", at)
			if err != nil {
				return err
			}
			mode := reading
			if find {
				mode = writing
			}
			s, err := a.open(cmd.Context(), "lifecycle segments", mode)
			if err != nil {
				return err
			}
			defer s.close(&err)
			catalogue, err := s.config.catalogue()
			if err != nil {
				return err
			}
			for _, name := range names {
				if _, ok := catalogue.Entry(name); !ok {
					return usagef("--features: no feature %s; `retain features list` has them", name)
				}
			}
			finder := pipelines.Segments{Store: s.store, Churn: s.config.Churn, Catalogue: catalogue}
			var report *pipelines.SegmentReport
			if find {
				report, err = finder.Find(cmd.Context(), cutoff, names, seed)
			} else {
				report, err = finder.Latest(cmd.Context())
			}
			if errors.Is(err, segment.ErrTooFew) {
				return errors.New("there are fewer than 50 customers alive, or no feature tells them apart: nothing to group")
			}
			if err != nil {
				return explainKPIs(err)
			}
			return a.print(report, func(w io.Writer) { printFound(w, report) })
		},
	}
	f := cmd.Flags()
	f.BoolVar(&find, "find", false, "find the segments anew, and keep them")
	f.StringVar(&at, "cutoff", "", "of the customers alive at this instant (default: the cutoff of the run in force)")
	f.StringSliceVar(&names, "features", nil, "by these features (default: "+strings.Join(pipelines.SegmentFeatures[:3], ", ")+" and others)")
	f.Uint64Var(&seed, "seed", 1, "of the draws")
	f.StringVar(&rules, "rules", "", "count the segments that this file declares instead")
	return cmd
}

// declaredSegments counts the segments of a file on the run in force.
func (a *app) declaredSegments(ctx context.Context, path string) (err error) {
	s, err := a.open(ctx, "lifecycle segments", reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	known, err := s.config.catalogue()
	if err != nil {
		return err
	}
	text, err := readRules(path)
	if err != nil {
		return usagef("--rules: %v", err)
	}
	declared, err := segment.ParseDeclared(text, known)
	if err != nil {
		return unfit(path, err)
	}
	run, err := pipelines.Scores{DB: s.db}.InForce(ctx)
	if err != nil {
		return explainNoRun(err)
	}
	report, err := pipelines.Segments{Store: s.store, Churn: s.config.Churn}.Declared(ctx, run, declared)
	if err != nil {
		return err
	}
	return a.print(report, func(w io.Writer) {
		fmt.Fprintf(w, "%s scored at %s\n\n", spoken.Counted(report.Customers, "customer"), day(report.Cutoff))
		table(w, func(line func(string, ...any)) {
			line("segment\tcustomers\tshare\tchurn probability\texpected loss\t")
			for _, x := range report.Segments {
				share := float64(x.Customers) / float64(max(1, report.Customers))
				line("%s\t%s\t%s\t%s\t%s\t%s", x.Name, spoken.Count(x.Customers), percent(&share), percent(x.Risk), amount(x.ExpectedLoss), x.Title)
			}
		})
	})
}

func printFound(w io.Writer, r *pipelines.SegmentReport) {
	fmt.Fprintf(w, "%s of %s alive at %s\n\n", spoken.Counted(len(r.Groups), "segment"), spoken.Counted(r.Customers, "customer"), day(r.Cutoff))
	table(w, func(line func(string, ...any)) {
		line("segment\tcustomers\tshare\twhat sets it apart")
		for _, g := range r.Groups {
			share := float64(g.Customers) / float64(r.Customers)
			line("%s\t%s\t%s\t%s", g.Label, spoken.Count(g.Customers), percent(&share), g.Words)
		}
	})
	fmt.Fprintf(w, "\nsilhouette %.2f: %s\n", r.Silhouette, apartness(r.Silhouette))
	if r.Kept != nil {
		fmt.Fprintf(w, "%s of those who were there before keep their label\n", percent(r.Kept))
	}
}

// apartness is what a silhouette says (Kaufman & Rousseeuw 1990).
func apartness(silhouette float64) string {
	switch {
	case silhouette >= .5:
		return "the groups stand clearly apart"
	case silhouette >= .25:
		return "the groups overlap; take them as a rough division"
	}
	return "there are hardly any groups; this is one way among many to divide the customers"
}
