package boost

import "slices"

// reach says, by column, which cuts between value bins left enough rows on both sides where rows were last counted: in a leaf, in one that
// it comes from, or in the whole training set. A leaf has no more rows in any bin than those it comes from, so that the other cuts leave too
// few in it too and need not be tried. That of a column without value bins is empty.
type reach []cutSpans

// cutSpans is the cuts of a column with missing values on the right, and with them on the left.
type cutSpans [2]cutSpan

// cutSpan is the cuts after each of the bins first to last; none if first is greater.
type cutSpan struct{ first, last uint16 }

// newCutSpans finds the cuts of a column of so many bins that leave at least so many rows on both sides, from its rows by bin.
func newCutSpans(rows *[groupedBins]sums, bins, least int) (s cutSpans) {
	all := rowsOf(rows)
	for side := range s {
		s[side].first = groupedBins
		left := int64(side) * rows[missingBin]
		for k := 1; k < bins; k++ {
			left += rows[k]
			if left >= int64(least) && all-left >= int64(least) {
				s[side].first, s[side].last = min(s[side].first, uint16(k)), uint16(k)
			}
		}
	}
	return s
}

// narrow finds the cuts of some columns of a slot anew, from the rows by its codes.
func (r reach) narrow(b *booster, columns []int, count *[groupedBins]sums) {
	var room [groupedBins]sums
	for _, j := range columns {
		r[j] = newCutSpans(b.rows.place[j].marginal(count, &room), b.rows.columns[j].bins, b.MinRows)
	}
}

// countAll counts all training rows by bin: for the cuts that leave enough of them, and for what is enough, where nobody chose.
func (b *booster) countAll() {
	for i := range b.spare {
		b.spare[i] = uint32(i)
	}
	count := b.pool.take()
	b.crew.parallelIf(len(b.spare) >= rowsEach, b.rows.width, func(w int) { b.rows.fill(count, []int{w}, b.spare, countRows) })
	if b.MinRows == 0 {
		b.MinRows = leastRows(len(b.y), 2*b.spread(count) >= len(b.useful))
	}
	b.reach = make(reach, len(b.rows.columns))
	for _, j := range b.useful {
		b.reach.narrow(b, []int{j}, count.slot(b.rows.place[j].slot))
	}
	b.pool.release(count)
}

// spread is the number of columns of which no bin holds more than half of the rows.
func (b *booster) spread(count histogram) (n int) {
	var room [groupedBins]sums
	for _, j := range b.useful {
		d := &b.rows.place[j]
		if 2*slices.Max(d.marginal(count.slot(d.slot), &room)[:]) <= int64(len(b.y)) {
			n++
		}
	}
	return n
}

// leastRows is Trainer.MinRows where a training set has so many rows and nobody chose: 20, or rows/5000 where that is more and at least half
// of the columns are spread over their bins.
//
// The greatest gain among cuts of noise lies near an end of a column (Ishwaran, "The effect of splitting on random forests", Machine Learning
// 99, 2015), and growth by the greatest gain makes a leaf of what such a cut takes off. More rows bring more such ends into reach, while 20 rows
// tell no more than before. So a leaf must grow with the rows, as it must for averages over leaves to find the truth (Devroye, Györfi & Lugosi,
// A Probabilistic Theory of Pattern Recognition, 1996, theorem 6.1). Where most columns hold one value in most rows, it is the few other rows that
// tell, and few of them reach a leaf. The factor was found on synthetic tables (docs/boost.md).
func leastRows(rows int, spread bool) int {
	const each = 5000
	if !spread {
		return leastLeaf
	}
	return max(leastLeaf, (rows+each/2)/each)
}

// narrowed is r with the cuts of the tree's columns in some words found anew, from a leaf's rows by code in count and, to be added, in extra.
func (g *grower) narrowed(r reach, words []int, count histogram, extra []histogram) reach {
	r = slices.Clone(r)
	add := addTo(count, extra)
	g.crew.parallelIf(len(words) > 1, len(words), func(k int) {
		for s := words[k] * wordSlots; s < min((words[k]+1)*wordSlots, len(g.drawn)); s++ {
			if len(g.drawn[s]) > 0 {
				add(s)
				r.narrow(g.booster, g.drawn[s], count.slot(s))
			}
		}
	})
	return r
}
