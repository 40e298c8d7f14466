package uplift

import (
	"context"
	"fmt"
	"math/rand/v2"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/linear"
)

// Base is the family that learns the outcome of an arm.
type Base string

// The bases.
const (
	Linear Base = linear.Family
	Boost  Base = "boost"
)

// fit learns the outcome of one arm with the choices that the family has for a training set of that size.
func (b Base) fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	positives := 0
	for _, y := range d.Y {
		positives += int(y)
	}
	switch b {
	case Linear:
		return linear.Defaults(d.Rows(), positives, d.X.Cols()).Fit(ctx, d, rng)
	case Boost:
		return boost.Defaults(d.Rows(), positives, d.X.Cols()).Fit(ctx, d, rng)
	}
	return nil, fmt.Errorf("uplift: no base %q; there are %s and %s", string(b), Linear, Boost)
}

// decode reads a model of the base back.
func (b Base) decode(blob []byte, s features.Schema) (models.Model, error) {
	switch b {
	case Linear:
		return linear.Decode(blob, s)
	case Boost:
		return boost.Decode(blob, s)
	}
	return nil, fmt.Errorf("uplift: no base %q", string(b))
}

// arms are the models of both outcomes.
type arms struct{ treated, control models.Model }

// fitArms learns both outcomes.
func fitArms(ctx context.Context, b Base, r *Rows, e []float64, rng *rand.Rand) (a arms, err error) {
	if a.treated, err = b.fit(ctx, r.arm(true, e), rng); err != nil {
		return a, fmt.Errorf("treated rows: %w", err)
	}
	if a.control, err = b.fit(ctx, r.arm(false, e), rng); err != nil {
		return a, fmt.Errorf("rows left alone: %w", err)
	}
	return a, nil
}

// means are both arms' probabilities of the wanted outcome, for each row of x.
func (a arms) means(x *features.Matrix) (treated, control []float64, err error) {
	of := func(m models.Model) ([]float64, error) {
		p := make([]float64, x.Rows())
		if err := m.Margin(p, x); err != nil {
			return nil, err
		}
		for i, v := range p {
			p[i] = sigmoid(v)
		}
		return p, nil
	}
	if treated, err = of(a.treated); err != nil {
		return nil, nil, err
	}
	control, err = of(a.control)
	return treated, control, err
}
