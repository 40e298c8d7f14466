package boost

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"retain/features"
)

const (
	maxBins     = 255 // value bins of a column; with the missing bin they fit a byte
	missingBin  = 0   // the bin of missing values in every column
	groupedBins = 256 // bins of a column with the missing one
)

// binning says how the values of one column are put into bins 1..bins-1; bin 0 is missing.
type binning struct {
	kind    features.Kind
	bins    int       // number of bins with the missing one; 1 if all values are missing
	missing bool      // some values are
	cuts    []float32 // numeric, ascending: bin k holds the values in (cuts[k-2], cuts[k-1]]
	of      []uint8   // categorical: the bin of each code; codes beyond are read as missing
}

// newBinning puts the values of column c into at most `most` value bins. Cuts of numbers are found on some of the rows (nil: all).
func newBinning(c *features.Column, values []float32, some []uint32, most int, room *sortRoom) binning {
	if c.Kind == features.Categorical {
		return categoricalBins(values, max(1, len(c.Levels)), most)
	}
	return numericBins(values, some, most, room)
}

// useful says whether the column can be split at all: it takes at least two bins.
func (c *binning) useful() bool { return c.bins > 2 || c.bins == 2 && c.missing }

// binAll writes the bin of each value into dst, which is as long.
func (c *binning) binAll(dst []uint8, values []float32) {
	if c.kind == features.Categorical {
		for i, v := range values {
			dst[i] = missingBin
			if v == v && int(v) < len(c.of) {
				dst[i] = c.of[int(v)]
			}
		}
		return
	}
	l := newLadder(c.cuts)
	l.binAll(dst, values)
}

// ladder is at most 255 cuts, filled up with infinity, so that a byte indexes them without a bounds check.
type ladder struct {
	cuts [groupedBins]float32
	step uint8 // the first of the search: the greatest power of two up to the number of cuts
}

func newLadder(cuts []float32) *ladder {
	l := &ladder{step: uint8(int(1) << bits.Len(uint(len(cuts))) >> 1)}
	for k := copy(l.cuts[:], cuts); k < len(l.cuts); k++ {
		l.cuts[k] = float32(math.Inf(1))
	}
	return l
}

// binAll writes the bin of each value into dst, which is as long.
func (l *ladder) binAll(dst []uint8, values []float32) {
	i := 0
	for ; i+4 <= len(values); i += 4 {
		*(*[4]uint8)(dst[i:]) = l.below4((*[4]float32)(values[i:]))
	}
	for ; i < len(values); i++ {
		dst[i] = l.below4(&[4]float32{values[i]})[0]
	}
}

// below4 returns the bins of four values: 1 and the number of cuts below each, or the missing one. The four binary searches take
// their steps together, because one alone waits for memory at each of its own. There are no branches.
func (l *ladder) below4(v *[4]float32) [4]uint8 {
	t := &l.cuts
	a, b, c, d := uint8(0), uint8(0), uint8(0), uint8(0)
	for step := l.step; step > 0; step >>= 1 {
		a += step & -bit(t[a+step-1] < v[0])
		b += step & -bit(t[b+step-1] < v[1])
		c += step & -bit(t[c+step-1] < v[2])
		d += step & -bit(t[d+step-1] < v[3])
	}
	return [4]uint8{(a + 1) & -bit(v[0] == v[0]), (b + 1) & -bit(v[1] == v[1]), (c + 1) & -bit(v[2] == v[2]), (d + 1) & -bit(v[3] == v[3])}
}

// numericBins cuts between neighbouring values: between all of them if they are few, else into at most `most` bins of about
// equal mass, in which a value that is as frequent as a whole bin gets one of its own.
func numericBins(values []float32, some []uint32, most int, room *sortRoom) binning {
	c := binning{missing: slices.ContainsFunc(values, func(v float32) bool { return v != v }), bins: 1}
	sorted := room.sorted(values, some)
	if len(sorted) == 0 {
		return c
	}
	if few := distinctValues(sorted, most); few != nil {
		for i := 1; i < len(few); i++ {
			c.cuts = append(c.cuts, between(few[i-1], few[i]))
		}
	} else {
		c.cuts = quantileCuts(sorted, most)
	}
	c.bins = len(c.cuts) + 2
	return c
}

// distinctValues returns the distinct ones of ascending values, or nil if there are more than most.
func distinctValues(sorted []float32, most int) []float32 {
	var few []float32
	for i := 0; i < len(sorted); i = runEnd(sorted, i) {
		if len(few) == most {
			return nil
		}
		few = append(few, sorted[i])
	}
	return few
}

// quantileCuts closes a bin when it holds its share of the values that are left, or when the next value alone would fill one.
func quantileCuts(sorted []float32, most int) []float32 {
	var cuts []float32
	left, inBin := len(sorted), 0
	for i, next := 0, 0; len(cuts) < most-1; i = next {
		next = runEnd(sorted, i)
		if next == len(sorted) {
			break
		}
		inBin += next - i
		room := most - len(cuts) // bins still to fill, this one included
		if inBin*room >= left || (runEnd(sorted, next)-next)*(room-1) >= left-inBin {
			cuts = append(cuts, between(sorted[i], sorted[next]))
			left -= inBin
			inBin = 0
		}
	}
	return cuts
}

// runEnd returns the place after the values equal to sorted[i].
func runEnd(sorted []float32, i int) int {
	v := sorted[i]
	if i+1 < len(sorted) && sorted[i+1] != v {
		return i + 1
	}
	k, _ := slices.BinarySearchFunc(sorted[i:], v, func(a, b float32) int {
		if a > b {
			return 1
		}
		return -1
	})
	return i + k
}

// between returns a cut c with a <= c < b, the middle where float32 has one.
func between(a, b float32) float32 {
	c := float32(float64(a) + (float64(b)-float64(a))/2)
	if c >= b {
		return a
	}
	return c
}

// categoricalBins gives each code a bin of its own. If there are more codes than bins, the rarest share the last one.
func categoricalBins(values []float32, levels, most int) binning {
	count := make([]int, levels)
	c := binning{kind: features.Categorical}
	for _, v := range values {
		if v != v {
			c.missing = true
			continue
		}
		for int(v) >= len(count) {
			count = append(count, 0)
		}
		count[int(v)]++
	}
	c.of, c.bins = make([]uint8, len(count)), min(len(count), most)+1
	if len(count) <= most {
		for code := range c.of {
			c.of[code] = uint8(code + 1)
		}
		return c
	}
	order := make([]int, len(count))
	for code := range order {
		order[code] = code
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(count[b], count[a]) })
	for rank, code := range order {
		c.of[code] = uint8(min(rank+1, most))
	}
	return c
}
