package linear_test

import (
	"testing"

	"retain/models"
	"retain/models/linear"
	"retain/models/modelstest"
)

func TestModel(t *testing.T) {
	for name, trainer := range map[string]linear.Trainer{
		"defaults": linear.Defaults(600, 200, 8),
		"zero":     {},
		"lasso":    {Lambda: .01, Alpha: 1, Hinges: 5},
	} {
		t.Run(name, func(t *testing.T) {
			modelstest.Check(t, modelstest.Case{Trainer: trainer, Decode: linear.Decode})
		})
	}
}

var _ models.Explainer = (*linear.Model)(nil)
