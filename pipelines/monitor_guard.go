package pipelines

import (
	"context"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/training"
	"retain/training/metrics"
)

// untreatedOf tells who of a run was left alone in its label window: a programme that works would otherwise read as a model that tells too much.
func (m *monitor) untreatedOf(ctx context.Context, run warehouse.RunRow, spec features.ChurnSpec) (*training.Untreated, error) {
	if m.guard == nil {
		var err error
		if m.guard, err = training.NewGuard(ctx, m.store); err != nil {
			return nil, err
		}
	}
	return m.guard.Of(ctx, spec, run.Cutoff, time.Time{})
}

// weigh puts the weighted O/E of the untreated into the figures of a run, and judges the level by it, too. Figures of runs that no decision follows stay as they are.
func (m *monitor) weigh(ctx context.Context, run warehouse.RunRow, held metrics.Held, figures *metrics.PooledFigures) error {
	spec, _, err := m.labelsReach(ctx, run.Artifact)
	if err != nil {
		return err
	}
	untreated, err := m.untreatedOf(ctx, run, spec)
	if err != nil || untreated == nil {
		return err
	}
	observed, expected := make([]float64, len(held.Y)), make([]float64, len(held.Y))
	for i, id := range held.Customer {
		w, _ := untreated.Weight(id)
		observed[i], expected[i] = w*held.Y[i], w*held.P[i]
	}
	c := &figures.Calibration
	c.ObservedExpected = metrics.Figure(metrics.Sum(observed) / metrics.Sum(expected))
	c.OEInterval = metrics.NewBootstrap(1, held.Customer).Ratio(observed, expected)
	c.Pass = c.Pass && c.LevelHolds()
	return nil
}
