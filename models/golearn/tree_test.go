package golearn

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sjwhitworth/golearn/naive"
	"github.com/sjwhitworth/golearn/trees"

	"retain/features"
	"retain/models/modelstest"
)

// table is a data set of one numeric column and one of two levels.
func table(value []float32, plan []float32, y []float64) *features.Dataset {
	return &features.Dataset{
		X: &features.Matrix{
			Schema: features.Schema{{Name: "days"}, {Name: "plan", Kind: features.Categorical, Levels: []string{"free", "paid"}}},
			X:      [][]float32{value, plan},
		},
		Y: y,
	}
}

// TestLeavesByHand: ten rows, of which days ≥ 5 churn but for one on the paid plan.
func TestLeavesByHand(t *testing.T) {
	nan := float32(math.NaN())
	d := table(
		[]float32{1, 2, 3, 4, 2, 5, 6, 7, 8, 9},
		[]float32{0, 1, 0, 1, 0, 0, 0, 0, 0, 1},
		[]float64{0, 0, 0, 0, 0, 1, 1, 1, 1, 0},
	)
	m, err := CART{Depth: 2, Bins: 16}.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	// Gini of all: .48. At days 5 the left five are pure and the right hold 4 of 5: .5·.32 = .16, the least. Right of it, paid and days 9 part
	// equally well; the first column stands first. Leaves: 5 rows none churned, 4 rows all churned, 1 row none. Each holds 5 rows of the rate .4 more.
	none, all, one := (0+5*.4)/(5+5), (4+5*.4)/(4+5), (0+5*.4)/(1+5)
	ask := table([]float32{1, 4.9, 5, 8.9, 9, 50, nan}, []float32{1, 0, 1, 0, 0, 1, nan}, nil)
	want := []float64{none, none, all, all, one, one, none} // the lower median is 4, so that missing days go left
	dst := make([]float64, 7)
	if err := m.Margin(dst, ask.X); err != nil {
		t.Fatal(err)
	}
	for i, p := range want {
		if logit := math.Log(p / (1 - p)); math.Abs(dst[i]-logit) > 1e-12 {
			t.Errorf("row %d: margin %v, want that of %v, %v", i, dst[i], p, logit)
		}
	}
}

// TestLevelsByHand: the plan decides, days tell nothing.
func TestLevelsByHand(t *testing.T) {
	nan := float32(math.NaN())
	d := table([]float32{1, 1, 1, 1, 1, 1}, []float32{0, 0, 0, 1, 1, nan}, []float64{0, 0, 0, 1, 1, 0})
	m, err := CART{}.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	other, paid := (0+5./3)/(4+5), (2+5./3)/(2+5)
	dst := make([]float64, 3)
	if err := m.Margin(dst, table([]float32{1, 1, 1}, []float32{0, 1, nan}, nil).X); err != nil {
		t.Fatal(err)
	}
	for i, p := range []float64{other, paid, other} {
		if logit := math.Log(p / (1 - p)); math.Abs(dst[i]-logit) > 1e-12 {
			t.Errorf("row %d: margin %v, want %v", i, dst[i], logit)
		}
	}
}

// TestTreeIsGolearns drops the rows through golearn's tree by golearn's own rules and through what was read out of it: the majority of each leaf
// before shrinking must be golearn's label.
func TestTreeIsGolearns(t *testing.T) {
	for seed := range uint64(5) {
		s := newSample(modelstest.Data(seed, 400), 400, seed)
		all := axes(s, 16)
		g, err := grid(s, all)
		if err != nil {
			t.Fatal(err)
		}
		theirs := trees.NewDecisionTreeClassifier(trees.GINI, 5, []int64{0, 1})
		if err := theirs.Fit(g); err != nil {
			t.Fatal(err)
		}
		labels := theirs.Predict(g)
		var own tree
		leaves := own.walk(theirs, all)
		rows, churned := make([]int, leaves), make([]int, leaves)
		for _, i := range s.rows {
			rows[own.leaf(s.d.X, i)]++
			churned[own.leaf(s.d.X, i)] += int(s.d.Y[i])
		}
		for k, i := range s.rows {
			l := own.leaf(s.d.X, i)
			if 2*churned[l] != rows[l] && labels[k] != int64(math.Round(float64(churned[l])/float64(rows[l]))) {
				t.Fatalf("seed %d, row %d: golearn says %d, its leaf holds %d churners of %d", seed, k, labels[k], churned[l], rows[l])
			}
		}
		if leaves < 8 {
			t.Errorf("seed %d: only %d leaves", seed, leaves)
		}
	}
}

// TestPanicsBecomeErrors calls golearn in ways on which it panics.
func TestPanicsBecomeErrors(t *testing.T) {
	d := table([]float32{1, 2}, []float32{0, 1}, []float64{0, 1})
	nothing := &sample{d: d, rate: .5}
	if _, err := growTree(nothing, []axis{{column: 0, level: -1, cuts: []float32{2}}}, 3); !errors.Is(err, ErrPanic) {
		t.Errorf("a tree of no rows: %v, want ErrPanic", err)
	}
	err := guarded("ask too early", func() error {
		naive.NewBernoulliNBClassifier().PredictOne(nil)
		return nil
	})
	if !errors.Is(err, ErrPanic) {
		t.Errorf("naive Bayes before a fit: %v, want ErrPanic", err)
	}
	want := errors.New("as it was")
	if err := guarded("fail", func() error { return want }); !errors.Is(err, want) || errors.Is(err, ErrPanic) {
		t.Errorf("an error became %v", err)
	}
}
