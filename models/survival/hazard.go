package survival

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"retain/features"
	"retain/models"
)

// PeriodFeature is the column that a hazard model has beside the features of the customer: the number of the period, from 0.
const PeriodFeature = "survival_period"

// Trainer fits hazards of customers with features frozen at the cutoff.
type Trainer struct {
	Hazard  func(rows, positives, columns int) models.Trainer // of a row a customer, cutoff and period; required
	MaxRows int                                               // of them; of more, a sample of customers is taken; 0 means 300,000
}

const defaultMaxRows = 300_000

// Model is P(leaves in period j | there at its begin, features at the cutoff). It is immutable and safe for concurrent use.
type Model struct {
	Periods   Periods
	Rows      int // that it was fitted on: a row a customer, cutoff and period
	Positives int
	hazard    models.Model
	schema    features.Schema // without PeriodFeature
}

// Fit learns from one row a landmark and period that it was seen through, y = 1 where it left in it. The same inputs and rng state give
// the same Model. Errors: no landmark was seen through a period; what the hazard's trainer returns (models.ErrOneClass, …).
func (t Trainer) Fit(ctx context.Context, p Periods, l *Landmarks, rng *rand.Rand) (*Model, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	if l.X == nil {
		return nil, errors.New("survival: landmarks without features")
	}
	if t.MaxRows == 0 {
		t.MaxRows = defaultMaxRows
	}
	rows, period, y := unfold(p, l, t.MaxRows, rng.Uint64())
	if len(rows) == 0 {
		return nil, fmt.Errorf("survival: no customer was seen through a period of %d days", PeriodDays)
	}
	d := &features.Dataset{X: withPeriod(l.X.Take(rows), period), Y: y}
	for _, i := range rows {
		d.Customer, d.Cutoff = append(d.Customer, l.Customer[i]), append(d.Cutoff, l.Cutoff[i])
	}
	m := &Model{schema: l.X.Schema, Rows: len(rows)}
	for k, v := range y {
		m.Positives += int(v)
		m.Periods = Periods{Ends: p.Ends[:max(len(m.Periods.Ends), int(period[k])+1)], Silent: p.Silent}
	}
	var err error
	if m.hazard, err = t.Hazard(len(rows), m.Positives, d.X.Cols()).Fit(ctx, d, rng); err != nil {
		return nil, fmt.Errorf("fit hazards: %w", err)
	}
	return m, nil
}

// unfold lists the landmark and the period of each training row, in the order of the landmarks.
func unfold(p Periods, l *Landmarks, most int, seed uint64) (rows []int, period []float32, y []float64) {
	total := 0
	for i := range l.Exit {
		for j := range p.Ends {
			if atRisk, _ := l.fate(p, i, j); atRisk {
				total++
			}
		}
	}
	share := float64(most) / float64(max(total, 1))
	for i := range l.Exit {
		if share < 1 && float64(features.KeyedHash(seed, "survival", l.Customer[i])) >= share*0x1p64 {
			continue
		}
		for j := range p.Ends {
			if atRisk, left := l.fate(p, i, j); atRisk {
				rows, period, y = append(rows, i), append(period, float32(j)), append(y, 0)
				if left {
					y[len(y)-1] = 1
				}
			}
		}
	}
	return rows, period, y
}

// withPeriod adds the column of the period.
func withPeriod(x *features.Matrix, period []float32) *features.Matrix {
	return &features.Matrix{
		Schema: append(slices.Clone(x.Schema), features.Column{Name: PeriodFeature, Kind: features.Numeric}),
		X:      append(slices.Clone(x.X), period),
	}
}

// Hazards are those of each row of x: n slices of one hazard a period, in (0, 1). Errors: models.ErrFeatureMismatch, models.ErrNotFinite.
func (m *Model) Hazards(x *features.Matrix) ([][]float64, error) {
	if x.Schema.Fingerprint() != m.schema.Fingerprint() {
		return nil, models.ErrFeatureMismatch
	}
	n := x.Rows()
	out := make([][]float64, n)
	flat := make([]float64, n*len(m.Periods.Ends))
	for i := range out {
		out[i] = flat[i*len(m.Periods.Ends) : (i+1)*len(m.Periods.Ends)]
	}
	period, margin := make([]float32, n), make([]float64, n)
	for j := range m.Periods.Ends {
		for i := range period {
			period[i] = float32(j)
		}
		if n == 0 {
			break
		}
		if err := m.hazard.Margin(margin, withPeriod(x, period)); err != nil {
			return nil, fmt.Errorf("hazards of period %d: %w", j+1, err)
		}
		for i, v := range margin {
			out[i][j] = models.Sigmoid(v)
		}
	}
	return out, nil
}
