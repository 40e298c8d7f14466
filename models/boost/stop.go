package boost

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// FitStopping is Fit with early stopping: it measures the log loss of valid after each tree, stops when it has not fallen for
// Patience rounds and returns the model of the best round. Only the number of trees depends on valid.
// Errors as Fit; models.ErrFeatureMismatch if valid has other columns.
func (t Trainer) FitStopping(ctx context.Context, d, valid *features.Dataset, rng *rand.Rand) (*Model, error) {
	if err := checkDataset(d); err != nil {
		return nil, err
	}
	if err := checkRows(valid); err != nil {
		return nil, fmt.Errorf("validation rows: %w", err)
	}
	if !sameSchema(d.X.Schema, valid.X.Schema) {
		return nil, fmt.Errorf("validation rows: %w", models.ErrFeatureMismatch)
	}
	patience := t.filled().Patience
	var s *stage
	best, at := 0.0, 0
	m, err := t.fit(ctx, d, rng, func(m *Model) bool {
		if s == nil {
			s = newStage(m.base, valid.X)
			best = meanLoss(s.margin, valid)
		}
		s.add(m, m.Trees()-1)
		if loss := meanLoss(s.margin, valid); loss < best {
			best, at = loss, m.Trees()
		}
		return m.Trees()-at >= patience
	})
	if err != nil {
		return nil, err
	}
	return m.Truncate(at), nil
}

// lossOf is the log loss of one row: log(1 + exp(-m)) if y is 1, log(1 + exp(m)) if it is 0.
func lossOf(margin, y float64) float64 {
	if y == 1 {
		margin = -margin
	}
	if margin > 0 {
		return margin + math.Log1p(math.Exp(-margin))
	}
	return math.Log1p(math.Exp(margin))
}

// meanLoss is the weighted mean of the log loss.
func meanLoss(margin []float64, d *features.Dataset) float64 {
	sum, weight := 0.0, 0.0
	for i, m := range margin {
		w := 1.0
		if d.Weight != nil {
			w = d.Weight[i]
		}
		sum += w * lossOf(m, d.Y[i])
		weight += w
	}
	return sum / weight
}
