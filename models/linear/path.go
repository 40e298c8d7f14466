package linear

import (
	"context"
	"math"

	"retain/features"
)

const (
	folds      = 5
	foldDomain = "linear-penalty" // of features.KeyedHash
	pathFactor = 4
)

// choose returns the λ with the lowest log loss over held-out customers; rows without a customer are their own. hessian is that of all
// rows at start, the coefficients of all rows at t.Lambda. The solutions do not depend on where the search for them starts.
func (t Trainer) choose(ctx context.Context, s *solver, d *features.Dataset, start, hessian []float64, seed uint64) (float64, error) {
	fold := make([]int, d.Rows())
	for i := range fold {
		if d.Customer != nil {
			fold[i] = int(features.KeyedHash(seed, foldDomain, d.Customer[i]) % folds)
		} else {
			fold[i] = i % folds
		}
	}
	lambdas := make([]float64, 0, 2*t.Path+1)
	for k := t.Path; k >= -t.Path; k-- {
		lambdas = append(lambdas, t.Lambda*math.Pow(pathFactor, float64(k)))
	}
	loss := make([]float64, len(lambdas))
	for f := range folds {
		var in, out []int32
		positives := 0.0
		for i, k := range fold {
			if k == f {
				out = append(out, int32(i))
			} else {
				in = append(in, int32(i))
				positives += d.Y[i]
			}
		}
		if len(out) == 0 || positives == 0 || positives == float64(len(in)) {
			return t.Lambda, nil // too few customers to choose by
		}
		b := start
		for k, lambda := range lambdas {
			var err error
			if b, err = s.solve(ctx, in, b, hessian, penalty{lambda, t.Alpha}, cvTolerance); err != nil {
				return 0, err
			}
			held := s.walk(out, b)
			loss[k] += held.loss * held.weight
		}
	}
	best := 0
	for k := range loss {
		if loss[k] < loss[best] {
			best = k
		}
	}
	return lambdas[best], nil
}
