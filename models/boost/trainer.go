package boost

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"retain/features"
	"retain/models"
)

// Trainer holds the choices of a boosted model. It is comparable, holds no data and may be used again.
// The zero value fits with the defaults below; Defaults chooses by the size of the training set.
type Trainer struct {
	Trees        int     // boosting rounds; 0 means 100
	LearningRate float64 // shrinkage of each tree in (0, 1]; 0 means 0.1
	Leaves       int     // largest number of leaves of a tree, at least 2; 0 means 31
	Depth        int     // largest number of splits on a path; 0 means no limit
	MinRows      int     // least sampled rows in a leaf; 0 means 20, or n/5000 of more than 100,000 training rows n: see leastRows
	MinHessian   float64 // least Σ w p (1-p) in a leaf; 0 means 1e-3
	MinGain      float64 // a split must lower the (sampled) training loss by more; 0 means 1e-7
	L1           float64 // penalty on |leaf value|, in units of gradient; 0 means none
	L2           float64 // penalty on leaf value²/2, in units of hessian; 0 means 1
	RowShare     float64 // share of rows drawn anew for each tree, in (0, 1]; 0 means 1
	ColumnShare  float64 // share of columns drawn anew for each tree, in (0, 1]; 0 means 1
	NodeShare    float64 // share of the tree's columns drawn anew for each leaf, in (0, 1]; 0 means 1
	Bins         int     // most value bins of a column, 2 to 255; 0 means 255
	Smoothing    float64 // categorical: hessian of the leaf's mean added to each level before sorting, and to L2 in the gain; 0 means 10
	// Monotone holds the trees to the directions of features.Column.Monotone. It is off by default: directions that are true cost a
	// little all the same (on CDNOW out of time .0004 of AUC), because a split must do without the steps that go against them.
	Monotone bool
	Patience int // rounds without a better loss of Options.Valid before it stops; 0 means 50
}

// minGain is the smallest gain of a split. Smaller ones are noise of rounding and flip between processors.
const minGain = 1e-7

// Fit learns from d. See models.Trainer for the shapes.
// One number is drawn from rng; everything random follows from it and from the row's customer and cutoff (from the row's
// place where d.Customer is nil), so that the order of rows does not matter.
// A model without any useful column is the base rate. Errors: models.ErrOneClass, models.ErrNotFinite, ctx.Err(), or what is
// wrong with d or t.
func (t Trainer) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	m, err := t.FitWith(ctx, d, rng, Options{})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Options is what a fit may be given besides its rows. The zero value gives it nothing.
type Options struct {
	// Valid stops the fit early: the log loss of these rows is measured after each tree; when it has not fallen for Trainer.Patience
	// rounds the model of the best round is returned. Only the number of trees depends on them.
	Valid *features.Dataset
	// From is a model of the same columns to go on from: its trees are kept and count among Trainer.Trees. A fit that was
	// cancelled, continued on the same rows with rng in the state it had then, gives the trees that it would have given.
	From *Model
	// Progress is told of each tree. It is called between trees, on the caller's goroutine.
	Progress func(Progress)
}

// Progress is how far a fit is.
type Progress struct {
	Trees, Of int     // trees so far, and how many there may be
	Leaves    int     // of the last tree
	Loss      float64 // mean log loss of Options.Valid, NaN without
}

