package linear

import (
	"fmt"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
)

// curve is one feature's part of the margin, zero on average over the training rows.
type curve struct {
	scale   scale
	knots   []float64 // hinges
	slopes  []float64 // per knot
	offset  float64
	missing float64   // of a missing value
	levels  []float64 // categorical: per level
}

func (c *curve) at(v float32) float64 {
	if v != v {
		return c.missing
	}
	if c.levels != nil {
		return c.levels[int(v)]
	}
	t, sum := c.scale.at(v), c.offset
	for k, knot := range c.knots {
		if t <= knot {
			break // knots rise
		}
		sum += c.slopes[k] * (t - knot)
	}
	return sum
}

// Model is a fitted logistic regression.
type Model struct {
	schema      features.Schema
	fingerprint string
	base        float64 // the margin of the mean training row
	curves      []curve // per feature
	lambda      float64
}

// newModel folds the coefficients of the terms (intercept first) into one curve per feature.
func newModel(s features.Schema, z *design, w []float64, t Trainer) *Model {
	m := &Model{schema: s, fingerprint: s.Fingerprint(), base: w[0], curves: make([]curve, len(s)), lambda: t.Lambda}
	for j, c := range s {
		if c.Kind == features.Categorical {
			m.curves[j].levels = make([]float64, len(c.Levels))
		} else {
			m.curves[j].scale = z.scales[j]
		}
	}
	// What every value of a feature gets: each of its terms centred.
	for k, f := range z.terms {
		m.curves[f.feature].offset -= w[k+1] * f.centre / f.spread
	}
	for k, f := range z.terms {
		c := &m.curves[f.feature]
		switch {
		case !f.indicator:
			c.knots, c.slopes = append(c.knots, f.knot), append(c.slopes, w[k+1]/f.spread)
		case f.level != missingLevel:
			c.levels[f.level] += w[k+1]
		}
	}
	for j := range m.curves {
		c := &m.curves[j]
		for l := range c.levels {
			c.levels[l] += c.offset
		}
		c.missing = c.offset
		for k, knot := range c.knots {
			c.missing += c.slopes[k] * max(c.scale.fill-knot, 0)
		}
	}
	for k, f := range z.terms {
		if f.indicator && f.level == missingLevel {
			m.curves[f.feature].missing += w[k+1]
		}
	}
	return m
}

// Family is "linear".
func (m *Model) Family() string { return Family }

// Schema is the features that the model was fitted on.
func (m *Model) Schema() features.Schema { return m.schema }

// Lambda is the penalty weight of the fit.
func (m *Model) Lambda() float64 { return m.lambda }

// Margin writes the log-odds of each row of x: the base and the features' curves, added in column order.
func (m *Model) Margin(dst []float64, x *features.Matrix) error {
	if err := models.CheckMargin(dst, m.fingerprint, x); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = m.base
	}
	for j, column := range x.X {
		c := &m.curves[j]
		for i, v := range column {
			dst[i] += c.at(v)
		}
	}
	return nil
}

// Contributions writes each feature's curve at the row's value, Σ over the feature's terms of coefficient · (term - its training
// mean), and returns the margin of the mean training row.
func (m *Model) Contributions(dst []float64, x *features.Matrix) (float64, error) {
	if err := models.CheckContributions(dst, m.fingerprint, x); err != nil {
		return 0, err
	}
	p := x.Cols()
	for j, column := range x.X {
		c := &m.curves[j]
		for i, v := range column {
			dst[i*p+j] = c.at(v)
		}
	}
	return m.base, nil
}

const (
	magic   = "RLIN"
	version = 1
)

// MarshalBinary writes the fingerprint, the base and the curves.
func (m *Model) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.Float(m.base)
	w.Float(m.lambda)
	w.Uint(uint64(len(m.curves)))
	for _, c := range m.curves {
		w.Uint(boolean(c.scale.log))
		w.Floats([]float64{c.scale.lo, c.scale.hi, c.scale.fill, c.offset, c.missing})
		w.Floats(c.knots)
		w.Floats(c.slopes)
		w.Floats(c.levels)
	}
	return wire.Seal(magic, version, w.Bytes()), nil
}

// Decode reads MarshalBinary's bytes for the features of s. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func Decode(b []byte, s features.Schema) (models.Model, error) {
	r, err := wire.Open(magic, version, b)
	if err != nil {
		return nil, err
	}
	m := &Model{schema: s, fingerprint: r.String(), base: r.Finite(), lambda: r.Finite()}
	m.curves = make([]curve, r.Count(8*5))
	for j := range m.curves {
		c := &m.curves[j]
		c.scale.log = r.Uint() == 1
		f := r.Floats()
		if len(f) != 5 {
			return nil, fmt.Errorf("%w: feature %d", wire.ErrCorrupt, j)
		}
		c.scale.lo, c.scale.hi, c.scale.fill, c.offset, c.missing = f[0], f[1], f[2], f[3], f[4]
		c.knots, c.slopes, c.levels = r.Floats(), r.Floats(), r.Floats()
		if len(c.knots) != len(c.slopes) {
			return nil, fmt.Errorf("%w: %d knots, %d slopes of feature %d", wire.ErrCorrupt, len(c.knots), len(c.slopes), j)
		}
	}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if m.fingerprint != s.Fingerprint() {
		return nil, models.ErrFeatureMismatch
	}
	if len(m.curves) != len(s) {
		return nil, fmt.Errorf("%w: %d curves for %d features", wire.ErrCorrupt, len(m.curves), len(s))
	}
	for j := range m.curves {
		categorical := s[j].Kind == features.Categorical
		if categorical && len(m.curves[j].levels) != len(s[j].Levels) || !categorical && m.curves[j].levels != nil {
			return nil, fmt.Errorf("%w: levels of feature %s", wire.ErrCorrupt, s[j].Name)
		}
		if categorical && m.curves[j].levels == nil {
			m.curves[j].levels = []float64{}
		}
	}
	return m, nil
}

func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
