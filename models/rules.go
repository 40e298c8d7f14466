package models

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models/internal/wire"
)

// RecencyRule is the bar that every model has to clear: σ(a + b·log1p(days since the last activity)), fitted by maximum
// likelihood on the training rows (metrics.md §5). It reads one column and ignores the others.
type RecencyRule struct {
	Feature string // name of the numeric column that counts days since the last activity; required
}

const (
	recencyMagic   = "RREC"
	recencyVersion = 1
	// recencyRidge keeps b finite where the days separate the classes perfectly; a fit on ordinary rows does not feel it.
	recencyRidge = 1e-6
)

// Fit learns a and b from d. Rows whose days are missing get a log-odds of their own: that of their share of churners shrunk by
// one row of the base rate. Where no training row misses its days, a later missing one counts as the longest silence seen.
// Errors: as Trainer; a Feature that is not a numeric column of d.
func (t RecencyRule) Fit(ctx context.Context, d *features.Dataset, _ *rand.Rand) (Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := CheckDataset(d); err != nil {
		return nil, fmt.Errorf("fit recency rule: %w", err)
	}
	column := -1
	for j, c := range d.X.Schema {
		if c.Name == t.Feature && c.Kind == features.Numeric {
			column = j
		}
	}
	if column < 0 {
		return nil, fmt.Errorf("fit recency rule: no numeric column %q among the %d features", t.Feature, len(d.X.Schema))
	}
	var x, y, w []float64
	var missing, missingChurned, all, churned float64
	for i, days := range d.X.X[column] {
		weight := 1.0
		if d.Weight != nil {
			weight = d.Weight[i]
		}
		all += weight
		churned += weight * d.Y[i]
		if days != days {
			missing += weight
			missingChurned += weight * d.Y[i]
			continue
		}
		x = append(x, logDays(days))
		y = append(y, d.Y[i])
		w = append(w, weight)
	}
	rate := churned / all
	m := &recencyModel{schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint(), column: column, intercept: logit(rate)}
	if len(x) > 0 {
		m.intercept, m.slope = fitLine(x, y, w, recencyRidge)
	}
	longest := 0.0
	var sum, weight float64
	for i := range x {
		longest = max(longest, x[i])
		sum += w[i] * x[i]
		weight += w[i]
	}
	m.missing = m.intercept + m.slope*longest
	if missing > 0 {
		m.missing = logit((missingChurned + rate) / (missing + 1))
	}
	m.base = m.intercept
	if weight > 0 {
		m.base += m.slope * sum / weight
	}
	return m, nil
}

// recencyModel is a fitted RecencyRule; base is the margin at the training mean of log1p(days).
type recencyModel struct {
	schema                          features.Schema
	fingerprint                     string
	column                          int
	intercept, slope, missing, base float64
}

func (m *recencyModel) Family() string          { return "recency_rule" }
func (m *recencyModel) Schema() features.Schema { return m.schema }

func (m *recencyModel) margin(days float32) float64 {
	if days != days {
		return m.missing
	}
	return m.intercept + m.slope*logDays(days)
}

func (m *recencyModel) Margin(dst []float64, x *features.Matrix) error {
	if err := CheckMargin(dst, m.fingerprint, x); err != nil {
		return err
	}
	for i, days := range x.X[m.column] {
		dst[i] = m.margin(days)
	}
	return nil
}

func (m *recencyModel) Contributions(dst []float64, x *features.Matrix) (float64, error) {
	if err := CheckContributions(dst, m.fingerprint, x); err != nil {
		return 0, err
	}
	clear(dst)
	for i, days := range x.X[m.column] {
		dst[i*x.Cols()+m.column] = m.margin(days) - m.base
	}
	return m.base, nil
}

func (m *recencyModel) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.Uint(uint64(m.column))
	w.Floats([]float64{m.intercept, m.slope, m.missing, m.base})
	return wire.Seal(recencyMagic, recencyVersion, w.Bytes()), nil
}

// DecodeRecencyRule reads the bytes of a fitted RecencyRule for the features of s. Errors: damaged bytes, ErrFeatureMismatch.
func DecodeRecencyRule(b []byte, s features.Schema) (Model, error) {
	r, err := wire.Open(recencyMagic, recencyVersion, b)
	if err != nil {
		return nil, err
	}
	fingerprint, column, p := r.String(), r.Uint(), r.Floats()
	if err := r.Done(); err != nil {
		return nil, err
	}
	if fingerprint != s.Fingerprint() {
		return nil, ErrFeatureMismatch
	}
	if len(p) != 4 || column >= uint64(len(s)) || s[column].Kind != features.Numeric {
		return nil, fmt.Errorf("%w: recency rule of %d parameters on column %d", wire.ErrCorrupt, len(p), column)
	}
	return &recencyModel{schema: s, fingerprint: fingerprint, column: int(column), intercept: p[0], slope: p[1], missing: p[2], base: p[3]}, nil
}

// BaseRate gives everyone the training rows' share of churners: the floor of every table.
type BaseRate struct{}

const (
	baseRateMagic   = "RBAS"
	baseRateVersion = 1
)

// Fit takes the weighted share of churners of d. Errors: as Trainer.
func (BaseRate) Fit(ctx context.Context, d *features.Dataset, _ *rand.Rand) (Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := CheckDataset(d); err != nil {
		return nil, fmt.Errorf("fit base rate: %w", err)
	}
	var churned, all float64
	for i, y := range d.Y {
		w := 1.0
		if d.Weight != nil {
			w = d.Weight[i]
		}
		churned += w * y
		all += w
	}
	return &baseRateModel{schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint(), base: logit(churned / all)}, nil
}

type baseRateModel struct {
	schema      features.Schema
	fingerprint string
	base        float64
}

func (m *baseRateModel) Family() string          { return "base_rate" }
func (m *baseRateModel) Schema() features.Schema { return m.schema }

func (m *baseRateModel) Margin(dst []float64, x *features.Matrix) error {
	if err := CheckMargin(dst, m.fingerprint, x); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = m.base
	}
	return nil
}

func (m *baseRateModel) Contributions(dst []float64, x *features.Matrix) (float64, error) {
	if err := CheckContributions(dst, m.fingerprint, x); err != nil {
		return 0, err
	}
	clear(dst)
	return m.base, nil
}

func (m *baseRateModel) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	w.String(m.fingerprint)
	w.Float(m.base)
	return wire.Seal(baseRateMagic, baseRateVersion, w.Bytes()), nil
}

// DecodeBaseRate reads the bytes of a fitted BaseRate for the features of s. Errors: damaged bytes, ErrFeatureMismatch.
func DecodeBaseRate(b []byte, s features.Schema) (Model, error) {
	r, err := wire.Open(baseRateMagic, baseRateVersion, b)
	if err != nil {
		return nil, err
	}
	m := &baseRateModel{schema: s, fingerprint: r.String(), base: r.Finite()}
	if err := r.Done(); err != nil {
		return nil, err
	}
	if m.fingerprint != s.Fingerprint() {
		return nil, ErrFeatureMismatch
	}
	return m, nil
}

// logDays is log1p of days; a negative count, which only a clock running ahead can give, is none.
func logDays(days float32) float64 { return math.Log1p(max(float64(days), 0)) }
