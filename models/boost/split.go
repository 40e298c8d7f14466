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
func (s *binSet) has(bin int) bool { return s[bin>>6]>>(bin&63)&1 == 1 }

// split is the best way found to part a leaf; a gain of 0 means none.
type split struct {
	gain   float64
	column int
	bin    int    // numeric: the last value bin that goes left
	toLeft binSet // the bins that go left, the missing one included
	sum    sums   // of the left side
}

// search is what is needed to judge the splits of one leaf.
type search struct {
	*Trainer
	*scale
	sum    sums    // of the leaf
	parent float64 // score of the leaf unsplit
}

func newSearch(t *Trainer, s *scale, sum sums) search {
	q := search{Trainer: t, scale: s, sum: sum}
	q.parent = q.score(sum, t.L2)
	return q
}

// score is twice the loss that the best value of a leaf with these sums saves: S(G)²/(H + l2).
func (q *search) score(a sums, l2 float64) float64 {
	g := shrink(q.grad(a), q.L1)
	return g * g / (q.hess(a) + l2)
}

// shrink moves g towards 0 by l1, at most to 0.
func shrink(g, l1 float64) float64 {
	return math.Copysign(max(math.Abs(g)-l1, 0), g)
}

// allowed says whether a side has the rows and the hessian that a leaf needs.
func (q *search) allowed(side sums) bool {
	return q.rows(side) >= q.MinRows && q.hess(side) >= q.MinHessian
}

// best returns the best split of column j, whose sums by bin are h. Of equal gains the first one found stays.
func (q *search) best(j int, c *binning, h *[groupedBins]sums) split {
	if c.kind == features.Categorical {
		return q.levels(j, c, h)
	}
	return q.threshold(j, c, h)
}

// threshold tries every cut between value bins with missing values on the right and, where there are any, on the left; and
// missing values alone against all others.
func (q *search) threshold(j int, c *binning, h *[groupedBins]sums) split {
	found := split{gain: q.MinGain}
	missing := h[missingBin]
	hasMissing := q.rows(missing) > 0
	try := func(left sums, last int) {
		for k := 1; k < last; k++ {
			if h[k].hess == 0 {
				continue
			}
			left.add(h[k])
			right := q.sum.minus(left)
			if q.rows(right) < q.MinRows {
				return
			}
			if !q.allowed(left) || !q.allowed(right) {
				continue
			}
			if gain := (q.score(left, q.L2) + q.score(right, q.L2) - q.parent) / 2; gain > found.gain {
				found = split{gain: gain, column: j, bin: k, sum: left}
			}
		}
	}
	if !hasMissing {
		try(sums{}, c.bins-1)
	} else {
		try(sums{}, c.bins) // up to all values on the left, missing on the right
		right := found
		try(missing, c.bins-1)
		if found.gain > right.gain {
			found.toLeft.put(missingBin)
		}
	}
	if found.bin == 0 {
		return split{}
	}
	for k := 1; k <= found.bin; k++ {
		found.toLeft.put(k)
	}
	if !hasMissing && q.largerLeft(found.sum) {
		found.toLeft.put(missingBin)
	}
	return found
}

// largerLeft says whether the left side holds at least half of the rows. What the leaf has not seen goes that way.
func (q *search) largerLeft(left sums) bool { return 2*q.rows(left) >= q.rows(q.sum) }

// levels sorts the levels seen in the leaf, missing among them, by their mean gradient smoothed towards the leaf's, and tries
// every cut of that order. Levels not seen go with the larger side.
func (q *search) levels(j int, c *binning, h *[groupedBins]sums) split {
	type level struct {
		bin int
		key float64
	}
	var room [groupedBins]level
	seen := room[:0]
	mean := q.grad(q.sum) / (q.hess(q.sum) + q.L2)
	for k := range c.bins {
		if h[k].hess != 0 {
			seen = append(seen, level{k, (q.grad(h[k]) + q.Smoothing*mean) / (q.hess(h[k]) + q.Smoothing)})
		}
	}
	slices.SortFunc(seen, func(a, b level) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.bin, b.bin)) })

	l2 := q.L2 + q.Smoothing
	found, upTo := split{gain: q.MinGain}, 0
	parent := q.score(q.sum, l2)
	var left sums
	for i := 0; i+1 < len(seen); i++ {
		left.add(h[seen[i].bin])
		right := q.sum.minus(left)
		if !q.allowed(left) || !q.allowed(right) {
			continue
		}
		if gain := (q.score(left, l2) + q.score(right, l2) - parent) / 2; gain > found.gain {
			found, upTo = split{gain: gain, column: j, sum: left}, i+1
		}
	}
	if upTo == 0 {
		return split{}
	}
	if q.largerLeft(found.sum) {
		for k := range c.bins {
			found.toLeft.put(k)
		}
		for _, l := range seen[upTo:] {
			found.toLeft[l.bin>>6] &^= 1 << (l.bin & 63)
		}
	} else {
		for _, l := range seen[:upTo] {
			found.toLeft.put(l.bin)
		}
	}
	return found
}
