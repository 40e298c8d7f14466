package boost

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the rows say: a column with a direction never moves the margin against it, everything else being equal.
func TestMonotoneColumnsNeverGoAgainstTheirDirection(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		n := rapid.IntRange(30, 400).Draw(r, "rows")
		d := sample(n, rng.Uint64())
		for j := range 4 {
			d.X.Schema[j].Monotone = int8(rapid.IntRange(-1, 1).Draw(r, "direction"))
		}
		for i := range d.Y { // shuffled labels pull in any direction
			if rng.IntN(3) == 0 {
				d.Y[i] = float64(rng.IntN(2))
			}
		}
		d.Y[0], d.Y[1] = 0, 1
		tr := Trainer{Monotone: true, Trees: 15, LearningRate: 0.5, Leaves: 12, MinRows: rapid.IntRange(1, 10).Draw(r, "MinRows"), MinHessian: 1e-6,
			L1: rapid.SampledFrom([]float64{0, 0.5}).Draw(r, "L1"), RowShare: rapid.SampledFrom([]float64{0.6, 1}).Draw(r, "RowShare"), Smoothing: 0.1}
		m, err := tr.FitWith(t.Context(), d, rng, Options{})
		if err != nil {
			r.Fatal(err)
		}
		for j, c := range d.X.Schema[:4] {
			if c.Monotone == 0 {
				continue
			}
			row := rng.IntN(n)
			values := slices.DeleteFunc(slices.Clone(d.X.X[j]), func(v float32) bool { return v != v })
			slices.Sort(values)
			x := d.X.Take(slices.Repeat([]int{row}, len(values)))
			x.X[j] = values
			margin := mustMargin(t, m, x)
			for i := 1; i < len(margin); i++ {
				if (margin[i]-margin[i-1])*float64(c.Monotone) < 0 {
					r.Fatalf("%s from %v to %v moves the margin from %v to %v against direction %d", c.Name, values[i-1], values[i], margin[i-1], margin[i], c.Monotone)
				}
			}
		}
	})
}

func TestDirectionsAreKeptWhereAsked(t *testing.T) {
	d := sample(3000, 70)
	free := mustMargin(t, mustFit(t, small, d), d.X)
	for j := range d.X.Schema[:4] {
		d.X.Schema[j].Monotone = -1 // recency raises the risk: against the truth
	}
	if got := mustMargin(t, mustFit(t, small, d), d.X); !slices.Equal(got, free) {
		t.Error("directions change a model that was not asked to keep them")
	}
	obeying := small
	obeying.Monotone = true
	if held := mustMargin(t, mustFit(t, obeying, d), d.X); logLoss(held, d.Y) < logLoss(free, d.Y)+0.01 {
		t.Error("wrong directions cost nothing: they are not kept")
	}
}

// With the directions of the truth nothing much is lost.
func TestTrueDirectionsCostLittle(t *testing.T) {
	d, fresh := sample(4000, 71), sample(4000, 72)
	tr := Trainer{Trees: 60, Leaves: 8, Monotone: true}
	free := logLoss(mustMargin(t, mustFit(t, tr, d), fresh.X), fresh.Y)
	d.X.Schema[0].Monotone, d.X.Schema[1].Monotone = 1, -1
	if held := logLoss(mustMargin(t, mustFit(t, tr, d), fresh.X), fresh.Y); held > free+0.003 {
		t.Errorf("log loss on fresh rows %.4f with directions, %.4f without", held, free)
	}
}

// A catalogue may give a direction to a column of levels too, which means nothing.
func TestLevelsHaveNoDirection(t *testing.T) {
	d := sample(3000, 73)
	tr := small
	tr.Monotone = true
	want := mustMargin(t, mustFit(t, tr, d), d.X)
	d.X.Schema[4].Monotone = 1
	if got := mustMargin(t, mustFit(t, tr, d), d.X); !slices.Equal(got, want) {
		t.Error("a direction of levels changes the model")
	}
}

func TestBoundsOfChildren(t *testing.T) {
	for _, c := range []struct {
		way         int8
		left, right float64
		l, r        bounds
	}{
		{1, -1, 3, bounds{-2, 1}, bounds{1, 4}},
		{-1, 3, -1, bounds{1, 4}, bounds{-2, 1}},
		{0, 3, -1, bounds{-2, 4}, bounds{-2, 4}},
	} {
		if l, r := (bounds{-2, 4}).part(c.left, c.right, c.way); l != c.l || r != c.r {
			t.Errorf("direction %d: %v and %v, want %v and %v", c.way, l, r, c.l, c.r)
		}
	}
	if !unbounded().free() || (bounds{math.Inf(-1), 0}).free() {
		t.Error("free says the wrong thing")
	}
}
