package training

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"retain/features"
	"retain/training/metrics"
)

// TestSeparationIsTheRankingsAUC fills the missing values with one end, with the other and alone, and ranks.
func TestSeparationIsTheRankingsAUC(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n = 600
	nan := float32(math.NaN())
	d := &features.Dataset{X: &features.Matrix{Schema: features.Schema{{Name: "even"}, {Name: "ties"}, {Name: "gaps"}, {Name: "only gaps tell"}, {Name: "one value"}, {Name: "empty"},
		{Name: "level", Kind: features.Categorical, Levels: []string{"a", "b", "c"}}}, X: make([][]float32, 7)}}
	fold, cutoffs := make([]int, n), make([][]int, 4) // the last cutoff has one class
	for i := range n {
		k := min(rng.IntN(5), 3)
		y := 0.
		if k < 3 && rng.Float64() < .3 {
			y = 1
		}
		fold[i], d.Y, d.Customer = rng.IntN(innerFolds), append(d.Y, y), append(d.Customer, strconv.Itoa(i))
		cutoffs[k] = append(cutoffs[k], i)
		v := rng.NormFloat64() + y
		row := []float32{float32(v), float32(math.Round(v)), float32(math.Round(2 * v)), float32(math.Round(rng.NormFloat64())), 3, nan, float32(rng.IntN(3))}
		for j, share := range []float64{0, 0, .2, .3 - .2*y, .1, 1, .1} {
			if rng.Float64() < share {
				row[j] = nan
			}
			d.X.X[j] = append(d.X.X[j], row[j])
		}
	}
	ranked := func(score []float64) float64 {
		var total, weight float64
		for _, rows := range cutoffs {
			var s, y []float64
			for _, i := range rows {
				s, y = append(s, score[i]), append(y, d.Y[i])
			}
			if auc := metrics.AUC(s, y, nil); !math.IsNaN(auc) {
				total += float64(metrics.Positives(y)) * auc
				weight += float64(metrics.Positives(y))
			}
		}
		return max(total/weight, 1-total/weight)
	}
	for j, c := range d.X.Schema {
		low, high, missing := columnScores(d, fold, j), columnScores(d, fold, j), make([]float64, n)
		for i := range missing {
			if math.IsNaN(low[i]) {
				low[i], high[i], missing[i] = math.Inf(-1), math.Inf(1), 1
			}
		}
		value, gap := separation(d, cutoffs, fold, j)
		if want := max(ranked(low), ranked(high)); math.Abs(value-want) > 1e-12 {
			t.Errorf("%s: %v, ranked %v", c.Name, value, want)
		}
		if want := ranked(missing); math.Abs(gap-want) > 1e-12 {
			t.Errorf("%s: missing %v, ranked %v", c.Name, gap, want)
		}
	}
}
