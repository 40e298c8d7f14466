package lifetime

import (
	"math"
	"math/rand/v2"
	"testing"
)

// BenchmarkFit fits the three models to 200,000 customers at the grain of days, and forecasts each of them.
func BenchmarkFit(b *testing.B) {
	customers := histories(simulate(rand.New(rand.NewPCG(11, 12)), CountModel{Name: BGNBD, R: .8, Alpha: 40, A: .8, B: 3}, SpendModel{P: 4, Q: 5, Gamma: 20}, 200_000))
	for i := range customers {
		h := &customers[i]
		h.Age, h.Recency = math.Ceil(h.Age*7), math.Ceil(h.Recency*7)
	}
	b.Run("fit", func(b *testing.B) {
		for b.Loop() {
			if m, err := (Trainer{}).Fit(b.Context(), customers); err != nil || m.Fallbacks != nil {
				b.Fatal(m, err)
			}
		}
	})
	m, err := Trainer{}.Fit(b.Context(), customers)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("forecast", func(b *testing.B) {
		for b.Loop() {
			f, err := m.Forecaster(Terms{Horizon: 365, Year: 365, DiscountRate: .1, GrossMargin: 1})
			if err != nil {
				b.Fatal(err)
			}
			for _, h := range customers {
				if _, err := f.Of(h); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
