package uplift

import (
	"context"
	"errors"
	"math/rand/v2"
)

// Split leaves one or two folds out of what is learned from.
type Split struct {
	Folds [2]int // the same twice: one
}

// Single tells whether one fold is left out.
func (s Split) Single() bool { return s.Folds[0] == s.Folds[1] }

// Singles leave out each of some folds, numbered from 0.
func Singles(folds int) []Split {
	out := make([]Split, folds)
	for k := range out {
		out[k].Folds = [2]int{k, k}
	}
	return out
}

// Pairs leave out two folds, each with the next and the one after it, all in a ring: every pair of up to five folds, and never more than two pairs a fold.
func Pairs(folds int) []Split {
	var out []Split
	seen := map[[2]int]bool{}
	for step := 1; step <= 2; step++ {
		for k := range folds {
			other := (k + step) % folds
			pair := [2]int{min(k, other), max(k, other)}
			if k != other && !seen[pair] {
				seen[pair] = true
				out = append(out, Split{pair})
			}
		}
	}
	return out
}

// Rows are those that are learned from and those left out, each in rising order.
func (s Split) Rows(fold []int) (train, held []int) {
	for i, f := range fold {
		if f == s.Folds[0] || f == s.Folds[1] {
			held = append(held, i)
		} else {
			train = append(train, i)
		}
	}
	return train, held
}

// HeldOut are a learner's estimates of n rows, each by a model that has not seen the row's fold.
type HeldOut struct {
	Fold      []int // of each row, 0, 1, …
	Estimates *Estimates
	Pairs     []HeldOutPair
}

// HeldOutPair are the estimates of the rows of two folds by a model that has seen neither.
type HeldOutPair struct {
	Split
	Rows      []int      // in rising order
	Estimates *Estimates // of Rows; nil: what was left was too little to learn from
}

// NewHeldOut has no estimate yet.
func NewHeldOut(fold []int) *HeldOut {
	n := len(fold)
	return &HeldOut{Fold: fold, Estimates: &Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: make([]float64, n)}}
}

// Fit learns from train, the rows that s leaves, and keeps the estimates of rest, those that it leaves out, whose places are held. Where two folds are left
// out, it is no error that an arm has too few outcomes then. Errors: those of Trainer.Fit.
func (h *HeldOut) Fit(ctx context.Context, t Trainer, s Split, train, rest *Rows, held []int, rng *rand.Rand) error {
	m, err := t.Fit(ctx, train, rng)
	var few *TooFewError
	if !s.Single() && (errors.As(err, &few) || errors.Is(err, ErrOneArm)) {
		h.Pairs = append(h.Pairs, HeldOutPair{Split: s, Rows: held})
		return nil
	}
	if err != nil {
		return err
	}
	e, err := m.Estimate(rest.X, rest.Baseline)
	if err != nil {
		return err
	}
	if !s.Single() {
		h.Pairs = append(h.Pairs, HeldOutPair{Split: s, Rows: held, Estimates: e})
		return nil
	}
	for k, i := range held {
		h.Estimates.Effect[i], h.Estimates.SE[i], h.Estimates.Control[i] = e.Effect[k], e.SE[k], e.Control[k]
	}
	return nil
}
