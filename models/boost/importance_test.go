package boost

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"retain/features"
	"retain/models"
)

func TestImportanceIsTheShareOfTheGain(t *testing.T) {
	s := features.Schema{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	m := &Model{schema: s, roots: []int32{0, 5}, nodes: []node{
		{column: 0, right: 4, weight: 6}, {column: 1, right: 3, weight: 1}, {column: -1, weight: 1}, {column: -1, weight: 1}, {column: -1, weight: 1},
		{column: 1, right: 7, weight: 3}, {column: -1, weight: 1}, {column: -1, weight: 1},
	}}
	if got := m.Importance(); !slices.Equal(got, []float64{.6, .4, 0}) {
		t.Errorf("%v, want .6 .4 0", got)
	}
	if got := m.Truncate(0).Importance(); !slices.Equal(got, []float64{0, 0, 0}) {
		t.Errorf("%v of no trees, want zeros", got)
	}
}

// Over all permutations the mean loss is that of every row's label with every row's value, since the model has one column.
func TestPermutationImportanceOfOneColumn(t *testing.T) {
	all := sample(400, 60)
	d := column(features.Column{Name: "x"}, all.X.X[0], all.Y...)
	m := mustFit(t, Trainer{Trees: 20, Leaves: 4}, d)
	margin := mustMargin(t, m, d.X)
	want := 0.0
	for _, v := range margin {
		for _, y := range d.Y {
			want += lossOf(v, y)
		}
	}
	n := float64(d.Rows())
	want = want/(n*n) - logLoss(margin, d.Y)
	got, err := m.PermutationImportance(t.Context(), d, Permuting{Repeats: 400, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(got[0].Mean - want); off > 4*got[0].SD/20 || got[0].SD > want {
		t.Fatalf("rise %v, over all permutations %v", got[0], want)
	}
}

func TestPermutationImportance(t *testing.T) {
	d, fresh := sample(4000, 61), sample(3000, 62)
	m := mustFit(t, Trainer{Trees: 40, Leaves: 6}, d)
	fresh.Weight = make([]float64, fresh.Rows())
	for i := range fresh.Weight {
		fresh.Weight[i] = 1 + float64(i%3)
	}
	before := slices.Clone(fresh.X.X[0])
	want := onThreads(t, func() []Rise {
		rises, err := m.PermutationImportance(t.Context(), fresh, Permuting{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		return rises
	})
	if !slices.Equal(before, fresh.X.X[0]) {
		t.Fatal("the rows were changed")
	}
	for _, j := range []int{0, 1, 4} { // recency, usage, plan carry the risk, noise nothing
		if want[j].Mean < 10*math.Abs(want[3].Mean) {
			t.Errorf("%s: rise %v, noise %v", fresh.X.Schema[j].Name, want[j], want[3])
		}
	}
	stump := mustFit(t, Trainer{Trees: 1, Leaves: 2}, d)
	rises, err := stump.PermutationImportance(t.Context(), fresh, Permuting{Repeats: 1})
	if err != nil {
		t.Fatal(err)
	}
	for j, r := range rises {
		if used := int(stump.nodes[0].column) == j; used != (r.Mean != 0) || r.SD != 0 {
			t.Errorf("one split: column %d has %v", j, r)
		}
	}
}

func TestPermutationImportanceRefuses(t *testing.T) {
	d := sample(300, 63)
	m := mustFit(t, small, d)
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.PermutationImportance(stopped, d, Permuting{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
	if _, err := m.PermutationImportance(t.Context(), d, Permuting{Repeats: -1}); err == nil {
		t.Error("-1 repeats: no error")
	}
	if _, err := m.PermutationImportance(t.Context(), nil, Permuting{}); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("no rows: error %v", err)
	}
	bad := d.Take([]int{0, 1})
	bad.Y[0] = 2
	if _, err := m.PermutationImportance(t.Context(), bad, Permuting{}); err == nil {
		t.Error("a label of 2: no error")
	}
}
