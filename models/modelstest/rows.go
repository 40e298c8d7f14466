package modelstest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// Data makes rows like those of a churn table, the same for the same seed: two customers of five have a second row; column 0
// (recency_days) is skewed and drives churn, with a normal, a constant, an integer and a missing-prone column, a column that is all
// missing, and two categorical ones, one of them with missing values. About a third churn.
func Data(seed uint64, rows int) *features.Dataset {
	rng := rand.New(rand.NewPCG(seed, 0x6d6f64656c73))
	schema := features.Schema{
		{Name: "recency_days"},
		{Name: "usage_level"},
		{Name: "constant"},
		{Name: "orders_count"},
		{Name: "amount_mean"},
		{Name: "never_seen"},
		{Name: "plan", Kind: features.Categorical, Levels: []string{"basic", "plus", "pro"}},
		{Name: "region", Kind: features.Categorical, Levels: []string{"north", "south", "east", "west", "other"}},
	}
	x := &features.Matrix{Schema: schema, X: make([][]float32, len(schema))}
	for j := range x.X {
		x.X[j] = make([]float32, rows)
	}
	d := &features.Dataset{X: x, Y: make([]float64, rows), Customer: make([]string, rows)}
	nan := float32(math.NaN())
	for i := range rows {
		recency := math.Exp(3 + rng.NormFloat64())
		usage := rng.NormFloat64()
		orders := float64(rng.IntN(12))
		amount := 20 * math.Exp(.5*rng.NormFloat64())
		plan := rng.IntN(3)
		region := rng.IntN(5)
		x.X[0][i], x.X[1][i], x.X[2][i], x.X[3][i], x.X[4][i], x.X[5][i] = float32(recency), float32(usage), 7, float32(orders), float32(amount), nan
		x.X[6][i], x.X[7][i] = float32(plan), float32(region)
		m := -3 + .8*math.Log1p(recency) - .7*usage - .1*orders + .4*float64(plan)
		if rng.Float64() < .2 {
			x.X[4][i] = nan
			m += .5
		}
		if rng.Float64() < .1 {
			x.X[7][i] = nan
		}
		if rng.Float64() < models.Sigmoid(m-.5) {
			d.Y[i] = 1
		}
		d.Customer[i] = fmt.Sprintf("c%04d", i-(i%5)%2)
	}
	return d
}

func sameDataset(a, b *features.Dataset) bool {
	if len(a.Y) != len(b.Y) || len(a.X.X) != len(b.X.X) {
		return false
	}
	for i := range a.Y {
		if a.Y[i] != b.Y[i] {
			return false
		}
	}
	for j := range a.X.X {
		for i, v := range a.X.X[j] {
			if math.Float32bits(v) != math.Float32bits(b.X.X[j][i]) {
				return false
			}
		}
	}
	return true
}
