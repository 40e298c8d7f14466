package linear

import (
	"retain/features"
	"retain/models"
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
