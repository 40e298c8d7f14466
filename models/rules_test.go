package models_test

import (
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/modelstest"
)

func TestRules(t *testing.T) {
	decoders := map[string]models.Decoder{"recency_rule": models.DecodeRecencyRule, "base_rate": models.DecodeBaseRate}
	recency := models.RecencyRule{Feature: "recency_days"}
	for name, c := range map[string]modelstest.Case{
		"recency rule":              {Trainer: recency, Decode: models.DecodeRecencyRule},
		"recency rule with missing": {Trainer: models.RecencyRule{Feature: "amount_mean"}, Decode: models.DecodeRecencyRule},
		"base rate":                 {Trainer: models.BaseRate{}, Decode: models.DecodeBaseRate},
		"blend":                     {Trainer: models.BlendTrainer{Parts: []models.Trainer{recency, models.BaseRate{}}}, Decode: models.DecodeBlend(decoders)},
	} {
		t.Run(name, func(t *testing.T) { modelstest.Check(t, c) })
	}
}

func TestRecencyRuleNeedsItsColumn(t *testing.T) {
	for _, feature := range []string{"", "nothing", "plan"} {
		if _, err := (models.RecencyRule{Feature: feature}).Fit(t.Context(), modelstest.Data(1, 50), nil); err == nil {
			t.Errorf("a rule on %q is fitted", feature)
		}
	}
}

var _ models.Explainer = (*models.Blend)(nil)
var _ features.Schema
