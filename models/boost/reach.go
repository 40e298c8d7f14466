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

// reachOfAll is the cuts that leave enough of all training rows.
func (b *booster) reachOfAll() reach {
	for i := range b.spare {
		b.spare[i] = uint32(i)
	}
	count := b.pool.take()
	b.crew.parallelIf(len(b.spare) >= rowsEach, b.rows.width, func(w int) { b.rows.fill(count, []int{w}, b.spare, countRows) })
	r := make(reach, len(b.rows.columns))
	for _, j := range b.useful {
		r.narrow(b, []int{j}, count.slot(b.rows.place[j].slot))
	}
	b.pool.release(count)
	return r
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
