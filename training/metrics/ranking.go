package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Ranking is rows ordered by falling score, equal scores grouped. It serves the metrics that only look at the order, and
// serves them again under other weights (bootstrap) without sorting anew. It is immutable.
type Ranking struct {
	order []int32 // rows, highest score first
	ends  []int32 // ends[g] = index in order after the last row of the g-th group of equal scores
}

// Rank orders n scores; a NaN sorts last.
func Rank(score []float64) Ranking {
	order := make([]int32, len(score))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		if c := cmp.Compare(score[b], score[a]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
	var ends []int32
	for i := range order {
		if i+1 == len(order) || score[order[i]] != score[order[i+1]] {
			ends = append(ends, int32(i+1))
		}
	}
	return Ranking{order: order, ends: ends}
}

// groups calls f for each group of equal scores, highest first, with the weight of its positives and negatives.
func (r Ranking) groups(y, w []float64, f func(pos, neg float64)) {
	lo := int32(0)
	for _, hi := range r.ends {
		var pos, neg float64
		for _, i := range r.order[lo:hi] {
			if y[i] > .5 {
				pos += weightOf(w, int(i))
			} else {
				neg += weightOf(w, int(i))
			}
		}
		f(pos, neg)
		lo = hi
	}
}

// AUC is the probability that a random positive has a higher score than a random negative, ties counting ½
// (Mann & Whitney 1947), with row weights w (nil = 1 each); NaN if only one class has weight.
func (r Ranking) AUC(y, w []float64) float64 {
	var above, pos, won float64 // above: weight of positives so far
	var neg float64
	r.groups(y, w, func(p, n float64) {
		won += n * (above + p/2)
		above += p
		pos += p
		neg += n
	})
	if pos == 0 || neg == 0 {
		return math.NaN()
	}
	return won / (pos * neg)
}

// AveragePrecision is the area under the precision-recall curve by steps, Σ (R_g - R_{g-1}) P_g over the groups of equal
// scores (scikit-learn's average_precision_score), with row weights w (nil = 1 each); NaN if only one class has weight.
func (r Ranking) AveragePrecision(y, w []float64) float64 {
	var area, pos, neg float64
	r.groups(y, w, func(p, n float64) {
		pos += p
		neg += n
		if p > 0 {
			area += p * pos / (pos + neg)
		}
	})
	if pos == 0 || neg == 0 {
		return math.NaN()
	}
	return area / pos
}

// TruePositives is the expected number of positives among the k rows of highest score: those with a score above the k-th largest s*,
// and the rest of the k at the positive rate of the rows that have s*. k is in [0, n].
func (r Ranking) TruePositives(y []float64, k int) float64 {
	var found float64
	taken := 0
	r.groups(y, nil, func(p, n float64) {
		if taken >= k {
			return
		}
		size := int(p + n)
		if taken+size <= k {
			found += p
		} else {
			found += float64(k-taken) * p / float64(size)
		}
		taken += size
	})
	return found
}

// TopDecileLift is [Ranking.LiftAt] the k = ⌈n/10⌉ rows of highest score; NaN if there is one class only.
func (r Ranking) TopDecileLift(y []float64) float64 {
	return r.LiftAt(y, (len(y)+9)/10)
}

// AUC is [Ranking.AUC] of one use.
func AUC(score, y, w []float64) float64 { return Rank(score).AUC(y, w) }

// AveragePrecision is [Ranking.AveragePrecision] of one use.
func AveragePrecision(score, y, w []float64) float64 { return Rank(score).AveragePrecision(y, w) }

// TopDecileLift is [Ranking.TopDecileLift] of one use.
func TopDecileLift(score, y []float64) float64 { return Rank(score).TopDecileLift(y) }
