package boost

import (
	"cmp"
	"math"
	"slices"

	"retain/features"
)

const wordSlots = 8 // bytes of a word: slots that lie side by side

// binned is the training rows as bins: each useful column has a slot, a byte of the row's words. Columns of few bins share a slot
// as the digits of one code, so that a histogram costs one addition for all of them; each one's sums are marginals of the code's.
type binned struct {
	columns []binning
	place   []digit  // of each column
	slots   [][]int  // the columns that share each slot
	width   int      // words of codes a row
	stride  int      // words a row: one more, for the gradient, which is wanted whenever the codes are
	words   []uint64 // slot s of row r is byte s%8 of words[r*stride + s/8]
}

// digit is where the bin of a column is kept: bin = code/unit % size + first, with the code of its slot.
type digit struct {
	slot        int // -1: the column cannot be split
	unit, size  int
	first       int // 1 if nothing is missing: then no code is spent on it
	slotColumns int // columns that share the slot
}

// newBinned puts every value of x into its bin. Rows are not reordered; keys, which may be nil, identify them.
func newBinned(x *features.Matrix, keys rowKeys, most int) *binned {
	b := &binned{columns: make([]binning, x.Cols()), place: make([]digit, x.Cols())}
	some := someRows(x.Rows(), keys)
	parallelWorkers(x.Cols(), func(next func() int) {
		var room sortRoom
		for j := next(); j >= 0; j = next() {
			b.columns[j] = newBinning(&x.Schema[j], x.X[j], some, most, &room)
		}
	})
	b.assign()
	b.width = (len(b.slots) + wordSlots - 1) / wordSlots
	b.stride = b.width + 1
	b.words = make([]uint64, x.Rows()*b.stride)
	b.pack(x)
	return b
}

// cutRows is the number of rows on which cuts of numbers are found: of more, about as many are drawn. Each bin then holds its share of all
// rows within a few per cent.
const cutRows = 1 << 18

// someRows draws the rows on which cuts are found; nil means all. It depends on what the rows are, not on their order.
func someRows(n int, keys rowKeys) []uint32 {
	if n <= cutRows {
		return nil
	}
	limit := uint64(float64(cutRows) / float64(n) * math.MaxUint64)
	var some []uint32
	for i := range n {
		if mix(drawCuts, keys.of(i)) < limit {
			some = append(some, uint32(i))
		}
	}
	return some
}

// assign gives each useful column its slot: the largest first, each into the first slot whose codes still fit a byte.
func (b *binned) assign() {
	var order []int
	for j := range b.columns {
		c, d := &b.columns[j], &b.place[j]
		d.slot = -1
		if c.useful() {
			if !c.missing {
				d.first = 1
			}
			d.size = c.bins - d.first
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(b.place[j].size, b.place[i].size) })
	var codes []int // of each slot
	for _, j := range order {
		d := &b.place[j]
		s := slices.IndexFunc(codes, func(n int) bool { return n*d.size <= groupedBins })
		if s < 0 {
			s = len(codes)
			codes, b.slots = append(codes, 1), append(b.slots, nil)
		}
		d.slot, d.unit = s, codes[s]
		codes[s] *= d.size
		b.slots[s] = append(b.slots[s], j)
	}
	for j := range b.place {
		if d := &b.place[j]; d.slot >= 0 {
			d.slotColumns = len(b.slots[d.slot])
		}
	}
}

// pack fills the words, some thousand rows at a time.
func (b *binned) pack(x *features.Matrix) {
	const block = 4096
	n := x.Rows()
	parallel((n+block-1)/block, func(task int) {
		lo, hi := task*block, min(n, (task+1)*block)
		var bins [block]uint8
		var codes [block]uint64
		for w := range b.width {
			clear(codes[:])
			for s := w * wordSlots; s < min(len(b.slots), (w+1)*wordSlots); s++ {
				for _, j := range b.slots[s] {
					d := &b.place[j]
					b.columns[j].binAll(bins[:hi-lo], x.X[j][lo:hi])
					unit, first := uint64(d.unit)<<(s%wordSlots*8), uint64(d.first)
					for i, k := range bins[:hi-lo] {
						codes[i] += (uint64(k) - first) * unit
					}
				}
			}
			for i, code := range codes[:hi-lo] {
				b.words[(lo+i)*b.stride+w] = code
			}
		}
	})
}

// setGradient sets the gradient and the hessian of row r.
func (b *binned) setGradient(r uint32, v sums) { b.words[int(r)*b.stride+b.width] = uint64(v) }

// code returns the code of a slot in row r.
func (b *binned) code(r uint32, slot int) uint8 {
	return uint8(b.words[int(r)*b.stride+slot/wordSlots] >> (slot % wordSlots * 8))
}

// codesOf returns the codes of a slot whose digit d is a bin of the set.
func (d *digit) codesOf(bins *binSet) (in [groupedBins]bool) {
	for code := range in {
		in[code] = bins.has(code/d.unit%d.size + d.first)
	}
	return in
}

// marginal returns the sums by bin of one column from those of its slot. They are h itself if the column has the slot to itself
// and a missing bin, else room is filled and returned.
func (d *digit) marginal(h, room *[groupedBins]int64) *[groupedBins]int64 {
	if d.slotColumns == 1 && d.first == 0 {
		return h
	}
	clear(room[:])
	if d.slotColumns == 1 {
		copy(room[1:], h[:])
		return room
	}
	for lo := 0; lo < groupedBins; {
		for k := d.first; k < d.size+d.first && lo < groupedBins; k++ {
			var sum int64
			for _, v := range h[lo:min(lo+d.unit, groupedBins)] {
				sum += v
			}
			room[k&(groupedBins-1)] += sum
			lo += d.unit
		}
	}
	return room
}
