package boost

import "math"

// Monotone constraints: at a split on a column with a direction, the value of the side of larger numbers may not lie against it;
// below, each side keeps to its side of the mean of both values (Chen & Guestrin's XGBoost does the same). Missing values have no place in
// the order of numbers: where they alone are split off, or on whichever side they join, nothing more is asked.

// bounds is the interval that a leaf's value, before the learning rate, must lie in.
type bounds struct{ lo, hi float64 }

func unbounded() bounds { return bounds{math.Inf(-1), math.Inf(1)} }

func (b bounds) free() bool              { return math.IsInf(b.lo, -1) && math.IsInf(b.hi, 1) }
func (b bounds) clamp(w float64) float64 { return min(max(w, b.lo), b.hi) }

// part returns the bounds of both sides of a split whose values are left and right, on a column with the direction way.
func (b bounds) part(left, right float64, way int8) (l, r bounds) {
	l, r = b, b
	mid := left + (right-left)/2
	switch {
	case way > 0:
		l.hi, r.lo = min(b.hi, mid), max(b.lo, mid)
	case way < 0:
		l.lo, r.hi = max(b.lo, mid), min(b.hi, mid)
	}
	return l, r
}

// weigh is the best value of a leaf with these sums within the bounds, in steps of the scale.
func (q *search) weigh(g, h float64) float64 { return q.clamp(-shrink(g, q.l1) / (h + q.l2)) }

// scanCarefully is scan where rows are counted (rows is not nil), the leaf has bounds, or the column has a direction (way is not 0).
func (q *search) scanCarefully(h, rows *[groupedBins]sums, missingLeft bool, first, last, bins int, way int8, best *cut) {
	var left, leftRows sums
	allRows := rowsOf(rows)
	if missingLeft {
		left = h[missingBin]
		if rows != nil {
			leftRows = rows[missingBin]
		}
	}
	for k := 1; k < last; k++ {
		left += h[k]
		if rows != nil {
			leftRows += rows[k]
			if leftRows < q.leastRows {
				continue
			}
			if allRows-leftRows < q.leastRows {
				return
			}
		}
		if k < first || h[k] == 0 && (rows == nil || rows[k] == 0) {
			continue
		}
		hl, hr := hessSteps(left), hessSteps(q.sum-left)
		if hl < q.least || hr < q.least {
			continue
		}
		gl := float64(gradSteps(left))
		gr := q.grad - gl
		if way != 0 && k < bins-1 {
			if rise := q.weigh(gr, float64(hr)) - q.weigh(gl, float64(hl)); rise*float64(way) < 0 {
				continue
			}
		}
		if s := q.side(gl, float64(hl), q.l2) + q.side(gr, float64(hr), q.l2); s > best.score {
			*best = cut{score: s, at: k, sum: left}
		}
	}
}
