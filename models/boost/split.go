package boost

import (
	"cmp"
	"math"
	"slices"

	"retain/features"
)

// binSet is a set of bins.
type binSet [groupedBins / 64]uint64

func (s *binSet) put(bin int)      { s[bin>>6] |= 1 << (bin & 63) }
func (s *binSet) drop(bin int)     { s[bin>>6] &^= 1 << (bin & 63) }
func (s *binSet) has(bin int) bool { return s[bin>>6]>>(bin&63)&1 == 1 }

// split is the best way found to part a leaf; a gain of 0 means none.
type split struct {
	gain   float64
	column int
	bin    int    // numeric: the last value bin that goes left
	toLeft binSet // the bins that go left, the missing one included
	sum    sums   // of the left side
}

// search is what is needed to judge the splits of one leaf. Inside, gradients and hessians are counted in steps of the scale, and
// so are the penalties; score is in steps of gradient² a step of hessian.
type search struct {
	bounds
	sum        sums
	grad, hess float64 // of the leaf
	l1, l2     float64
	least      int64 // hessian that each side needs
	leastRows  int64 // rows that each side needs, where they are counted
	smoothing  float64
	minGain    float64
	worth      float64 // gain of a unit of score
	mean       float64 // the leaf's gradient a hessian
}

func newSearch(t *Trainer, s *scale, sum sums, within bounds) search {
	q := search{
		bounds:    bounds{within.lo * s.hessStep / s.gradStep, within.hi * s.hessStep / s.gradStep},
		sum:       sum,
		grad:      float64(gradSteps(sum)),
		hess:      float64(hessSteps(sum)),
		l1:        t.L1 / s.gradStep,
		l2:        t.L2 / s.hessStep,
		least:     int64(math.Ceil(t.MinHessian / s.hessStep)),
		leastRows: int64(t.MinRows),
		smoothing: t.Smoothing / s.hessStep,
		worth:     s.gradStep * s.gradStep / s.hessStep / 2,
	}
	q.minGain = t.MinGain / q.worth
	q.mean = q.grad / (q.hess + q.l2)
	return q
}

// shrink moves g towards 0 by l1, at most to 0.
func shrink(g, l1 float64) float64 {
	return math.Copysign(max(math.Abs(g)-l1, 0), g)
}

// side is what a leaf with these sums takes off twice the loss: S(G)²/(H + l2) at its best value, less where that lies out of bounds.
func (q *search) side(g, h, l2 float64) float64 {
	s := shrink(g, q.l1)
	if q.free() {
		return s * s / (h + l2)
	}
	w := q.clamp(-s / (h + l2))
	return -(2*g*w + (h+l2)*w*w) - 2*q.l1*math.Abs(w)
}

// best returns the best split of column j, whose sums by bin are h; rows, which may be nil, are the rows by bin. Of equal gains the
// first one found stays. Where rows is nil, the split may leave a side with too few of them; the cuts between values are those of within.
func (q *search) best(j int, c *binning, h, rows *[groupedBins]sums, within cutSpans, way int8) split {
	var found split
	if c.kind == features.Categorical {
		found = q.levels(c, h, rows)
	} else {
		found = q.threshold(c, h, rows, within, way)
	}
	found.column = j
	return found
}

// cut is a place in an order of bins.
type cut struct {
	score float64 // of both sides
	at    int     // bins on the left, counted in the order; 0: none is good enough
	sum   sums    // of the left side
}

// threshold tries every cut between value bins with missing values on the right and, where there are any, on the left; and
// missing values alone against all others.
func (q *search) threshold(c *binning, h, rows *[groupedBins]sums, within cutSpans, way int8) split {
	parent := q.side(q.grad, q.hess, q.l2)
	found := cut{score: parent + q.minGain}
	missing := h[missingBin] != 0 || rows != nil && rows[missingBin] != 0
	try := func(missingLeft bool, last int) {
		some := within[bit(missingLeft)]
		last = min(last, int(some.last)+1)
		switch first := int(some.first); {
		case first >= last:
		case rows == nil && way == 0 && q.free():
			q.scan(h, missingLeft, first, last, &found)
		default:
			q.scanCarefully(h, rows, missingLeft, first, last, c.bins, way, &found)
		}
	}
	missingLeft := false
	if !missing {
		try(false, c.bins-1)
	} else {
		try(false, c.bins) // up to all values on the left, missing on the right
		right := found
		try(true, c.bins-1)
		missingLeft = found != right
	}
	if found.at == 0 {
		return split{}
	}
	if !missing {
		missingLeft = q.heavierLeft(found.sum)
	}
	s := split{gain: (found.score - parent) * q.worth, bin: found.at, sum: found.sum}
	if missingLeft {
		s.toLeft.put(missingBin)
	}
	for k := 1; k <= found.at; k++ {
		s.toLeft.put(k)
	}
	return s
}

