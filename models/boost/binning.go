package boost

import (
	"cmp"
	"slices"

	"retain/features"
)

const (
	maxBins     = 255 // value bins of a column; with the missing bin they fit a byte
	missingBin  = 0   // the bin of missing values in every column
	groupWidth  = 8   // columns whose bins lie side by side
	groupedBins = 256 // bins of a column with the missing one
)

// binning says how the values of one column are put into bins 1..bins-1; bin 0 is missing.
type binning struct {
	kind features.Kind
	bins int       // number of bins with the missing one; 1 if all values are missing
	cuts []float32 // numeric, ascending: bin k holds the values in (cuts[k-2], cuts[k-1]]
	of   []uint8   // categorical: the bin of each code; codes beyond are read as missing
}

// binned is the training rows as bins. The bins of 8 columns lie side by side: groups[c/8][row][c%8].
type binned struct {
	columns []binning
	groups  [][][groupWidth]uint8
	missing []bool // the column has missing values
}

// newBinned puts every value of x into its bin. Rows are not reordered.
func newBinned(x *features.Matrix, most int) *binned {
	n, p := x.Rows(), x.Cols()
	b := &binned{
		columns: make([]binning, p),
		groups:  make([][][groupWidth]uint8, (p+groupWidth-1)/groupWidth),
		missing: make([]bool, p),
	}
	parallel(len(b.groups), func(g int) {
		rows := make([][groupWidth]uint8, n)
		for j := g * groupWidth; j < min(p, (g+1)*groupWidth); j++ {
			col := x.X[j]
			if x.Schema[j].Kind == features.Categorical {
				b.columns[j] = categoricalBins(col, max(1, len(x.Schema[j].Levels)), most)
			} else {
				b.columns[j] = numericBins(col, most)
			}
			c, slot := &b.columns[j], j%groupWidth
			for i, v := range col {
				k := c.bin(v)
				rows[i][slot] = k
				b.missing[j] = b.missing[j] || k == missingBin
			}
		}
		b.groups[g] = rows
	})
	return b
}

// useful says whether column j can be split at all: it takes at least two bins.
func (b *binned) useful(j int) bool {
	return b.columns[j].bins > 2 || b.columns[j].bins == 2 && b.missing[j]
}

// bin returns the bin of v.
func (c *binning) bin(v float32) uint8 {
	if v != v {
		return missingBin
	}
	if c.kind == features.Categorical {
		if int(v) < len(c.of) {
			return c.of[int(v)]
		}
		return missingBin
	}
	lo, hi := 0, len(c.cuts) // the first cut that is not below v
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.cuts[mid] < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint8(lo + 1)
}

// numericBins cuts between neighbouring values: between all of them if they are few, else into at most `most` bins of about
// equal mass, in which a value that is as frequent as a whole bin gets one of its own.
func numericBins(values []float32, most int) binning {
	sorted := make([]float32, 0, len(values))
	for _, v := range values {
		if v == v {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 {
		return binning{bins: 1}
	}
	slices.Sort(sorted)
	var distinct []float32
	var count []int
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			distinct, count = append(distinct, v), append(count, 0)
		}
		count[len(count)-1]++
	}
	var cuts []float32
	if len(distinct) <= most {
		for i := 1; i < len(distinct); i++ {
			cuts = append(cuts, between(distinct[i-1], distinct[i]))
		}
		return binning{bins: len(cuts) + 2, cuts: cuts}
	}
	left, inBin := len(sorted), 0
	for i := 0; i+1 < len(distinct) && len(cuts) < most-1; i++ {
		inBin += count[i]
		room := most - len(cuts) // bins still to fill, this one included
		if inBin*room >= left || count[i+1]*(room-1) >= left-inBin {
			cuts = append(cuts, between(distinct[i], distinct[i+1]))
			left -= inBin
			inBin = 0
		}
	}
	return binning{bins: len(cuts) + 2, cuts: cuts}
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
	for _, v := range values {
		if v != v {
			continue
		}
		for int(v) >= len(count) {
			count = append(count, 0)
		}
		count[int(v)]++
	}
	c := binning{kind: features.Categorical, of: make([]uint8, len(count)), bins: min(len(count), most) + 1}
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
