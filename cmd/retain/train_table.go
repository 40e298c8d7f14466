package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"retain/internal/spoken"
	"retain/training"
	"retain/training/metrics"
)

// printTournament shows how the model families compare: each test cutoff where there are several, then the one table of the pooled figures. intervals are
// the report's words on its intervals.
func printTournament(w io.Writer, families []metrics.ModelFigures, intervals string) {
	if slices.ContainsFunc(families, func(m metrics.ModelFigures) bool { return len(m.Folds) > 1 }) {
		table(w, func(line func(string, ...any)) {
			line("model\ttest cutoff\trows\tchurned\tAUC\tPR AUC\tlog loss\tBrier\tECE\tlift 10 %%")
			for _, m := range families {
				for _, f := range m.Folds {
					line("%s\t%s\t%s\t%s\t%s", m.Name, f.Cutoff.Format(time.DateOnly), spoken.Count(f.Rows), spoken.Count(f.Positives), metricCells(f.Figures))
				}
			}
		})
		fmt.Fprintln(w)
	}
	rows := make([]standing, len(families))
	for k, m := range families {
		rows[k] = standing{name: m.Name, pooled: m.Pooled, fit: m.FitSeconds, predict: m.PredictSeconds, verdict: m.Verdict}
	}
	printStandings(w, rows, intervals)
}

// standing is a family's line of the table at the end.
type standing struct {
	name         string
	pooled       metrics.PooledFigures
	fit, predict float64 // seconds
	verdict      string
}

// printStandings writes the one table: every metric over its 95 % interval, ECE over the band that chance explains, the seconds and the verdict, and below what the
// intervals are.
func printStandings(w io.Writer, rows []standing, intervals string) {
	if len(rows) == 0 {
		return
	}
	p := rows[0].pooled
	fmt.Fprintf(w, "all test rows together, %s of them, %s churned; below each figure its 95 %% interval over customers, below ECE what chance explains\n",
		spoken.Count(p.Rows), spoken.Count(p.Positives))
	table(w, func(line func(string, ...any)) {
		line("model\tAUC\tPR AUC\tlog loss\tBrier\tECE\tlift 10 %%\tfit s\tpredict s\tverdict")
		for _, r := range rows {
			p := r.pooled
			line("%s\t%s\t%.1f\t%.3f\t%s", r.name, metricCells(p.Figures), r.fit, r.predict, r.verdict)
			line("\t%s\t%s\t%s\t%s\t0–%s\t%s\t\t\t", between(p.AUCInterval, 3), between(p.PRAUCInterval, 3), between(p.LogLossInterval, 3), between(p.BrierInterval, 3),
				metric(p.Calibration.NoiseBand, 3), between(p.TopDecileLiftInterval, 2))
		}
	})
	fmt.Fprintln(w, intervals)
}

// between writes an interval, nothing where it is undefined.
func between(i metrics.Interval, decimals int) string {
	if !i[0].Defined() || !i[1].Defined() {
		return ""
	}
	return metric(i[0], decimals) + "–" + metric(i[1], decimals)
}

// printTuning tells how the choices of the families were found.
func printTuning(w io.Writer, tuning []training.Tuning) {
	for _, t := range tuning {
		fmt.Fprintln(w, t)
	}
}
