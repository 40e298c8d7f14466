package metrics

import "math"

// minProbability keeps a certain and wrong probability from costing infinity; scikit-learn clips at the spacing of float64 likewise.
const minProbability = 1e-15

// RowLoss is the log loss in nats of one row: -log p if y is 1, else -log(1-p).
func RowLoss(p, y float64) float64 {
	p = min(max(p, minProbability), 1-minProbability)
	if y > .5 {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

// RowLosses returns the log loss in nats of each row: p are probabilities in [0, 1], y labels 0 or 1.
func RowLosses(p, y []float64) []float64 {
	out := make([]float64, len(y))
	for i := range y {
		out[i] = RowLoss(p[i], y[i])
	}
	return out
}

// LogLoss is the mean of [RowLosses] weighted by w (nil = 1 each), NaN without rows.
func LogLoss(p, y, w []float64) float64 {
	var sum, weight float64
	for i := range y {
		wi := weightOf(w, i)
		sum += wi * RowLoss(p[i], y[i])
		weight += wi
	}
	return sum / weight
}

// Brier is the weighted mean of (p-y)², in [0, 1], NaN without rows. Brier (1950).
func Brier(p, y, w []float64) float64 {
	var sum, weight float64
	for i := range y {
		wi := weightOf(w, i)
		sum += wi * (p[i] - y[i]) * (p[i] - y[i])
		weight += wi
	}
	return sum / weight
}

func weightOf(w []float64, i int) float64 {
	if w == nil {
		return 1
	}
	return w[i]
}

// Positives counts the rows with label 1.
func Positives(y []float64) int {
	n := 0
	for _, v := range y {
		if v > .5 {
			n++
		}
	}
	return n
}

// Rarer counts the rows of the rarer class.
func Rarer(y []float64) int {
	pos := Positives(y)
	return min(pos, len(y)-pos)
}

// Sum adds x up in its order, so that the bits are the same everywhere.
func Sum(x []float64) float64 {
	s := 0.
	for _, v := range x {
		s += v
	}
	return s
}
