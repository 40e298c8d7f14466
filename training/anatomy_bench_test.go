package training

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/training/metrics"
)

// BenchmarkAnatomy takes a model of 200 trees of 63 leaves on 60 features apart, with as many rows as the samples hold at most.
func BenchmarkAnatomy(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	d := &features.Dataset{X: &features.Matrix{}}
	for j := range 60 {
		column := make([]float32, permutedRows)
		for i := range column {
			column[i] = float32(rng.NormFloat64())
		}
		d.X.Schema, d.X.X = append(d.X.Schema, features.Column{Name: fmt.Sprint("f", j)}), append(d.X.X, column)
	}
	for i := range permutedRows {
		margin := 0.
		for j := range 60 {
			margin += float64(d.X.X[j][i]) / float64(1+j)
		}
		y := 0.
		if rng.Float64() < models.Sigmoid(margin) {
			y = 1
		}
		d.Y, d.Customer = append(d.Y, y), append(d.Customer, fmt.Sprint("c", i))
	}
	model, err := boost.Trainer{Trees: 200, Leaves: 63, MinRows: 5}.Fit(b.Context(), d, rng)
	if err != nil {
		b.Fatal(err)
	}
	s := &specimen{model: model.(models.Explainer), calibration: models.Calibration{Kind: models.CalibrationPlatt, Slope: 1, Rows: 2, Positives: 1}}
	for b.Loop() {
		explained := d.X.Slice(0, explainedRows)
		worths, err := weigh(s.model, explained)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := permutationRises(b.Context(), s, d.X, d.Y, metrics.NewBootstrap(1, d.Customer)); err != nil {
			b.Fatal(err)
		}
		if _, err := depend(b.Context(), s, d.X.Slice(0, dependentRows), explained, topFeatures(worths, dependentFeatures)); err != nil {
			b.Fatal(err)
		}
	}
}
