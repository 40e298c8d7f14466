package uplift

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"retain/features"
	"retain/models"
)

// Every pair of up to five folds, and of more two pairs a fold: what an interval costs is bounded.
func TestPairs(t *testing.T) {
	for folds, want := range map[int]int{1: 0, 2: 1, 3: 3, 4: 6, 5: 10, 6: 12, 50: 100} {
		pairs := Pairs(folds)
		seen := map[Split]bool{}
		each := make([]int, folds)
		for _, s := range pairs {
			if s.Single() || s.Folds[0] > s.Folds[1] || s.Folds[1] >= folds || seen[s] {
				t.Errorf("%d folds: pair %v", folds, s.Folds)
			}
			seen[s] = true
			each[s.Folds[0]]++
			each[s.Folds[1]]++
		}
		if len(pairs) != want || slices.Max(each) != slices.Min(each) || len(Singles(folds)) != folds {
			t.Errorf("%d folds: %d pairs, %v of each", folds, len(pairs), each)
		}
	}
	fold := []int{2, 0, 1, 2, 1}
	if train, held := (Split{[2]int{0, 2}}).Rows(fold); !slices.Equal(train, []int{2, 4}) || !slices.Equal(held, []int{0, 1, 3}) {
		t.Errorf("%v learn, %v are left out", train, held)
	}
	if train, held := Singles(3)[1].Rows(fold); !slices.Equal(train, []int{0, 1, 3}) || !slices.Equal(held, []int{2, 4}) {
		t.Errorf("%v learn, %v are left out", train, held)
	}
}

// What is held out is what a model of the other folds says, and a pair that leaves too few outcomes tells nothing.
func TestHeldOut(t *testing.T) {
	m := withBaseline(makeRows(300, 5, 0, 0, 0, nil), right)
	fold := make([]int, m.Len())
	for i := range fold {
		fold[i] = i % 3
	}
	trainer := Trainer{Method: Beside}
	h := NewHeldOut(fold)
	keep := func(s Split) error {
		train, held := s.Rows(fold)
		return h.Fit(t.Context(), trainer, s, m.Take(train), m.Take(held), held, rand.New(rand.NewPCG(1, 1)))
	}
	if err := keep(Singles(3)[1]); err != nil {
		t.Fatal(err)
	}
	if err := keep(Pairs(3)[0]); err != nil || len(h.Pairs) != 1 || h.Pairs[0].Estimates != nil || len(h.Pairs[0].Rows) != 200 {
		t.Errorf("too few rows without two folds: %v, %+v", err, h.Pairs)
	}
	train, held := Singles(3)[1].Rows(fold)
	model, err := trainer.Fit(t.Context(), m.Take(train), rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := model.Estimate(m.X.Take(held), pick(m.Baseline, held))
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range held {
		if h.Estimates.Effect[i] != e.Effect[k] || h.Estimates.SE[i] != e.SE[k] || h.Estimates.Control[i] != e.Control[k] {
			t.Fatalf("row %d", i)
		}
	}
	if h.Estimates.SE[0] != 0 {
		t.Error("row 0 was estimated, though its fold was not left out")
	}
	if err := h.Fit(t.Context(), trainer, Singles(3)[0], m.Take([]int{0, 1, 2}), m.Take([]int{3}), []int{3}, rand.New(rand.NewPCG(1, 1))); err == nil {
		t.Error("three rows are enough without one fold")
	} else if few := new(TooFewError); !errors.As(err, &few) && !errors.Is(err, ErrOneArm) {
		t.Error(err)
	}
}

// nothingDone is n rows on whom chance decided about nothing: the outcome is drawn before who is treated. The baseline is right.
func nothingDone(n int, seed uint64) *Rows {
	rng := rand.New(rand.NewPCG(seed, 11))
	r := &Rows{X: &features.Matrix{Schema: features.Schema{{Name: "x0"}, {Name: "x1"}, {Name: "x2"}}, X: make([][]float32, 3)}}
	for i := range n {
		u, v, w := rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()
		stays := models.Sigmoid(.3 + .6*u + .8*v)
		r.X.X[0], r.X.X[1], r.X.X[2] = append(r.X.X[0], float32(u)), append(r.X.X[1], float32(v)), append(r.X.X[2], float32(w))
		r.Y = append(r.Y, indicator(rng.Float64() < stays))
		r.Treated, r.Baseline, r.Customer = append(r.Treated, rng.Float64() < .5), append(r.Baseline, stays), append(r.Customer, strconv.Itoa(i))
	}
	return r
}

// Where nothing does anything, 95 % of the intervals of the Qini must hold 0. The bounds leave less than 2.5 % of binomial(trials, .95) on either side. Of
// intervals that take the orders as they are, 183 of 200 held 0 for beside and 88 of 100 for dr_linear.
func TestIntervalsHoldNothing(t *testing.T) {
	for _, c := range []struct {
		trainer             Trainer
		trials, least, most int
	}{
		{Trainer{Method: Beside}, 200, 184, 196},
		{Trainer{Method: DoublyRobust, Base: Linear}, 100, 90, 99},
	} {
		held := 0
		for seed := range uint64(c.trials) {
			if holdsNothing(t, c.trainer, nothingDone(500, seed), seed) {
				held++
			}
		}
		if held < c.least || held > c.most {
			t.Errorf("%s: %d of %d intervals hold 0, want %d to %d", c.trainer.Name(), held, c.trials, c.least, c.most)
		}
	}
}
