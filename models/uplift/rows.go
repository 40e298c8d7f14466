package uplift

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/models"
)

// ErrNotRandomised says that there is nothing to learn an effect from: chance did not decide who was treated, or nobody knows with what probability.
var ErrNotRandomised = errors.New("uplift: no randomised or propensity-logged rows")

// ErrOneArm says that all rows were treated, or none was, or that one of the arms holds one outcome only.
var ErrOneArm = errors.New("uplift: an arm is empty or has one outcome only")

// Rows are what an uplift is learned from: n rows, at most one per customer and horizon, of whom chance decided whether they were treated. Only rows
// whose treatment was randomised, or drawn with a logged propensity, belong here. All slices have n values.
type Rows struct {
	X          *features.Matrix // n×p, encoded, as known before the decision; the columns of Groups last, as WithGroups puts them
	Y          []float64        // 1 = the outcome that is wanted, 0 = not
	Treated    []bool
	Propensity []float64   // e = P(treated) / (P(treated) + P(left alone)), in (0, 1); nil: the share of treated rows, for a plain experiment
	Baseline   []float64   // P(Y = 1) if left alone, as a model had it at the decision that had not seen Y: the churn model's 1 - p. nil: none is known
	Customer   []string    // the grouping of folds
	Cutoff     []time.Time // of the features, UTC; nil for flat tables
	Groups     []Group     // named beforehand; at most 64
}

// leastPropensity clips propensities to [.02, .98], so that no row weighs more than 50.
const leastPropensity = .02

// Clip is a propensity within [.02, .98].
func Clip(e float64) float64 { return min(max(e, leastPropensity), 1-leastPropensity) }

// Len is n.
func (r *Rows) Len() int { return len(r.Y) }

// Take returns the rows of the given indices, in their order.
func (r *Rows) Take(rows []int) *Rows {
	return &Rows{X: r.X.Take(rows), Y: pick(r.Y, rows), Treated: pick(r.Treated, rows), Propensity: pick(r.Propensity, rows), Baseline: pick(r.Baseline, rows), Customer: pick(r.Customer, rows), Cutoff: pick(r.Cutoff, rows), Groups: r.Groups}
}

func pick[T any](s []T, rows []int) []T {
	if s == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = s[i]
	}
	return out
}

// check says why nothing can be learned from r.
func (r *Rows) check() error {
	n := r.Len()
	switch {
	case n == 0 || r.X == nil:
		return fmt.Errorf("%w: there is no row", ErrNotRandomised)
	case len(r.Treated) != n || len(r.Customer) != n || r.X.Rows() != n || r.Propensity != nil && len(r.Propensity) != n || r.Cutoff != nil && len(r.Cutoff) != n:
		return errors.New("uplift: slices of unequal length")
	}
	for i, e := range r.Propensity {
		if !(e > 0 && e < 1) {
			return fmt.Errorf("%w: row %d was treated with probability %v: both arms must have been possible", ErrNotRandomised, i, e)
		}
	}
	for _, treated := range []bool{true, false} {
		seen := [2]bool{}
		for i, y := range r.Y {
			if r.Treated[i] != treated {
				continue
			}
			if y != 0 && y != 1 {
				return fmt.Errorf("uplift: outcome %v of row %d is neither 0 nor 1", y, i)
			}
			seen[int(y)] = true
		}
		if !seen[0] || !seen[1] {
			return ErrOneArm
		}
	}
	if err := r.checkGroups(); err != nil {
		return err
	}
	return models.CheckMatrix(r.X.Schema.Fingerprint(), r.X)
}

// propensities are the clipped propensities; of a plain experiment the share of the treated.
func (r *Rows) propensities() []float64 {
	e := slices.Clone(r.Propensity)
	if e == nil {
		share := 0.
		for _, t := range r.Treated {
			if t {
				share++
			}
		}
		e = slices.Repeat([]float64{share / float64(r.Len())}, r.Len())
	}
	for i := range e {
		e[i] = Clip(e[i])
	}
	return e
}

// arm is the treated or the other rows as a training set. Where propensities vary, a row weighs the inverse of its own, at a mean of 1: what is learned is
// then of all rows, whatever the policy looked at when it chose.
func (r *Rows) arm(treated bool, e []float64) *features.Dataset {
	var rows []int
	for i, t := range r.Treated {
		if t == treated {
			rows = append(rows, i)
		}
	}
	d := &features.Dataset{X: r.X.Take(rows), Y: pick(r.Y, rows), Customer: pick(r.Customer, rows), Cutoff: pick(r.Cutoff, rows)}
	if r.Propensity == nil {
		return d
	}
	d.Weight = make([]float64, len(rows))
	total := 0.
	for k, i := range rows {
		p := e[i]
		if !treated {
			p = 1 - p
		}
		d.Weight[k] = 1 / p
		total += 1 / p
	}
	for k := range d.Weight {
		d.Weight[k] *= float64(len(rows)) / total
	}
	return d
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
