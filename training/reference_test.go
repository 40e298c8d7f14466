package training

import (
	"math"
	"slices"
	"testing"
	"time"

	"retain/features"
)

// The reference of an artifact is that of the rows of the newest training cutoff, counted here one by one.
func TestReference(t *testing.T) {
	world := newWorld(300, 8)
	a := newArena(world, testOptions(t))
	d, err := stack(t.Context(), a.panel, []time.Time{month(2025, 3), month(2025, 5), month(2025, 4)}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := encode(d)
	if err != nil {
		t.Fatal(err)
	}
	family, _ := familyOf(familyLinear)
	fitted, _, err := a.fit(t.Context(), e.d, []Family{family})
	if err != nil {
		t.Fatal(err)
	}
	r, err := referenceOf(fitted[0], e.d)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Cutoff.Equal(month(2025, 5)) || len(r.Features) != e.d.X.Cols() {
		t.Fatalf("%s, %d columns", r.Cutoff, len(r.Features))
	}
	for j, c := range e.d.X.Schema {
		h := r.Features[j]
		counts := make([]uint64, len(h.Cuts)+2)
		n := 0
		for i, v := range e.d.X.X[j] {
			if !e.d.Cutoff[i].Equal(r.Cutoff) {
				continue
			}
			n++
			b := len(counts) - 1
			for k := len(h.Cuts); v == v && k >= 0; k-- {
				if k == 0 || float64(v) > h.Cuts[k-1] {
					b = k
					break
				}
			}
			counts[b]++
		}
		if !slices.Equal(counts, h.Counts) || n != r.Rows {
			t.Errorf("%s: %v in %d rows, counted %v in %d", c.Name, h.Counts, r.Rows, counts, n)
		}
		if w := r.Importance[j]; math.IsNaN(w) || w < 0 {
			t.Errorf("%s has the importance %v", c.Name, w)
		}
	}
	var margins uint64
	for _, c := range r.Margin.Counts {
		margins += c
	}
	if margins != uint64(r.Rows) { // few rows are all cross-fitted
		t.Errorf("%d margins of %d rows", margins, r.Rows)
	}
	again, err := referenceOf(fitted[0], e.d)
	if err != nil || !slices.Equal(again.Importance, r.Importance) {
		t.Errorf("another importance: %v, %v", again.Importance, err)
	}

	// Levels are bins, and a level that nobody has is one too.
	c := features.Column{Name: "plan", Kind: features.Categorical, Levels: []string{"a", "b", "c", "other"}}
	nan := float32(math.NaN())
	if got := columnHistogram(c, []float32{0, 1, 1, 3, nan}); !slices.Equal(got.Counts, []uint64{1, 2, 0, 1, 1}) || !slices.Equal(got.Cuts, []float64{0, 1, 2}) {
		t.Errorf("%+v", got)
	}
}
