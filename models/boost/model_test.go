package boost_test

import (
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/modelstest"
)

func TestFamilyPromises(t *testing.T) {
	for name, tr := range map[string]boost.Trainer{
		"defaults": boost.Defaults(600, 200, 8),
		"deep":     {Trees: 20, Leaves: 40, MinRows: 1, MinHessian: 1e-6},
	} {
		t.Run(name, func(t *testing.T) {
			modelstest.Check(t, modelstest.Case{
				Trainer: tr,
				Decode: func(b []byte, s features.Schema) (models.Model, error) {
					m, err := boost.Decode(b, s)
					if err != nil {
						return nil, err
					}
					return m, nil
				},
			})
		})
	}
}
