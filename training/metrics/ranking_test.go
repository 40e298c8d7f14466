package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// No metric of a ranking changes with a monotone map of the score or with the order of the rows, and each lies in its range.
func TestRankingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "n")
		score, y := make([]float64, n), make([]float64, n)
		for i := range score {
			score[i] = float64(rapid.IntRange(-3, 6).Draw(t, "score"))
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
		}
		k := rapid.IntRange(1, n).Draw(t, "k")
		all := func(score, y []float64) map[string]float64 {
			r := Rank(score)
			return map[string]float64{
				"AUC": r.AUC(y, nil), "average precision": r.AveragePrecision(y, nil), "recall": r.RecallAt(y, k), "precision": r.PrecisionAt(y, k),
				"lift": r.LiftAt(y, k), "top-decile lift": r.TopDecileLift(y), "profit": r.ProfitAt(y, k, DefaultProfitTerms()),
			}
		}
		got := all(score, y)
		up, shuffledScore, shuffledY := make([]float64, n), make([]float64, n), make([]float64, n)
		for i, from := range rand.New(rand.NewPCG(1, uint64(n))).Perm(n) {
			up[i] = math.Atan(score[i])
			shuffledScore[i], shuffledY[i] = score[from], y[from]
		}
		for name, other := range map[string]map[string]float64{"a monotone map": all(up, y), "another order": all(shuffledScore, shuffledY)} {
			for metric, v := range other {
				if math.Abs(v-got[metric]) > 1e-12 || math.IsNaN(v) != math.IsNaN(got[metric]) {
					t.Fatalf("%s is %v, under %s %v", metric, got[metric], name, v)
				}
			}
		}
		for _, metric := range []string{"AUC", "average precision", "recall", "precision"} {
			if v := got[metric]; v < 0 || v > 1 {
				t.Fatalf("%s is %v", metric, v)
			}
		}
		if one := Positives(y) == 0 || Positives(y) == n; one != math.IsNaN(got["AUC"]) || one != math.IsNaN(got["lift"]) {
			t.Fatalf("%v of %v", got, y)
		}
		if whole := Rank(score).RecallAt(y, n); Positives(y) > 0 && whole != 1 {
			t.Fatalf("all rows hold %v of the positives", whole)
		}
	})
}
