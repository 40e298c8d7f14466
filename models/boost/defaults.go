package boost

import "math"

// Defaults chooses by the size of the training set: rows, rows with Y = 1, columns. What counts is m, the number of rows of the
// rarer class, at least 1, and p, the number of columns. With clamp(v, lo, hi) = min(max(v, lo), hi):
//
//	Leaves       clamp(8·√(m/1500), 4, 63), rounded
//	Depth        ⌈log₂ Leaves⌉ + 1
//	LearningRate clamp(0.03·(m/5000)^⅓, 0.03, 0.1)
//	Trees        clamp(7 + 4·log₁₀(m/1500), 2, 20) / LearningRate, rounded: how far the trees may go in all
//	L2           5
//	MinRows      20
//	RowShare     0.6, rising to 0.8 with LearningRate
//	ColumnShare  clamp(6/p, 0.3, 1), at least 0.7 from m = 20,000
//
// So a few hundred churners get some 100 stumpy, slow, sub-sampled trees, and a million rows get 200 trees of 63 leaves at a
// rate of 0.1. The constants were fitted by 5-fold AUC and log loss on flat sets of 7,000 and 10,000 rows (IBM Telco, bank
// churn) and out of time on CDNOW, product log-ins and a simulated B2B set of 50 to 250 churners, where the best number of trees grows
// with the logarithm of m and is flat within a factor of 1.5.
func Defaults(rows, positives, columns int) Trainer {
	m := float64(max(1, min(positives, rows-positives)))
	p := float64(max(1, columns))
	leaves := math.Round(clamp(8*math.Sqrt(m/1500), 4, 63))
	rate := clamp(0.03*math.Cbrt(m/5000), 0.03, 0.1)
	way := clamp(7+4*math.Log10(m/1500), 2, 20)
	share := clamp(6/p, 0.3, 1)
	if m >= 20000 {
		share = max(share, 0.7)
	}
	return Trainer{
		Trees:        int(math.Round(way / rate)),
		LearningRate: rate,
		Leaves:       int(leaves),
		Depth:        int(math.Ceil(math.Log2(leaves))) + 1,
		MinRows:      20,
		L2:           5,
		RowShare:     0.6 + 0.2*(rate-0.03)/0.07,
		ColumnShare:  share,
	}
}

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }
