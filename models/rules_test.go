package models_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/modelstest"
)

var _ models.Explainer = (*models.Blend)(nil)

func TestRules(t *testing.T) {
	recency := models.RecencyRule{Feature: "recency_days"}
	for name, c := range map[string]modelstest.Case{
		"recency rule":              {Trainer: recency, Decode: models.DecodeRecencyRule},
		"recency rule with missing": {Trainer: models.RecencyRule{Feature: "amount_mean"}, Decode: models.DecodeRecencyRule},
		"recency rule on nothing":   {Trainer: models.RecencyRule{Feature: "never_seen"}, Decode: models.DecodeRecencyRule},
		"base rate":                 {Trainer: models.BaseRate{}, Decode: models.DecodeBaseRate},
		"blend":                     {Trainer: blendTrainer{parts: []models.Trainer{recency, models.BaseRate{}}}, Decode: models.DecodeBlend(decoders)},
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

// silence is one numeric column of days.
func silence(days []float32, y []float64) *features.Dataset {
	return &features.Dataset{X: &features.Matrix{Schema: features.Schema{{Name: "days"}}, X: [][]float32{days}}, Y: y}
}

func fitDays(t *testing.T, d *features.Dataset, at ...float32) []float64 {
	t.Helper()
	m, err := models.RecencyRule{Feature: "days"}.Fit(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, len(at))
	if err := m.Margin(dst, silence(at, nil).X); err != nil {
		t.Fatal(err)
	}
	return dst
}

func TestRecencyRuleFindsItsLine(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var days []float32
	var y []float64
	for range 50000 {
		v := float32(rng.IntN(365))
		days, y = append(days, v), append(y, 0)
		if rng.Float64() < models.Sigmoid(-4+.9*math.Log1p(float64(v))) {
			y[len(y)-1] = 1
		}
	}
	got := fitDays(t, silence(days, y), 0, float32(math.E-1))
	if math.Abs(got[0]+4) > .2 || math.Abs(got[1]-got[0]-.9) > .05 {
		t.Errorf("a is %v, b is %v, want -4 and .9", got[0], got[1]-got[0])
	}
}

func TestRecencyRuleByHand(t *testing.T) {
	nan := float32(math.NaN())
	// Two values: the line goes through both log-odds, log(1/3) at 0 days and log(3) at 3 days.
	two := fitDays(t, silence([]float32{0, 0, 0, 0, 3, 3, 3, 3}, []float64{1, 0, 0, 0, 1, 1, 1, 0}), 0, 3, -5, nan)
	for k, want := range []float64{-math.Log(3), math.Log(3), -math.Log(3), math.Log(3)} { // below 0 counts as 0, missing as the longest
		if math.Abs(two[k]-want) > 1e-4 {
			t.Errorf("margin %d is %v, want %v", k, two[k], want)
		}
	}
	// Missing in training: their share shrunk by one row of the base rate .5, (2 + .5)/(2 + 1).
	missing := fitDays(t, silence([]float32{0, 0, 3, 3, nan, nan}, []float64{0, 0, 1, 0, 1, 1}), nan)[0]
	if want := math.Log(2.5 / .5); math.Abs(missing-want) > 1e-9 {
		t.Errorf("margin of missing days is %v, want %v", missing, want)
	}
	// Perfectly separated rows still give finite margins.
	for _, m := range fitDays(t, silence([]float32{0, 0, 9, 9}, []float64{0, 0, 1, 1}), 0, 9) {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			t.Errorf("margin %v", m)
		}
	}
}

func TestBaseRateCountsWeights(t *testing.T) {
	d := silence([]float32{1, 2}, []float64{1, 0})
	d.Weight = []float64{1, 3}
	m, err := models.BaseRate{}.Fit(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst := make([]float64, 2)
	if err := m.Margin(dst, d.X); err != nil || math.Abs(dst[0]+math.Log(3)) > 1e-12 {
		t.Errorf("margin %v, %v; want -log 3", dst, err)
	}
}

func TestBlendIsTheMean(t *testing.T) {
	d := modelstest.Data(3, 300)
	var parts []models.Explainer
	want := make([]float64, d.Rows())
	for _, trainer := range []models.Trainer{models.RecencyRule{Feature: "recency_days"}, models.BaseRate{}} {
		m, err := trainer.Fit(t.Context(), d, nil)
		if err != nil {
			t.Fatal(err)
		}
		own := make([]float64, d.Rows())
		if err := m.Margin(own, d.X); err != nil {
			t.Fatal(err)
		}
		for i, v := range own {
			want[i] += v / 2
		}
		parts = append(parts, m.(models.Explainer))
	}
	b, err := models.NewBlend(parts...)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float64, d.Rows())
	if err := b.Margin(got, d.X); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-12 {
			t.Fatalf("row %d: %v, want %v", i, got[i], want[i])
		}
	}
	if _, err := models.NewBlend(); err == nil {
		t.Error("a blend of nothing")
	}
	other, err := models.BaseRate{}.Fit(t.Context(), silence([]float32{1, 2}, []float64{1, 0}), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := models.NewBlend(parts[0], other.(models.Explainer)); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("blend of other features: %v", err)
	}
}

func TestCategoricalCodesMustBeLevels(t *testing.T) {
	d := modelstest.Data(1, 100)
	for _, code := range []float32{-1, 3, .5} {
		x := d.X.Take([]int{0})
		x.X[6][0] = code // plan has three levels
		if err := models.CheckMatrix(d.X.Schema.Fingerprint(), x); err == nil {
			t.Errorf("code %v of three levels is accepted", code)
		}
	}
}
