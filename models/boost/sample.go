package boost

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"

	"retain/features"
)

// Domains of the keyed hash: draws for one purpose say nothing about another.
const (
	drawRows uint64 = iota + 1
	drawColumns
	drawNodeColumns
	drawRounding
	drawCuts
)

// rowKeys identifies rows for draws; if nil, a row is its place.
type rowKeys []uint64

func (k rowKeys) of(row int) uint64 {
	if k == nil {
		return uint64(row)
	}
	return k[row]
}

// newRowKeys identifies each row by its customer and cutoff, so that draws do not depend on the order of rows; nil where there are no
// customers.
func newRowKeys(d *features.Dataset) rowKeys {
	if d.Customer == nil {
		return nil
	}
	keys := make(rowKeys, d.Rows())
	for i := range keys {
		h := fnv.New64a()
		_, _ = h.Write([]byte(d.Customer[i])) // a hash never fails to write
		keys[i] = h.Sum64()
		if d.Cutoff != nil {
			keys[i] = mix(keys[i], uint64(d.Cutoff[i].Unix()))
		}
	}
	return keys
}

// mix hashes two words into one (the finaliser of SplitMix64; Steele, Lea & Flood, OOPSLA 2014).
func mix(a, b uint64) uint64 {
	z := a ^ (b+0x9e3779b97f4a7c15)*0xff51afd7ed558ccd
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// drawRows splits the rows into the tree's sample (each row by chance RowShare) and the others. An empty sample is replaced by all rows.
func (b *booster) drawRows(seed uint64) (sampled, others []uint32) {
	in, out := b.sampled[:0], b.others[:0]
	if b.RowShare < 1 {
		limit := uint64(b.RowShare * math.MaxUint64)
		for i := range b.y {
			if mix(seed, b.keys.of(i)) < limit {
				in = append(in, uint32(i))
			} else {
				out = append(out, uint32(i))
			}
		}
		if len(in) > 0 {
			return in, out
		}
	}
	for i := range b.y {
		in = append(in, uint32(i))
	}
	return in, out[:0]
}

// drawColumnsOf returns max(1, round(share·k)) of the k columns, ascending.
func drawColumnsOf(columns []int, share float64, seed uint64) []int {
	take := max(1, int(math.Round(share*float64(len(columns)))))
	if take >= len(columns) {
		return columns
	}
	drawn := slices.Clone(columns)
	slices.SortFunc(drawn, func(a, b int) int { return cmp.Compare(mix(seed, uint64(a)), mix(seed, uint64(b))) })
	drawn = drawn[:take]
	slices.Sort(drawn)
	return drawn
}
