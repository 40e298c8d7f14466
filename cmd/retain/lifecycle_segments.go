package main

import (
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
	var at string
	var names []string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "segments",
		Short: "Groups of customers who are alike, and what sets each apart",
		Long: `Show the segments that were found last, or find them anew with --find: k-means over what customers use, buy and pay, with as many groups
as stand apart best (by their silhouette). Labels stay while most of a group's customers do; each group is told by the features that
set it apart. What is found is kept with the customer ids, 24 months long.`,
		Example: "  retain lifecycle segments --find\n  retain lifecycle segments --find --features usage_sessions_count_84d,subscription_mrr_sum",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, flag := range []string{"cutoff", "features", "seed"} {
				if cmd.Flags().Changed(flag) && !find {
					return usagef("--%s: only with --find", flag)
				}
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
	return cmd
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
