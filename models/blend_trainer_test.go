package models_test

import (
	"context"
	"errors"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// blendTrainer fits its parts one after the other on the same rows and blends them, so that a blend can be held to what every model is.
type blendTrainer struct{ parts []models.Trainer }

func (t blendTrainer) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	parts := make([]models.Explainer, 0, len(t.parts))
	for _, trainer := range t.parts {
		m, err := trainer.Fit(ctx, d, rng)
		if err != nil {
			return nil, err
		}
		e, ok := m.(models.Explainer)
		if !ok {
			return nil, errors.New("a part without additive reasons")
		}
		parts = append(parts, e)
	}
	return models.NewBlend(parts...)
}
