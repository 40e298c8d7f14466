package models

import (
	"sort"
)

// fitIsotonic is isotonic regression of y on the margins by pooling adjacent violators (Ayer et al. 1955; Barlow et al. 1972).
// The knots are the first and last margin of each pool, as in scikit-learn, so that the curve is flat within a pool and linear
// between two. Equal margins are one observation.
func fitIsotonic(margin, y []float64) Calibration {
	n := len(margin)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return margin[order[a]] < margin[order[b]] })
	type pool struct{ first, last, sum, weight float64 }
	var pools []pool
	positives := 0
	for lo := 0; lo < n; {
		m := margin[order[lo]]
		p := pool{first: m, last: m}
		for ; lo < n && margin[order[lo]] == m; lo++ {
			p.sum += y[order[lo]]
			p.weight++
			positives += int(y[order[lo]])
		}
		for len(pools) > 0 {
			last := pools[len(pools)-1]
			// Counts are whole numbers, so this comparison of shares is exact.
			if last.sum*p.weight < p.sum*last.weight {
				break
			}
			p = pool{last.first, p.last, last.sum + p.sum, last.weight + p.weight}
			pools = pools[:len(pools)-1]
		}
		pools = append(pools, p)
	}
	c := Calibration{Kind: CalibrationIsotonic, Rows: n, Positives: positives}
	for _, p := range pools {
		c.Knots, c.Values = append(c.Knots, p.first), append(c.Values, p.sum/p.weight)
		if p.last > p.first {
			c.Knots, c.Values = append(c.Knots, p.last), append(c.Values, p.sum/p.weight)
		}
	}
	return c
}

// interpolate reads the piecewise-linear curve through (x, y) at v, constant beyond its ends. x rises strictly.
func interpolate(x, y []float64, v float64) float64 {
	k := sort.SearchFloat64s(x, v) // first x ≥ v
	switch {
	case k == 0:
		return y[0]
	case k == len(x):
		return y[len(y)-1]
	case x[k] == v:
		return y[k]
	}
	share := (v - x[k-1]) / (x[k] - x[k-1])
	return y[k-1] + share*(y[k]-y[k-1])
}
