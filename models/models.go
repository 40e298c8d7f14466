// Package models holds what every model family shares: Trainer and Model, the artifact, calibration and reasons.
package models

import (
	"context"
	"errors"
	"math/rand/v2"

	"retain/features"
)

// ErrFeatureMismatch says that a matrix has not the features that the model was fitted on.
var ErrFeatureMismatch = errors.New("models: feature set differs from the fitted one")

// ErrNotFinite says that a matrix holds an infinity. NaN is a missing value and allowed.
var ErrNotFinite = errors.New("models: infinite feature value")

// ErrOneClass says that the training rows hold one class only, so that nothing can be learned.
var ErrOneClass = errors.New("models: training rows hold one class only")

// Trainer holds choices only (comparable hyperparameters, no state); zero values mean documented defaults.
type Trainer interface {
	// Fit learns from d (n rows: X n×p, Y 1 = churned within the horizon, Weight, Customer, Cutoff) and keeps none of it.
	// The same inputs and rng state give the same Model bit for bit, whatever GOMAXPROCS is.
	// Errors: ErrOneClass, ErrNotFinite, ctx.Err(), or a description of what is wrong with d.
	Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (Model, error)
}

// Model is what was learned. It is immutable and safe for concurrent use.
type Model interface {
	// Family is the contract's name of the model family: boost, linear, recency_rule, base_rate, blend.
	Family() string
	// Schema is the features that the model was fitted on.
	Schema() features.Schema
	// Margin writes the log-odds of churn of each row of x into dst, which must be n long.
	// Errors: ErrFeatureMismatch, ErrNotFinite.
	Margin(dst []float64, x *features.Matrix) error
	// MarshalBinary returns the learned parameters; the same model gives the same bytes.
	MarshalBinary() ([]byte, error)
}

// Explainer is a Model with exact additive reasons. Only explainers may be champion.
type Explainer interface {
	Model
	// Contributions writes the n×p contributions row by row into dst (dst[i*p+j] is feature j of row i) and returns the
	// base: base + Σ_j dst[i*p+j] equals the margin of row i within 1e-6. Errors as Margin.
	Contributions(dst []float64, x *features.Matrix) (base float64, err error)
}
