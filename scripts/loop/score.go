package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/simulation"
)

// scorer is the churn model of one world: boosted trees, fitted once on what was known at the first run. Contacts are not among its columns,
// so that a policy does not change the scores of those whom it treats.
type scorer struct{ model models.Model }

// newScorer fits the model on the customers at the training cutoffs, whose labels were known at the first run.
func newScorer(ctx context.Context, s *setting, b *book, w *simulation.World, seed uint64) (*scorer, error) {
	d := &features.Dataset{X: &features.Matrix{Schema: sightSchema, X: make([][]float32, len(sightSchema))}}
	positives := 0
	one := new(simulation.Customer)
	cutoffs := s.cutoffs()
	first := b.ms[s.training]
	for i := range s.customers {
		w.Live(i, one)
		fate := w.Fate(one)
		for k := range s.training {
			left, ok := fate.Left(b.days[k], label)
			if !ok {
				continue
			}
			if b.seen[i] == nil || b.seen[i][k].x == nil {
				b.fill(w, i, first)
			}
			seen, err := b.at(i, k)
			if err != nil {
				return nil, err
			}
			for j, v := range seen.x {
				d.X.X[j] = append(d.X.X[j], v)
			}
			y := 0.
			if left {
				y = 1
				positives++
			}
			d.Y, d.Customer, d.Cutoff = append(d.Y, y), append(d.Customer, one.ID), append(d.Cutoff, cutoffs[k])
		}
	}
	model, err := boost.Defaults(d.Rows(), positives, d.X.Cols()).Fit(ctx, d, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		return nil, fmt.Errorf("fit the score: %w", err)
	}
	return &scorer{model}, nil
}

// probabilities are those of churn.
func (s *scorer) probabilities(x *features.Matrix) ([]float64, error) {
	p := make([]float64, x.Rows())
	if len(p) == 0 {
		return p, nil
	}
	if err := s.model.Margin(p, x); err != nil {
		return nil, err
	}
	for i, m := range p {
		p[i] = 1 / (1 + math.Exp(-m))
	}
	return p, nil
}
