package golearn

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/sjwhitworth/golearn/naive"

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
		theirs := fitCART(t, g)
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

// TestBayesIsGolearns compares the side of zero on which a margin lies with the label that golearn gives.
func TestBayesIsGolearns(t *testing.T) {
	d := modelstest.Data(2, 500)
	s := newSample(d, 500, 1)
	all := scores(s, 5)
	bits := 0
	for _, c := range all {
		bits += len(c.odds)
	}
	g, theirs, err := fitBits(s, all, bits)
	if err != nil {
		t.Fatal(err)
	}
	if err := readOdds(theirs, s, all); err != nil {
		t.Fatal(err)
	}
	said, err := theirs.Predict(g)
	if err != nil {
		t.Fatal(err)
	}
	m := &bayesModel{schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint(), base: math.Log(s.rate / (1 - s.rate)), scores: all}
	dst := make([]float64, d.Rows())
	if err := m.Margin(dst, d.X); err != nil {
		t.Fatal(err)
	}
	yes := 0
	for k, i := range s.rows {
		label := classOf(said, k)
		if (label == churned) != (dst[i] > 0) {
			t.Fatalf("row %d: golearn says %s, the margin is %v", i, label, dst[i])
		}
		if label == churned {
			yes++
		}
	}
	if yes < 50 || yes > 450 {
		t.Errorf("golearn says churn of %d of 500 rows", yes)
	}
}

// TestOddsByHand: p = (k+1)/(n+1) for each bit and class.
func TestOddsByHand(t *testing.T) {
	d := table([]float32{1, 1, 1, 1, 1}, []float32{0, 0, 1, 1, 1}, []float64{0, 0, 0, 1, 1})
	m, err := Bayes{}.Fit(t.Context(), d, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	// Stayers (3): free 2, paid 1, missing none: (3, 2, 1)/4. Churners (2): free none, paid 2: (1, 3, 1)/3; all have paid, so that 1-p of it is 1/3.
	paid := math.Log(2./3) + math.Log(3./3) - math.Log(2./4) + math.Log(2./3) - math.Log(1./4) + math.Log(2./3) - math.Log(3./4)
	free := math.Log(2./3) + math.Log(1./3) - math.Log(3./4) + math.Log(1./3) - math.Log(2./4) + math.Log(2./3) - math.Log(3./4)
	dst := make([]float64, 2)
	if err := m.Margin(dst, table([]float32{1, 1}, []float32{1, 0}, nil).X); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{paid, free} {
		if math.Abs(dst[i]-want) > 1e-12 {
			t.Errorf("row %d: margin %v, want %v", i, dst[i], want)
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

func TestSampleKeepsTheRare(t *testing.T) {
	d := modelstest.Data(9, 5000)
	for i := range d.Y {
		d.Y[i] = 0
		if i%20 == 0 { // 250 churners
			d.Y[i] = 1
		}
	}
	s := newSample(d, 1000, 3)
	var rows, weight [2]float64
	for k, i := range s.rows {
		rows[int(d.Y[i])]++
		weight[int(d.Y[i])] += s.weight[k]
	}
	if rows != [2]float64{800, 200} {
		t.Errorf("rows by class %v, want 800 and 200", rows)
	}
	if math.Abs(weight[1]-50) > 1e-9 || math.Abs(weight[0]-950) > 1e-9 || math.Abs(s.rate-.05) > 1e-12 {
		t.Errorf("weights by class %v at a rate of %v, want 950 and 50 at .05", weight, s.rate)
	}
	if all := newSample(d, 5000, 3); len(all.rows) != 5000 || all.weight[17] != 1 {
		t.Errorf("%d rows of 5,000, weight %v", len(all.rows), all.weight[17])
	}
}

func TestPoisson(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, mean := range []float64{1, .25} {
		var seen [11]float64
		const n = 200_000
		for range n {
			seen[poisson(rng.Uint64(), mean)] += 1. / n
		}
		for k, p := 0, math.Exp(-mean); k < 6; k++ {
			if math.Abs(seen[k]-p) > .004 {
				t.Errorf("mean %v: %d comes with share %v, want %v", mean, k, seen[k], p)
			}
			p *= mean / float64(k+1)
		}
	}
	if poisson(math.MaxUint64, 1) > 10 {
		t.Error("more than ten")
	}
}

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
