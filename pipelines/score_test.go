package pipelines

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"retain/features"
)

func TestEmptyColumns(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{
		Schema: features.Schema{{Name: "full"}, {Name: "gone"}, {Name: "some"}},
		X:      [][]float32{{1, 2}, {nan, nan}, {nan, 3}},
	}
	if d := cmp.Diff([]string{"gone"}, emptyColumns(x)); d != "" {
		t.Error(d)
	}
	if got := emptyColumns(x.Slice(0, 0)); got != nil {
		t.Errorf("without customers: %v, want nothing to be odd", got)
	}
}
