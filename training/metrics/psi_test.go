package metrics

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func TestPSI(t *testing.T) {
	nan := math.NaN()
	ten := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for _, c := range []struct {
		name               string
		reference, current []float64
		want               float64
	}{
		{"the same", ten, ten, 0},
		// By hand: one cut at 1 for the equal deciles, so bins ≤ 1, > 1 and missing. Shares (c + ½)/(n + 3/2): reference 3.5, 1.5, .5 of 5.5;
		// current 1.5, 3.5, .5 of 5.5. Σ (p-q) ln(p/q) = 2 · (2/5.5) · ln(3.5/1.5) = .6162.
		{"by hand, with equal deciles", []float64{1, 1, 1, 2}, []float64{1, 2, 2, 2}, 2 * (2 / 5.5) * math.Log(3.5/1.5)},
		// One bin of values and one of missing: (2.5, .5)/3 against (1.5, 1.5)/3: (1/3) ln(2.5/1.5) + (1/3) ln 3.
		{"missing values", []float64{5, 5}, []float64{5, nan}, math.Log(2.5/1.5)/3 + math.Log(3)/3},
		{"without a reference", nil, ten, nan},
		{"without a row", ten, nil, nan},
	} {
		got, _ := PSI(c.reference, c.current)
		near(t, c.name, got, c.want, 1e-12)
	}
	// χ² with 10 degrees of freedom has its 99.9 % quantile at 29.588 (tables); .2 is the floor.
	_, threshold := PSI(ten, ten)
	near(t, "threshold of 10 and 10 rows", threshold, 29.588*.2, .01)
	if psi, _ := NewHistogram(ten).PSI([]uint64{1, 2}); !math.IsNaN(psi) {
		t.Errorf("other bins: %v, want undefined", psi)
	}
}

// Without drift the PSI passes its threshold once in a thousand sets, by the law of its limit; a shift by one standard deviation is found.
func TestPSIOfDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func(n int, shift float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = rng.NormFloat64() + shift
		}
		return x
	}
	beyond := 0
	for range 2000 {
		if psi, threshold := PSI(draw(150, 0), draw(120, 0)); threshold > smallDrift && psi > threshold {
			beyond++
		}
	}
	if beyond > 12 {
		t.Errorf("%d of 2000 equal distributions drift, want about 2", beyond)
	}
	if psi, threshold := PSI(draw(5000, 0), draw(5000, 0)); threshold != smallDrift || psi > threshold {
		t.Errorf("no drift: %v beyond %v", psi, threshold)
	}
	if psi, threshold := PSI(draw(5000, 0), draw(5000, 1)); psi < threshold {
		t.Errorf("a shift by one standard deviation: %v below %v", psi, threshold)
	}
}

func TestPSIProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Custom(func(t *rapid.T) float64 {
			if v := rapid.IntRange(-9, 10).Draw(t, "v"); v < 10 {
				return float64(v)
			}
			return math.NaN()
		})
		a := rapid.SliceOfN(value, 1, 60).Draw(t, "a")
		b := rapid.SliceOfN(value, 1, 60).Draw(t, "b")
		psi, threshold := PSI(a, b)
		if !(psi >= 0) || !(threshold >= smallDrift) {
			t.Fatalf("PSI %v, threshold %v", psi, threshold)
		}
		if same, _ := PSI(a, a); same != 0 {
			t.Fatalf("of itself: %v", same)
		}
		up := func(x []float64) []float64 {
			out := make([]float64, len(x))
			for i, v := range x {
				out[i] = math.Exp(v / 4)
			}
			return out
		}
		if mapped, _ := PSI(up(a), up(b)); mapped != psi {
			t.Fatalf("%v under a monotone map, %v before", mapped, psi)
		}
	})
}
