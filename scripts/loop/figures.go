package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"retain/simulation"
)

// interval is a mean over seeds with its 95 % interval, Student's.
type interval struct{ mean, low, high float64 }

// over is the interval of one value per seed. Of fewer than two it is the mean alone.
func over(values []float64) interval {
	mean, sd := stat.MeanStdDev(values, nil)
	n := float64(len(values))
	if n < 2 {
		return interval{mean, math.NaN(), math.NaN()}
	}
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(.975) * sd / math.Sqrt(n)
	return interval{mean, mean - half, mean + half}
}

func (v interval) String() string {
	return fmt.Sprintf("%+.0f (%+.0f to %+.0f)", v.mean, v.low, v.high)
}

// table is the figures by world, policy, seed and run.
type table struct {
	seeds, runs int
	cells       map[simulation.Effects]map[string][][]figure // [seed][run]
}

func newTable(figures []figure) (*table, error) {
	t := &table{cells: map[simulation.Effects]map[string][][]figure{}}
	place := map[uint64]int{}
	for _, f := range figures {
		if _, ok := place[f.Seed]; !ok {
			place[f.Seed] = len(place)
		}
		t.runs = max(t.runs, f.Run)
	}
	t.seeds = len(place)
	for _, f := range figures {
		if t.cells[f.Effects] == nil {
			t.cells[f.Effects] = map[string][][]figure{}
		}
		of := t.cells[f.Effects]
		if of[f.Policy] == nil {
			of[f.Policy] = make([][]figure, t.seeds)
		}
		rows := of[f.Policy]
		n := place[f.Seed]
		if len(rows[n]) != f.Run-1 {
			return nil, fmt.Errorf("figures: run %d of seed %d, %s, %s is out of order", f.Run, f.Seed, f.Effects, f.Policy)
		}
		rows[n] = append(rows[n], f)
	}
	return t, nil
}

// totals are the sums of a figure over the runs 1 … until, one per seed.
func (t *table) totals(world simulation.Effects, p policy, until int, of func(*figure) float64) []float64 {
	out := make([]float64, t.seeds)
	for s, runs := range t.cells[world][p.String()] {
		for k := range runs[:until] {
			out[s] += of(&runs[k])
		}
	}
	return out
}

// ahead is by how much one policy is ahead of another, in pairs.
func (t *table) ahead(world simulation.Effects, p, of policy, until int, figureOf func(*figure) float64) interval {
	a, b := t.totals(world, p, until, figureOf), t.totals(world, of, until, figureOf)
	for i := range a {
		a[i] -= b[i]
	}
	return over(a)
}

func trueValue(f *figure) float64 { return f.Value }
func regret(f *figure) float64    { return f.Regret }
func earned(f *figure) float64    { return quarterMonths*grossMargin*f.Revenue - f.Cost }

// quarterMonths are the months from one run to the next.
const quarterMonths = everyDays / 30.4375

// print tells the figures in words.
func (t *table) print(to io.Writer) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	say := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	say("%d seeds, %d runs; means of the sums over all runs, 95 %% intervals in pairs", t.seeds, t.runs)
	for _, world := range []simulation.Effects{simulation.MixedEffects, simulation.NoEffects} {
		if t.cells[world] == nil {
			continue
		}
		say("\neffects %s\ttrue value\tcosts\tcustomers saved\tcontacts\tregret\tearned beyond doing nothing", world)
		for p := nothing; p <= oracle; p++ {
			mean := func(of func(*figure) float64) float64 { return stat.Mean(t.totals(world, p, t.runs, of), nil) }
			say("%s\t%.0f\t%.0f\t%.1f\t%.0f\t%.0f\t%s", p, mean(trueValue), mean(func(f *figure) float64 { return f.Cost }), mean(func(f *figure) float64 { return f.Saved }),
				mean(func(f *figure) float64 { return float64(f.Treated) }), mean(regret), t.ahead(world, p, nothing, t.runs, earned))
		}
		ahead := t.ahead(world, learned, prior, t.runs, trueValue)
		say("learned - fixed prior\t%s", ahead)
		half := t.runs / 2
		late := func(p policy) []float64 {
			all, first := t.totals(world, p, t.runs, trueValue), t.totals(world, p, half, trueValue)
			for i := range all {
				all[i] -= first[i]
			}
			return all
		}
		second, fixed := late(learned), late(prior)
		for i := range second {
			second[i] -= fixed[i]
		}
		say("the same, from run %d on\t%s", half+1, over(second))
		if world == simulation.NoEffects {
			spent := stat.Mean(t.totals(world, prior, t.runs, func(f *figure) float64 { return f.Cost }), nil)
			say("of what the fixed prior spends\t%+.1f %% (%+.1f %% to %+.1f %%)", 100*ahead.mean/spent, 100*ahead.low/spent, 100*ahead.high/spent)
		}
	}
	return w.Flush()
}