// FitWith is Fit with options. If ctx ends, it returns the trees so far along with ctx.Err(): nothing is lost, see Options.From.
// Errors as Fit; models.ErrFeatureMismatch if Options.Valid or Options.From has other columns.
func (t Trainer) FitWith(ctx context.Context, d *features.Dataset, rng *rand.Rand, o Options) (*Model, error) {
	t = t.filled()
	if err := t.validate(); err != nil {
		return nil, err
	}
	if err := checkDataset(d); err != nil {
		return nil, err
	}
	if err := o.check(d.X.Schema); err != nil {
		return nil, err
	}
	seed := rng.Uint64()
	if err := ctx.Err(); err != nil {
		return o.From, err
	}
	b := newBooster(t, d, seed)
	defer b.crew.dismiss()
	m := &Model{schema: slices.Clone(d.X.Schema), base: b.base}
	if o.From != nil {
		m = o.From.copied()
		if err := b.goOn(o.From); err != nil {
			return nil, fmt.Errorf("the model to go on from: %w", err)
		}
	}
	s := newStopper(m, o.Valid, t.Patience)
	for m.Trees() < t.Trees && !s.stop() {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		grown := b.round(m.Trees())
		if len(grown.nodes) == 1 && t.drawsNothing() {
			break // every later round would find the same: nothing to split
		}
		m.append(grown)
		s.see(m)
		if o.Progress != nil {
			o.Progress(Progress{Trees: m.Trees(), Of: t.Trees, Leaves: (len(grown.nodes) + 1) / 2, Loss: s.loss})
		}
	}
	if o.Valid != nil {
		return m.Truncate(s.at), nil
	}
	return m, nil
}

// check says what is wrong with the options of a fit on columns s.
func (o *Options) check(s features.Schema) error {
	if o.From != nil && !sameSchema(s, o.From.schema) {
		return fmt.Errorf("the model to go on from: %w", models.ErrFeatureMismatch)
	}
	if o.Valid == nil {
		return nil
	}
	if err := checkRows(o.Valid); err != nil {
		return fmt.Errorf("validation rows: %w", err)
	}
	if !sameSchema(s, o.Valid.X.Schema) {
		return fmt.Errorf("validation rows: %w", models.ErrFeatureMismatch)
	}
	return nil
}

func (t Trainer) drawsNothing() bool {
	return t.RowShare == 1 && t.ColumnShare == 1 && t.NodeShare == 1
}

// filled returns t with its zero values replaced by the documented defaults, but for MinRows, which depends on the rows.
func (t Trainer) filled() Trainer {
	t.Trees = or(t.Trees, 100)
	t.LearningRate = or(t.LearningRate, 0.1)
	t.Leaves = or(t.Leaves, 31)
	t.Depth = or(t.Depth, math.MaxInt32)
	t.MinHessian = or(t.MinHessian, 1e-3)
	t.MinGain = or(t.MinGain, minGain)
	t.L2 = or(t.L2, 1)
	t.RowShare = or(t.RowShare, 1)
	t.ColumnShare = or(t.ColumnShare, 1)
	t.NodeShare = or(t.NodeShare, 1)
	t.Bins = or(t.Bins, maxBins)
	t.Smoothing = or(t.Smoothing, 10)
	t.Patience = or(t.Patience, 50)
	return t
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

func (t Trainer) validate() error {
	whole := []struct {
		name    string
		v       int
		lo, max int
	}{
		{"Trees", t.Trees, 1, math.MaxInt32},
		{"Leaves", t.Leaves, 2, 1 << 20},
		{"Depth", t.Depth, 1, math.MaxInt32},
		{"MinRows", t.MinRows, 0, math.MaxInt32},
		{"Bins", t.Bins, 2, maxBins},
		{"Patience", t.Patience, 1, math.MaxInt32},
	}
	for _, f := range whole {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("boost: %s is %d, want %d to %d", f.name, f.v, f.lo, f.max)
		}
	}
	shares := []struct {
		name string
		v    float64
	}{
		{"LearningRate", t.LearningRate}, {"RowShare", t.RowShare}, {"ColumnShare", t.ColumnShare}, {"NodeShare", t.NodeShare},
	}
	for _, f := range shares {
		if !(f.v > 0 && f.v <= 1) {
			return fmt.Errorf("boost: %s is %v, want above 0 and at most 1", f.name, f.v)
		}
	}
	penalties := []struct {
		name string
		v    float64
	}{
		{"MinHessian", t.MinHessian}, {"MinGain", t.MinGain}, {"L1", t.L1}, {"L2", t.L2}, {"Smoothing", t.Smoothing},
	}
	for _, f := range penalties {
		if !(f.v >= 0 && f.v <= math.MaxFloat64) {
			return fmt.Errorf("boost: %s is %v, want a finite number of at least 0", f.name, f.v)
		}
	}
	return nil
}
