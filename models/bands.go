package models

import (
	"math"
	"slices"
)

// Names of the risk bands.
const (
	BandHigh   = "high"
	BandMedium = "medium"
	BandLow    = "low"
)

// Bands are the least churn probabilities of the high and the medium band.
type Bands struct {
	High   float64 `json:"high"`
	Medium float64 `json:"medium"`
}

// FitBands takes the .90 and .70 quantile of the champion's out-of-fold probabilities (n values in [0, 1], n ≥ 1): the value
// with rank ⌈q·n⌉. No probabilities give bands that nobody reaches but with certainty (1 and 1).
func FitBands(probability []float64) Bands {
	if len(probability) == 0 {
		return Bands{High: 1, Medium: 1}
	}
	sorted := slices.Clone(probability)
	slices.Sort(sorted)
	at := func(q float64) float64 {
		k := int(math.Ceil(q*float64(len(sorted)))) - 1
		return sorted[max(k, 0)]
	}
	return Bands{High: at(.90), Medium: at(.70)}
}

// Band names the band of a probability: high from High upwards, medium from Medium, else low.
func (b Bands) Band(probability float64) string {
	switch {
	case probability >= b.High:
		return BandHigh
	case probability >= b.Medium:
		return BandMedium
	default:
		return BandLow
	}
}
