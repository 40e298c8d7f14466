package models

import (
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPercentilesByHand(t *testing.T) {
	fifty, more := make([]float64, 50), make([]float64, 51)
	for i := range more {
		more[i] = float64(i)
	}
	copy(fifty, more)
	for name, c := range map[string]struct {
		margin []float64
		want   int // of the last
	}{
		"alone":                       {[]float64{3}, 50},
		"all equal":                   {[]float64{1, 1, 1, 1}, 50},
		"top of two":                  {[]float64{0, 1}, 75},
		"top of 50 stays under 100":   {fifty, 99},
		"top of 51 is 100":            {more, 100},
		"half of the tie counts":      {[]float64{0, 2, 2}, 67}, // 100 (1 + 1) / 3
		"minus zero equals plus zero": {[]float64{0, negativeZero()}, 50},
	} {
		if got := Percentiles(c.margin); got[len(got)-1] != c.want {
			t.Errorf("%s: %d, want %d", name, got[len(got)-1], c.want)
		}
	}
	if got := Percentiles(nil); len(got) != 0 {
		t.Errorf("nobody: %v", got)
	}
}

func negativeZero() float64 { z := 0.0; return -z }

// TestPercentilesEqualTheDefinition counts pairs in rational arithmetic.
func TestPercentilesEqualTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		margin := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-9, 9).Draw(t, "m")) / 2 }), 1, 130).Draw(t, "margins")
		n := int64(len(margin))
		got := Percentiles(margin)
		for i, m := range margin {
			twice := int64(0)
			for _, other := range margin {
				if other < m {
					twice += 2
				} else if other == m {
					twice++
				}
			}
			exact := new(big.Rat).SetFrac64(100*twice, 2*n)
			up := new(big.Int).Div(new(big.Int).Add(exact.Num(), new(big.Int).Sub(exact.Denom(), big.NewInt(1))), exact.Denom()).Int64()
			if want := int(min(max(up, 1), 100)); got[i] != want {
				t.Fatalf("row %d of %d: %d, want %d", i, n, got[i], want)
			}
		}
		// Order follows the margins.
		order := slices.Clone(margin)
		slices.Sort(order)
		if got[slices.Index(margin, order[0])] != slices.Min(got) {
			t.Fatal("the least margin has not the least percentile")
		}
	})
}

func TestBands(t *testing.T) {
	var p []float64
	for i := range 100 {
		p = append(p, float64(99-i)/100)
	}
	b := FitBands(p)
	if b.High != .89 || b.Medium != .69 { // the 90th and the 70th of 0, .01, … .99
		t.Errorf("bands %+v", b)
	}
	for _, c := range []struct {
		p    float64
		want string
	}{{.95, BandHigh}, {.89, BandHigh}, {.8899, BandMedium}, {.69, BandMedium}, {.6899, BandLow}, {0, BandLow}} {
		if got := b.Band(c.p); got != c.want {
			t.Errorf("%v is %s, want %s", c.p, got, c.want)
		}
	}
	if one := FitBands([]float64{.4}); one.High != .4 || one.Medium != .4 {
		t.Errorf("bands of one probability: %+v", one)
	}
	if none := FitBands(nil); none.Band(.99) != BandLow {
		t.Errorf("bands of none: %+v", none)
	}
}
