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
func printProof(w io.Writer, family string, rows []metrics.ModelFigures, curves []training.Curves, segments metrics.SegmentTable) {
	k := slices.IndexFunc(rows, func(m metrics.ModelFigures) bool { return m.Name == family })
	c := slices.IndexFunc(curves, func(c training.Curves) bool { return c.Family == family })
	if k >= 0 && c >= 0 {
		printReliability(w, rows[k].Pooled.Calibration, curves[c])
	}
	printSegments(w, segments)
}

func printReliability(w io.Writer, r metrics.Reliability, c training.Curves) {
	fmt.Fprintf(w, "\nreliability of %s on the test rows, in tenths by probability\n", c.Family)
	table(w, func(line func(string, ...any)) {
		line("probability\trows\tmean\tchurned\t95 %%")
		for _, b := range c.Reliability {
			line("%s–%s\t%s\t%s\t%s\t%s", metric(b.Lowest, 3), metric(b.Highest, 3), spoken.Count(b.Rows), metric(b.Mean, 3), metric(b.Observed, 3), between(b.ObservedInterval, 3))
		}
	})
	fmt.Fprintf(w, "observed/expected %s (95 %%: %s), slope %s (%s), ECE %s (chance explains %s): %s\n", metric(r.ObservedExpected, 3), between(r.OEInterval, 3),
		metric(r.Slope, 2), between(r.SlopeInterval, 2), metric(r.ECE, 4), metric(r.NoiseBand, 4), calibratedWord(r))
	k := slices.IndexFunc(c.Gains, func(g metrics.GainPoint) bool { return g.Share == .2 })
	if k >= 0 && c.Gains[k].Recall.Defined() {
		g := c.Gains[k]
		fmt.Fprintf(w, "the fifth at most risk holds %.1f %% of those who left (95 %%: %.1f to %.1f %%)\n", 100*float64(g.Recall), 100*float64(g.RecallInterval[0]), 100*float64(g.RecallInterval[1]))
	}
	if p := c.Profit; p != nil && p.EMPC.Defined() {
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
			line("%s=%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", s.Column, s.Level, spoken.Count(s.Rows), spoken.Count(s.Positives), metric(s.AUC, 3), metric(s.LogLoss, 4),
				metric(c.ObservedExpected, 3), between(c.OEInterval, 3), metric(c.Slope, 2), calibratedWord(c))
		}
	})
	if t.Small+t.More > 0 {
		fmt.Fprintf(w, "not measured: %d segments with too few rows or churners, %d beyond the largest %d\n", t.Small, t.More, len(t.Segments))
	}
}

func calibratedWord(r metrics.Reliability) string {
	if r.Pass {
		return "calibrated"
	}
	return "not calibrated"
}
