package boost

import (
	"math"
	"slices"
)

// sortedValues returns the values that are not missing, ascending. Many are sorted by their bits, 11 at a time (a radix sort is
// five times as fast as one by comparison on a million values, and binning sorts each column once).
func sortedValues(values []float32) []float32 {
	out := make([]float32, 0, len(values))
	for _, v := range values {
		if v == v {
			out = append(out, v+0) // -0 becomes 0
		}
	}
	if len(out) < 1<<12 {
		slices.Sort(out)
		return out
	}
	keys, spare := make([]uint32, len(out)), make([]uint32, len(out))
	for i, v := range out {
		b := math.Float32bits(v)
		keys[i] = b ^ (uint32(int32(b)>>31) | 1<<31) // the order of unsigned integers is that of the floats
	}
	const digit = 11
	for shift := 0; shift < 32; shift += digit {
		var start [1 << digit]uint32
		for _, k := range keys {
			start[k>>shift&(1<<digit-1)]++
		}
		at := uint32(0)
		for d, n := range start {
			start[d] = at
			at += n
		}
		for _, k := range keys {
			p := &start[k>>shift&(1<<digit-1)]
			spare[*p] = k
			*p++
		}
		keys, spare = spare, keys
	}
	for i, k := range keys {
		out[i] = math.Float32frombits(k ^ (^uint32(int32(k)>>31) | 1<<31))
	}
	return out
}
