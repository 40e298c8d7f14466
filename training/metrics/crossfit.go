package metrics

import "math"

// FoldOrder is an order of a trial by models each of which was fitted without one fold of the customers. Both slices have n values.
type FoldOrder struct {
	Fold  []int     // of each row, 0, 1, …
	Score []float64 // of each row, by the model fitted without its fold
}

// FoldPair is what a model fitted without two folds says of them.
type FoldPair struct {
	Folds [2]int
	Rows  []int     // all rows of the two folds
	Score []float64 // of those rows; nil: from what is left nothing can be learned, and all are alike
}

// CrossFitted measures the orders of the same trial by a learner's cross-fitted models, one order per fold seed: figures are means over them. pairs belong
// to the first. shares ascend in (0, 1]. An interval holds what such orders are worth among other customers, in 95 % of cases whether they are worth
// anything or not.
//
// A bootstrap that takes the orders as they are is too narrow where the action does nothing. With S_j what fold j measures of the order by a model that has
// seen fold k, and S_k the reverse: a chance effect that both share makes both look good, so that they are correlated, though each is right on average. Let
// D_jk be the part of S_j that is lost when the model has not seen fold k, either. What is left of S_j then has, given all but fold j, mean 0 if there is no
// effect, and the same holds of S_k, so that
//
//	cov(S_j, S_k) = E D_jk D_kj ≤ E (D_jk² + D_kj²)/2
//
// exactly, whatever the learner. The intervals of the bootstrap are stretched so that their variance grows by the sum of these bounds over the pairs, at
// most twofold: where scores are sums over the rows learned from, each pair of rows counts twice, once either way, and in a world without effects the
// variance is just twice that of the orders as they are. Where the order is settled, the second fold changes little, and the intervals stay. Folds of which
// no pair was fitted count as those of which there is one. On intervals of cross-validated figures see Bates, Hastie & Tibshirani (2024), Cross-validation:
// what does it estimate and how well does it do it?, JASA 119.
func (b *Bootstrap) CrossFitted(t Trial, orders []FoldOrder, pairs []FoldPair, shares []float64) QiniFigures {
	ranked := make([]*TrialRanking, len(orders))
	for k, o := range orders {
		ranked[k] = t.Rank(WithinFolds(o.Score, o.Fold))
	}
	out, draws := b.measured(ranked, shares)
	between := t.between(orders[0], pairs, shares)
	out.Interval = widened(out.Interval, out.Qini, draws[0], between[0])
	for k := range out.Curve {
		p := &out.Curve[k]
		p.Interval = widened(p.Interval, p.Uplift, draws[1+k], between[1+k])
	}
	return out
}

// between is the bound of the variance that the covariances of folds add to the Qini and to the uplift at each share. 0 where no pair tells.
func (t Trial) between(order FoldOrder, pairs []FoldPair, shares []float64) []float64 {
	all := t.rows()
	members := map[int][]int{}
	for i, f := range order.Fold {
		members[f] = append(members[f], i)
	}
	n, squares := float64(len(order.Fold)), 0.
	for _, rows := range members {
		squares += float64(len(rows)) * float64(len(rows)) // whole numbers: the order of the map changes nothing
	}
	figures := func(rows []int, score []float64) []float64 {
		own, s := make([]trialRow, len(rows)), make([]float64, len(rows))
		for k, i := range rows {
			own[k], s[k] = all[i], score[i]
		}
		qini, uplifts := rankRows(own, s).measure(once(len(own)), shares, make([]float64, len(shares)))
		return append([]float64{qini}, uplifts...)
	}
	whole := map[int][]float64{} // the figures of a fold by the model that has seen all others
	out, told := make([]float64, 1+len(shares)), make([]float64, 1+len(shares))
	unseen := make([]float64, len(order.Fold)) // scores of the rows of a pair
	for _, p := range pairs {
		for k, i := range p.Rows {
			if unseen[i] = 0; p.Score != nil {
				unseen[i] = p.Score[k]
			}
		}
		weight := float64(len(members[p.Folds[0]])) * float64(len(members[p.Folds[1]])) / (n * n)
		var lost [2][]float64
		for k, fold := range p.Folds {
			rows := members[fold]
			if whole[fold] == nil {
				whole[fold] = figures(rows, order.Score)
			}
			lost[k] = figures(rows, unseen)
			for f, v := range whole[fold] {
				lost[k][f] -= v
			}
		}
		for f := range out {
			if square := lost[0][f]*lost[0][f] + lost[1][f]*lost[1][f]; !math.IsNaN(square) {
				out[f] += weight * square
				told[f] += 2 * weight // either order of the two folds
			}
		}
	}
	for f := range out {
		if told[f] > 0 {
			out[f] *= (1 - squares/(n*n)) / told[f]
		}
	}
	return out
}

// widened is the interval with its distances from the figure stretched so that the variance of the draws grows by more, at most twofold.
func widened(i Interval, figure Figure, draws []Figure, more float64) Interval {
	mean, square, n := 0., 0., float64(len(draws))
	for _, v := range draws {
		mean += float64(v) / n
	}
	for _, v := range draws {
		square += (float64(v) - mean) * (float64(v) - mean) / n
	}
	if !(square > 0) {
		return i
	}
	by := Figure(math.Sqrt(1 + min(more/square, 1)))
	return Interval{figure - by*(figure-i[0]), figure + by*(i[1]-figure)}
}
