package boost

import (
	"slices"
	"testing"

	"retain/features"
)

// The cuts of a span are those that leave enough rows on both sides, counted one by one.
func TestCutSpansAgainstCounting(t *testing.T) {
	rng := source()
	for range 300 {
		bins, least := 2+rng.IntN(9), 1+rng.IntN(40)
		var rows [groupedBins]sums
		for k := range bins {
			rows[k] = int64(rng.IntN(3) * rng.IntN(20))
		}
		got := newCutSpans(&rows, bins, least)
		for side := range 2 {
			for cut := 1; cut < bins; cut++ {
				var left, right int
				for k := range bins {
					if k == missingBin && side == 1 || k != missingBin && k <= cut {
						left += int(rows[k])
					} else {
						right += int(rows[k])
					}
				}
				enough := left >= least && right >= least
				if in := int(got[side].first) <= cut && cut <= int(got[side].last); in != enough {
					t.Fatalf("rows %v, missing on side %d, cut %d: in the span is %v, %d and %d rows of at least %d", rows[:bins], side, cut, in, left, right, least)
				}
			}
		}
	}
}

func TestLeavesGrowWithTheRows(t *testing.T) {
	n := 150_000
	spread, rare := make([]float32, n), make([]float32, n)
	for i := range n {
		spread[i] = float32(i * 7919 % n)
		if i%10 == 0 {
			rare[i] = float32(i)
		}
	}
	fit := func(columns ...[]float32) *booster {
		d := &features.Dataset{X: &features.Matrix{X: columns, Schema: make(features.Schema, len(columns))}, Y: make([]float64, n)}
		d.Y[0] = 1
		b := newBooster(Trainer{}.filled(), d, 1)
		b.crew.dismiss()
		return b
	}
	for _, c := range []struct {
		columns [][]float32
		want    int
	}{{[][]float32{spread}, 30}, {[][]float32{rare}, 20}, {[][]float32{spread, rare}, 30}, {[][]float32{spread, rare, slices.Clone(rare)}, 20}} {
		if got := fit(c.columns...).MinRows; got != c.want {
			t.Errorf("%d columns: a leaf needs %d rows, want %d", len(c.columns), got, c.want)
		}
	}
	for rows, want := range map[int]int{1: 20, 10000: 20, 100000: 20, 200000: 40, 1000000: 200} {
		if got := leastRows(rows, true); got != want {
			t.Errorf("%d rows: a leaf needs %d, want %d", rows, got, want)
		}
	}
}
