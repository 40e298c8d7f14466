package golearn

import (
	"math"
	"testing"

	"retain/features"
)

// TestScreenByHand: the plan parts the churners from the others, days part all but one, noise nothing.
func TestScreenByHand(t *testing.T) {
	d := &features.Dataset{
		X: &features.Matrix{
			Schema: features.Schema{{Name: "noise"}, {Name: "days"}, {Name: "plan", Kind: features.Categorical, Levels: []string{"free", "paid"}}},
			X:      [][]float32{{1, 1, 2, 2}, {1, 2, 3, 4}, {0, 1, 0, 1}},
		},
		Y: []float64{0, 1, 0, 1},
	}
	s := newSample(d, 4, 1)
	all := axes(s, 8)
	if len(all) != 3 { // one for the plan: its levels tell the same
		t.Fatalf("%d axes", len(all))
	}
	// Churners² by rows on each side: noise 1/2 + 1/2; days at best, below 2: 0/1 + 4/3; the plan 0/2 + 4/2.
	for k, want := range []float64{1, 4. / 3, 2} {
		if got := all[k].gain(s); math.Abs(got-want) > 1e-12 {
			t.Errorf("gain of axis %d is %v, want %v", k, got, want)
		}
	}
	for most, want := range map[int][]int{1: {2}, 2: {1, 2}, 3: {0, 1, 2}} {
		kept := screen(s, all, most)
		for k, a := range kept {
			if len(kept) != len(want) || a.column != want[k] {
				t.Errorf("the best %d are %v", most, kept)
			}
		}
	}
}
