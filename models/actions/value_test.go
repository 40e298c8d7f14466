package actions

import (
	"math"
	"testing"
)

func TestValue(t *testing.T) {
	fixed := 200.0
	// Σ_{k=1..12} 1.1^(-k/12) = 1.1^(-1/12) (1 - 1/1.1) / (1 - 1.1^(-1/12)) (geometric series).
	for _, c := range []struct {
		name    string
		terms   ValueTerms
		monthly float64
		want    float64
	}{
		{"no discounting", ValueTerms{GrossMargin: 1}, 10, 120},
		{"ten per cent a year", ValueTerms{GrossMargin: 1, DiscountRate: .1}, 1, geometric(1.1)},
		{"half margin", ValueTerms{GrossMargin: .5}, 10, 60},
		{"set for everyone", ValueTerms{PerCustomer: &fixed, GrossMargin: .5, DiscountRate: .1}, 10, 200},
		{"unknown", ValueTerms{GrossMargin: 1}, math.NaN(), math.NaN()},
		{"set for everyone, own value unknown", ValueTerms{PerCustomer: &fixed}, math.NaN(), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.terms.Value(c.monthly)
			if math.Abs(got-c.want) > 1e-9 && !(math.IsNaN(got) && math.IsNaN(c.want)) {
				t.Errorf("Value(%v) = %v, want %v", c.monthly, got, c.want)
			}
		})
	}
}

// geometric is the closed form of Σ_{k=1..12} q^(-k/12).
func geometric(q float64) float64 {
	r := math.Pow(q, -1.0/12)
	return r * (1 - 1/q) / (1 - r)
}
