//go:build !goexperiment.simd || !amd64

package boost

import "retain/features"

// Without GOEXPERIMENT=simd all rows are scored 64 at a time.

type wideRoom struct{}

func (*sliced) marginsWide(_ []float64, _ *Model, _ *features.Matrix, lo int, _ *sliceRoom, _ *wideRoom) int {
	return lo
}
