package boost

import "math"

// Defaults chooses by the size of the training set: rows, rows with Y = 1, columns. What counts is m, the number of rows of the
// rarer class, at least 1, and p, the number of columns. With clamp(v, lo, hi) = min(max(v, lo), hi):
//
//	Leaves       clamp(m/1500, 8, 63), rounded
//	Depth        ⌈log₂ Leaves⌉ + 1
//	LearningRate clamp(0.03·∛(m/5000), 0.03·clamp(m/600, 1/3, 1), 0.1): the trees of few churners are noisy votes, and smaller steps
//	             average more of them (fits by other seeds differed half as much)
//	Trees        way / LearningRate, rounded, where way = clamp(8·(m/1500)^k, 1.5, 20), k = ½ below m = 1500, ¼ above
//	MinRows      20
//	L2           min(2, 20·q·(1-q)), at least 0.1, where q = m/rows: never more than the hessian of a smallest leaf at the base rate,
//	             so that it at most halves what such a leaf says, however rare churn is
//	RowShare     clamp(200/m, 0.8, 1): up to 200 churners every tree sees all of them
//	NodeShare    s^e, ColumnShare s^(1-e), where s = the greater of clamp(6/p, 0.3, 1) and clamp(0.3·√(m/20000), 0.3, 0.8), and
//	             e = clamp(1 - log₄(m/2000), 0, 1): few churners want columns drawn anew for each leaf, many for each tree
//
// So a few hundred churners get some 250 small, slow, sub-sampled trees, a few thousand 250 to 300 of them, and a quarter of a
// million get 200 trees of 63 leaves at a rate of 0.1. The number of trees needs no validation set: the log loss was flat within
// a factor of 1.5 around it. It may be chosen on the data by the log loss of Model.StagedMargins out of fold.
//
// The constants were fitted by 5-fold AUC and log loss on flat sets of 7,000 and 10,000 rows (IBM Telco, bank churn), out of
// time on CDNOW (60,000 rows), product log-ins (4,000) and B2B subscriptions (5,000 rows, 50 to 250 churners), and on a
// million synthetic rows.
func Defaults(rows, positives, columns int) Trainer {
	m := float64(max(1, min(positives, rows-positives)))
	leaves := math.Round(clamp(m/1500, 8, 63))
	rate := clamp(0.03*math.Cbrt(m/5000), 0.03*clamp(m/600, 1./3, 1), 0.1)
	power := 0.5
	if m > 1500 {
		power = 0.25
	}
	way := clamp(8*math.Pow(m/1500, power), 1.5, 20)
	share := max(clamp(6/float64(max(1, columns)), 0.3, 1), clamp(0.3*math.Sqrt(m/20000), 0.3, 0.8))
	each := clamp(1-math.Log2(m/2000)/2, 0, 1)
	q := m / math.Max(float64(rows), 2*m)
	return Trainer{
		Trees:        int(math.Round(way / rate)),
		LearningRate: rate,
		Leaves:       int(leaves),
		Depth:        int(math.Ceil(math.Log2(leaves))) + 1,
		MinRows:      leastLeaf,
		L2:           clamp(leastLeaf*q*(1-q), 0.1, 2),
		RowShare:     clamp(200/m, 0.8, 1),
		NodeShare:    math.Pow(share, each),
		ColumnShare:  math.Pow(share, 1-each),
	}
}

// leastLeaf is MinRows of Defaults.
const leastLeaf = 20

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }
