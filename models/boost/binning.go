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

// newBinning puts the values of column c into at most `most` value bins.
func newBinning(c *features.Column, values []float32, most int) binning {
	if c.Kind == features.Categorical {
		return categoricalBins(values, max(1, len(c.Levels)), most)
	}
	return numericBins(values, most)
}

// useful says whether the column can be split at all: it takes at least two bins.
func (c *binning) useful() bool { return c.bins > 2 || c.bins == 2 && c.missing }

// bin returns the bin of v.
func (c *binning) bin(v float32) uint8 {
	var one [1]uint8
	c.binAll(one[:], []float32{v})
	return one[0]
}

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
	var l ladder
	for k := range l {
		l[k] = float32(math.Inf(1))
	}
	copy(l[:], c.cuts)
	step := uint8(int(1) << bits.Len(uint(len(c.cuts))) >> 1) // the greatest power of two up to the number of cuts
	for i, v := range values {
		k := l.below(v, step) + 1
		if v != v {
			k = missingBin
		}
		dst[i] = k
	}
}

// ladder is the cuts of a column, filled up with infinity, so that a byte indexes it without a bounds check.
type ladder [groupedBins]float32

// below is the number of cuts below v: a binary search without branches, which the compiler turns into conditional moves.
func (l *ladder) below(v float32, step uint8) uint8 {
	k := uint8(0)
	for ; step > 0; step >>= 1 {
		if l[k+step-1] < v {
			k += step
		}
	}
	return k
}

// numericBins cuts between neighbouring values: between all of them if they are few, else into at most `most` bins of about
// equal mass, in which a value that is as frequent as a whole bin gets one of its own.
func numericBins(values []float32, most int) binning {
	sorted := sortedValues(values)
	c := binning{missing: len(sorted) < len(values), bins: 1}
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
