package metrics

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// madeFolds is a trial in three folds of unequal size with propensities, scores, and what models without each pair of folds say.
func madeFolds(n int) (Trial, FoldOrder, []FoldPair) {
	trial, score := madeTrial(n, 4, .3)
	rng := rand.New(rand.NewPCG(4, 6))
	order := FoldOrder{Fold: make([]int, n), Score: score}
	for i := range n {
		order.Fold[i] = min(rng.IntN(5), 2)
		trial.Propensity = append(trial.Propensity, .3+.4*rng.Float64())
	}
	var pairs []FoldPair
	for _, folds := range [][2]int{{0, 1}, {1, 2}, {0, 2}} {
		p := FoldPair{Folds: folds}
		for i, f := range order.Fold {
			if f == folds[0] || f == folds[1] {
				p.Rows, p.Score = append(p.Rows, i), append(p.Score, score[i]+rng.NormFloat64())
			}
		}
		pairs = append(pairs, p)
	}
	return trial, order, pairs
}

// The bound must be Σ n_j n_k/n² (D_jk² + D_kj²) over the pairs, written out with trials of one fold each.
func TestBetweenFoldsWrittenOut(t *testing.T) {
	trial, order, pairs := madeFolds(900)
	shares := []float64{.2, 1}
	own := trial.rows()
	of := func(fold int, score func(i int) float64) (figures []float64, n float64) {
		var rows []trialRow
		var s []float64
		for i, f := range order.Fold {
			if f == fold {
				rows, s = append(rows, own[i]), append(s, score(i))
			}
		}
		qini, uplifts := rankRows(rows, s).measure(once(len(rows)), shares, make([]float64, 2))
		return append([]float64{qini}, uplifts...), float64(len(rows))
	}
	want := make([]float64, 3)
	for _, p := range pairs {
		without := func(i int) float64 { return p.Score[slices.Index(p.Rows, i)] }
		var square [3]float64
		weight := 1. / 900 / 900
		for _, fold := range p.Folds {
			seen, n := of(fold, func(i int) float64 { return order.Score[i] })
			unseen, _ := of(fold, without)
			weight *= n
			for f := range square {
				square[f] += (seen[f] - unseen[f]) * (seen[f] - unseen[f])
			}
		}
		for f, v := range square {
			want[f] += weight * v // cov(S_j, S_k) twice, each at most the mean of the squares
		}
	}
	for f, got := range trial.between(order, pairs, shares) {
		near(t, "bound", got, want[f], 1e-12+1e-9*want[f])
	}
	if want[0] == 0 || want[1] == 0 || math.Abs(want[2]) > 1e-20 {
		t.Errorf("nothing was measured: %v", want)
	}
	// A pair that is not there counts as those that are.
	third := trial.between(order, pairs[:1], nil)[0]
	n0, n1 := len(pairs[2].Rows)-count(order.Fold, 2), count(order.Fold, 1)
	all := (900.*900 - float64(n0*n0+n1*n1+count(order.Fold, 2)*count(order.Fold, 2))) / 2
	first := trial.between(order, pairs, nil)[0] // all three, of which the first is taken out again
	rest := trial.between(order, pairs[1:], nil)[0] * (all - float64(n0*n1)) / all
	near(t, "scaled up", third*float64(n0*n1)/all, first-rest, 1e-9)
}

func count(folds []int, of int) (n int) {
	for _, f := range folds {
		if f == of {
			n++
		}
	}
	return n
}

// An order that does not change without a second fold keeps the interval of the bootstrap, and one of which nothing is left gets √2 times as wide; the figures
// themselves never move.
func TestCrossFittedAtItsLimits(t *testing.T) {
	trial, order, pairs := madeFolds(2000)
	shares := []float64{.2, 1}
	b := NewBootstrap(3, trial.Customer)
	fixed := b.Qini([]*TrialRanking{trial.Rank(WithinFolds(order.Score, order.Fold))}, shares)
	settled, nothing := slices.Clone(pairs), slices.Clone(pairs)
	for k, p := range pairs {
		settled[k].Score, nothing[k].Score = make([]float64, len(p.Rows)), nil
		for j, i := range p.Rows {
			settled[k].Score[j] = order.Score[i]
		}
	}
	same := b.CrossFitted(trial, []FoldOrder{order}, settled, shares)
	if same.Qini != fixed.Qini || math.Abs(float64(same.Interval[0]-fixed.Interval[0])) > 1e-9 || math.Abs(float64(same.Interval[1]-fixed.Interval[1])) > 1e-9 {
		t.Errorf("settled: %v in %v, want %v in %v", same.Qini, same.Interval, fixed.Qini, fixed.Interval)
	}
	wide := b.CrossFitted(trial, []FoldOrder{order}, nothing, shares)
	near(t, "below", float64(wide.Qini-wide.Interval[0]), math.Sqrt2*float64(fixed.Qini-fixed.Interval[0]), 1e-9)
	near(t, "above", float64(wide.Interval[1]-wide.Qini), math.Sqrt2*float64(fixed.Interval[1]-fixed.Qini), 1e-9)
	near(t, "uplift of all", float64(wide.Curve[1].Interval[0]), float64(fixed.Curve[1].Interval[0]), 1e-9) // no order changes it
	if !(wide.Curve[0].Interval[0] < fixed.Curve[0].Interval[0]) || wide.Curve[0].Uplift != fixed.Curve[0].Uplift {
		t.Errorf("uplift of a fifth: %v, want wider than %v", wide.Curve[0], fixed.Curve[0])
	}
	// Several fold seeds are measured together, on one thread as on many.
	other := FoldOrder{Fold: order.Fold, Score: slices.Clone(order.Score)}
	slices.Reverse(other.Score)
	two := b.CrossFitted(trial, []FoldOrder{order, other}, pairs, shares)
	near(t, "mean of two", float64(two.Qini), (float64(fixed.Qini)+trial.Rank(WithinFolds(other.Score, other.Fold)).Qini())/2, 1e-9)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again := b.CrossFitted(trial, []FoldOrder{order, other}, pairs, shares); again.Interval != two.Interval || !slices.Equal(again.Curve, two.Curve) {
		t.Error("depends on the number of threads")
	}
}
