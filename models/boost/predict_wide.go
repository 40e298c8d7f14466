//go:build goexperiment.simd && amd64

package boost

import (
	"simd/archsimd"

	"retain/features"
)

// With GOEXPERIMENT=simd on a machine that has AVX-512, 512 rows are scored at once: what predict_sliced.go does with a word it
// does here with eight. The margins are the same, bit for bit: each row's values are still added one by one in boosting order.

const (
	wideWords = 8 // words in a vector
	wideRows  = wideWords * sliceRows
	// wideLeaves is the largest number of leaves whose values fit four vectors; those of larger trees are looked up row by row.
	wideLeaves = 64
)

// wideRoom is room for scoring 512 rows.
type wideRoom struct {
	pass   []uint64 // eight words a test, and eight more, so that a model without tests has somewhere to begin
	reach  *[2 * slicedLeaves][wideWords]uint64
	margin *[wideRows]float64
}

// marginsWide adds the trees' values to as many of the rows from lo to the end of margin as fill whole vectors, and returns the
// first of the others.
func (s *sliced) marginsWide(margin []float64, m *Model, x *features.Matrix, lo int, r *sliceRoom, w *wideRoom) int {
	if !archsimd.X86.AVX512() {
		return lo
	}
	if w.pass == nil && len(margin)-lo >= wideRows {
		w.pass, w.reach, w.margin = make([]uint64, wideWords*(s.tests+1)), new([2 * slicedLeaves][wideWords]uint64), new([wideRows]float64)
	}
	for ; len(margin)-lo >= wideRows; lo += wideRows {
		for k := range wideWords {
			s.passAll(w.pass[k:], wideWords, m, x, lo+k*sliceRows, sliceRows, r)
		}
		rows := margin[lo : lo+wideRows]
		copy(w.margin[:], rows)
		walk := treeWalker{m: m, x: x, lo: lo, n: wideRows}
		for t := range s.trees {
			if s.trees[t].walk {
				walk.add(w.margin[:], t)
			} else {
				s.trees[t].addWide(w)
			}
		}
		copy(rows, w.margin[:])
	}
	return lo
}

// addWide adds the values of the tree to the margins of the 512 rows.
func (t *slicedTree) addWide(w *wideRoom) {
	const last = 2*slicedLeaves - 1
	reach := w.reach
	for k := range reach[0] {
		reach[0][k] = ^uint64(0)
	}
	for i := range t.splits {
		s := &t.splits[i]
		here := archsimd.LoadUint64x8(&reach[s.at&last])
		left := here.And(archsimd.LoadUint64x8((*[wideWords]uint64)(w.pass[wideWords*int(s.test):])))
		left.Store(&reach[(s.at+1)&last])
		here.Xor(left).Store(&reach[s.right&last])
	}
	var planes [8][wideWords]uint64
	for b, nodes := range t.planes {
		var plane archsimd.Uint64x8
		for _, k := range nodes {
			plane = plane.Or(archsimd.LoadUint64x8(&reach[k&last]))
		}
		plane.Store(&planes[b&7])
	}
	var leaves [wideRows]uint8
	for k := range wideWords {
		var number archsimd.Uint8x64
		for b := range t.planes {
			number = number.Or(archsimd.BroadcastUint8x64(1 << (b & 7)).Masked(archsimd.Mask8x64FromBits(planes[b&7][k])))
		}
		number.Store((*[sliceRows]uint8)(leaves[k*sliceRows:]))
	}
	if len(t.values) > wideLeaves {
		for k := range w.margin {
			w.margin[k] += float64(t.values[leaves[k]])
		}
		return
	}
	var values [wideLeaves]float32
	copy(values[:], t.values)
	v0, v1 := archsimd.LoadFloat32x16((*[16]float32)(values[0:])), archsimd.LoadFloat32x16((*[16]float32)(values[16:]))
	v2, v3 := archsimd.LoadFloat32x16((*[16]float32)(values[32:])), archsimd.LoadFloat32x16((*[16]float32)(values[48:]))
	half := archsimd.BroadcastUint32x16(32)
	for k := 0; k < wideRows; k += 16 {
		at := archsimd.LoadUint8x16((*[16]uint8)(leaves[k:])).ExtendToUint32()
		// The permutations read the low five bits of a leaf's number; the sixth chooses between them.
		v := v0.ConcatPermute(v1, at).Merge(v2.ConcatPermute(v3, at), at.Less(half))
		lo, hi := (*[8]float64)(w.margin[k:]), (*[8]float64)(w.margin[k+8:])
		archsimd.LoadFloat64x8(lo).Add(v.GetLo().ConvertToFloat64()).Store(lo)
		archsimd.LoadFloat64x8(hi).Add(v.GetHi().ConvertToFloat64()).Store(hi)
	}
}
