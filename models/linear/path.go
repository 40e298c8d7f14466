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

// choose returns the λ with the lowest log loss over held-out customers; rows without a customer are their own. start is the coefficients of
// all rows at t.Lambda. The solutions do not depend on where the search for them starts.
func (t Trainer) choose(ctx context.Context, s *solver, d *features.Dataset, start []float64, seed uint64) (float64, error) {
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
		// A row of weight 0 is not there.
		in, out := *s, *s
		in.w, out.w = make([]float64, len(fold)), make([]float64, len(fold))
		rows, positives, held := 0.0, 0.0, 0.0
		for i, k := range fold {
			if k == f {
				out.w[i] = weightOf(s.w, i)
				held++
			} else {
				in.w[i] = weightOf(s.w, i)
				rows++
				positives += d.Y[i]
			}
		}
		if held == 0 || positives == 0 || positives == rows {
			return t.Lambda, nil // too few customers to choose by
		}
		b := start
		for k, lambda := range lambdas {
			var err error
			if b, err = in.solve(ctx, b, penalty{lambda, t.Alpha}, cvTolerance); err != nil {
				return 0, err
			}
			unseen := out.walk(b)
			loss[k] += unseen.loss * unseen.weight
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
