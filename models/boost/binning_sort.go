package boost

import (
	"math"
	"slices"
)

// sortRoom is room for sorting the values of one column after another.
type sortRoom struct {
	values      []float32
	keys, spare []uint32
}

// sorted returns the values of some rows (nil: all) that are not missing, ascending, until it is called again. Many are sorted by their
// bits, 11 at a time: a radix sort is several times as fast as one by comparison.
func (s *sortRoom) sorted(values []float32, some []uint32) []float32 {
	out := s.values[:0]
	add := func(v float32) {
		if v == v {
			out = append(out, v+0) // -0 becomes 0
		}
	}
	if some == nil {
		out = slices.Grow(out, len(values))
		for _, v := range values {
			add(v)
		}
	} else {
		out = slices.Grow(out, len(some))
		for _, r := range some {
			add(values[r])
		}
	}
	s.values = out
	if len(out) < 1<<12 {
		slices.Sort(out)
		return out
	}
	s.keys, s.spare = slices.Grow(s.keys[:0], len(out))[:len(out)], slices.Grow(s.spare[:0], len(out))[:len(out)]
	for i, v := range out {
		b := math.Float32bits(v)
		s.keys[i] = b ^ (uint32(int32(b)>>31) | 1<<31) // the order of unsigned integers is that of the floats
	}
	const digit = 11
	for shift := 0; shift < 32; shift += digit {
		var start [1 << digit]uint32
		for _, k := range s.keys {
			start[k>>shift&(1<<digit-1)]++
		}
		at := uint32(0)
		for d, n := range start {
			start[d] = at
			at += n
		}
		for _, k := range s.keys {
			p := &start[k>>shift&(1<<digit-1)]
			s.spare[*p] = k
			*p++
		}
		s.keys, s.spare = s.spare, s.keys
	}
	for i, k := range s.keys {
		out[i] = math.Float32frombits(k ^ (^uint32(int32(k)>>31) | 1<<31))
	}
	return out
}