// scan tries the cuts after each of the bins first..last-1, without a division for those that are no better than the best so far.
func (q *search) scan(h *[groupedBins]sums, missingLeft bool, first, last int, best *cut) {
	var left sums
	if missingLeft {
		left = h[missingBin]
	}
	for _, v := range h[1:first] {
		left += v
	}
	total, least, l1, l2, grad := hessSteps(q.sum), q.least, q.l1, q.l2, q.grad
	score := best.score
	for k, v := range h[first:last] {
		if v == 0 {
			continue
		}
		left += v
		hl := hessSteps(left)
		if hl < least {
			continue
		}
		hr := total - hl
		if hr < least {
			break
		}
		gl := float64(gradSteps(left))
		gr := grad - gl
		if l1 > 0 {
			gl, gr = shrink(gl, l1), shrink(gr, l1)
		}
		a, b := float64(hl)+l2, float64(hr)+l2
		// gl²/a + gr²/b > score; the conversions forbid fused operations, which round otherwise on some processors
		num, den := float64(gl*gl*b)+float64(gr*gr*a), a*b
		if num > float64(score*den) {
			if s := num / den; s > score {
				score = s
				*best = cut{score: s, at: first + k, sum: left}
			}
		}
	}
}

// heavierLeft says whether the left side holds at least half of the hessian. What the leaf has not seen goes that way.
func (q *search) heavierLeft(left sums) bool { return 2*hessSteps(left) >= hessSteps(q.sum) }

// levels sorts the levels seen in the leaf, missing among them, by their mean gradient smoothed towards the leaf's, and tries
// every cut of that order. Levels not seen go with the heavier side.
func (q *search) levels(c *binning, h, rows *[groupedBins]sums) split {
	type level struct {
		bin int
		key float64
	}
	var room [groupedBins]level
	seen := room[:0]
	for k := range c.bins {
		if v := h[k]; v != 0 || rows != nil && rows[k] != 0 {
			g, w := float64(gradSteps(v)), float64(hessSteps(v))
			seen = append(seen, level{k, (g + float64(q.smoothing*q.mean)) / (w + q.smoothing)})
		}
	}
	slices.SortFunc(seen, func(a, b level) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.bin, b.bin)) })

	l2 := q.l2 + q.smoothing
	parent := q.side(q.grad, q.hess, l2)
	found := cut{score: parent + q.minGain}
	var left, leftRows sums
	allRows := rowsOf(rows)
	for i := 0; i+1 < len(seen); i++ {
		left += h[seen[i].bin]
		if rows != nil {
			leftRows += rows[seen[i].bin]
			if leftRows < q.leastRows || allRows-leftRows < q.leastRows {
				continue
			}
		}
		hl, hr := hessSteps(left), hessSteps(q.sum-left)
		if hl < q.least || hr < q.least {
			continue
		}
		gl := float64(gradSteps(left))
		if s := q.side(gl, float64(hl), l2) + q.side(q.grad-gl, float64(hr), l2); s > found.score {
			found = cut{score: s, at: i + 1, sum: left}
		}
	}
	if found.at == 0 {
		return split{}
	}
	s := split{gain: (found.score - parent) * q.worth, sum: found.sum}
	if q.heavierLeft(found.sum) {
		for k := range c.bins {
			s.toLeft.put(k)
		}
		for _, l := range seen[found.at:] {
			s.toLeft.drop(l.bin)
		}
	} else {
		for _, l := range seen[:found.at] {
			s.toLeft.put(l.bin)
		}
	}
	return s
}

// rowsOf is the number of rows in a leaf's histogram of rows, 0 if they are not counted.
func rowsOf(rows *[groupedBins]sums) (n int64) {
	if rows == nil {
		return 0
	}
	for _, v := range rows {
		n += v
	}
	return n
}
