// Package linear is elastic-net logistic regression on a fixed, documented expansion of the features: margins are sums of one curve
// per feature, so that reasons are exact.
//
// Each numeric column is put on the scale sign(v)·log1p(|v|) where it is skewed, clamped to the training range, and enters as
// itself and as hinges max(0, t - knot) at training quantiles, each with mean 0 and standard deviation 1; a missing value counts as the
// training mean and, where training rows miss the column, has an indicator of its own. Each level of a categorical column has an
// indicator, missing being one more level. Indicators keep the scale 0/1, so that the penalty shrinks rare levels most.
package linear

import (
	"context"
	"fmt"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// Family is the contract's name of these models.
const Family = "linear"

// Trainer fits w by minimising
//
//	(1/Σω) Σ ω·logloss + λ (α‖w‖₁ + (1-α)/2 ‖w‖²),   ω the row weights, the intercept not penalised,
//
// by proximal Newton steps with coordinate descent inside (Friedman, Hastie & Tibshirani 2010, "Regularization paths for
// generalized linear models via coordinate descent"; Lee, Sun & Saunders 2014).
type Trainer struct {
	Lambda float64 // penalty weight λ > 0; 0 means that of Defaults for the rows at hand
	Alpha  float64 // share of the L1 penalty, [0, 1]; 0 is ridge
	Hinges int     // knots per numeric column, 0..16; 0 = straight lines
	Path   int     // penalties tried on each side of Lambda, a factor of 4 apart, by 5-fold cross-validation over customers; 0 = Lambda only
}

// Defaults follow the size of the training data: rows, rows of churners, and feature columns.
func Defaults(rows, positives, columns int) Trainer {
	return Trainer{Lambda: lambda(rows, positives, columns), Alpha: defaultAlpha, Hinges: defaultHinges, Path: defaultPath}
}

const (
	defaultAlpha  = .1
	defaultHinges = 3
	defaultPath   = 2
	maxHinges     = 16
)

func lambda(rows, positives, columns int) float64 {
	return float64(columns) / (4 * float64(max(rows, 1)))
}

// Fit learns from d as models.Trainer lays down. rng decides the folds only; without Path it may be nil.
func (t Trainer) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	if t.Lambda < 0 || !(t.Alpha >= 0 && t.Alpha <= 1) || t.Hinges < 0 || t.Hinges > maxHinges || t.Path < 0 {
		return nil, fmt.Errorf("fit linear: penalty %v, L1 share %v, %d hinges or path of %d is out of range", t.Lambda, t.Alpha, t.Hinges, t.Path)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := models.CheckDataset(d); err != nil {
		return nil, fmt.Errorf("fit linear: %w", err)
	}
	if t.Lambda == 0 {
		positives := 0
		for _, y := range d.Y {
			positives += int(y)
		}
		t.Lambda = lambda(d.Rows(), positives, d.X.Cols())
	}
	z := newDesign(d, t.Hinges)
	s := newSolver(z, d)
	rows, w := s.all(), s.start()
	if t.Path > 0 {
		pilot, err := s.solve(ctx, rows, w, nil, penalty{t.Lambda, t.Alpha}, cvTolerance)
		if err != nil {
			return nil, fmt.Errorf("fit linear: %w", err)
		}
		w = pilot
		if t.Lambda, err = t.choose(ctx, s, d, w, s.hessian(rows, w), rng.Uint64()); err != nil {
			return nil, fmt.Errorf("fit linear: %w", err)
		}
	}
	w, err := s.solve(ctx, rows, w, nil, penalty{t.Lambda, t.Alpha}, fitTolerance)
	if err != nil {
		return nil, fmt.Errorf("fit linear: %w", err)
	}
	return newModel(d.X.Schema, z, w, t), nil
}
