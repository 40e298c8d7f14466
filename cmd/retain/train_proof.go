package main

import (
	"fmt"
	"io"
	"slices"

	"retain/internal/spoken"
	"retain/training"
	"retain/training/metrics"
)

// printProof writes how far a family's probabilities can be trusted: bin by bin, by segment, and what its ranking would have earned.
func printProof(w io.Writer, family string, curves []training.Curves, segments metrics.SegmentTable) {
	if k := slices.IndexFunc(curves, func(c training.Curves) bool { return c.Family == family }); k >= 0 {
		printReliability(w, curves[k])
	}
	printSegments(w, segments)
}

func printReliability(w io.Writer, c training.Curves) {
	fmt.Fprintf(w, "\nreliability of %s on the test rows, in tenths by probability\n", c.Family)
	table(w, func(line func(string, ...any)) {
		line("probability\trows\tmean\tchurned\t95 %%")
		for _, b := range c.Reliability {
			line("%s–%s\t%s\t%s\t%s\t%s", metric(b.Lowest, 3), metric(b.Highest, 3), spoken.Count(b.Rows), metric(b.Mean, 3), metric(b.Observed, 3), between(b.ObservedInterval, 3))
		}
	})
	k := slices.IndexFunc(c.Gains, func(g metrics.GainPoint) bool { return g.Share == .2 })
	if k >= 0 && c.Gains[k].Recall == c.Gains[k].Recall {
		g := c.Gains[k]
		fmt.Fprintf(w, "the fifth at most risk holds %.0f %% of those who left (95 %%: %.0f to %.0f %%)\n", 100*float64(g.Recall), 100*float64(g.RecallInterval[0]), 100*float64(g.RecallInterval[1]))
	}
	if p := c.Profit; p != nil && p.EMPC == p.EMPC {
		fmt.Fprintf(w, "expected maximum profit %s a customer (95 %%: %s), at a customer's value of %.0f, an offer of %.0f and a contact of %.0f; most is earned from the first %.1f %%\n",
			metric(p.EMPC, 2), between(p.EMPCInterval, 2), p.CustomerValue, p.Offer, p.Contact, 100*float64(p.Best.Share))
	}
}

func printSegments(w io.Writer, t metrics.SegmentTable) {
	if len(t.Segments) == 0 {
		if t.Small > 0 {
			fmt.Fprintf(w, "no segment is large enough to be measured (100 rows, 30 of the rarer class)\n")
		}
		return
	}
	fmt.Fprintf(w, "\n%s by segment of the test rows\n", t.Family)
	table(w, func(line func(string, ...any)) {
		line("segment\trows\tchurned\tAUC\tlog loss\tobserved/expected\t95 %%\tslope\t")
		for _, s := range t.Segments {
			c := s.Calibration
			verdict := "calibrated"
			if !c.Pass {
				verdict = "not calibrated"
			}
			line("%s=%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Column, s.Level, spoken.Count(s.Rows), spoken.Count(s.Positives), metric(s.AUC, 3), metric(s.LogLoss, 4),
				metric(c.ObservedExpected, 3), between(c.OEInterval, 3), metric(c.Slope, 2), verdict)
		}
	})
	if t.Small+t.More > 0 {
		fmt.Fprintf(w, "not measured: %d segments with too few rows or churners, %d beyond the largest %d\n", t.Small, t.More, len(t.Segments))
	}
}
