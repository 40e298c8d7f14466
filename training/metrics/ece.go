package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	eceBins   = 10
	bandDraws = 1000
	bandLevel = .95
	// From this variance of a bin's count on it is drawn from its normal limit: its skewness is below 1/20 then, and the band is the same in three
	// digits at a thousandth of the time.
	normalVariance = 400
)

// massBins assigns each probability to one of ten bins of equal mass: ⌊10·rank/n⌋ with ranks from the lowest, 0. Equal
// probabilities share the bin of their middle rank, so that a constant probability is one bin whatever the order of rows.
func massBins(p []float64) []uint8 {
	n := len(p)
	bins := make([]uint8, n)
	r := Rank(p)
	lo := int32(0)
	for _, hi := range r.ends {
		middle := float64(n-1) - float64(lo+hi-1)/2 // rank from the lowest, r.order runs from the highest
		b := uint8(min(float64(eceBins-1), math.Floor(eceBins*middle/float64(n))))
		for _, i := range r.order[lo:hi] {
			bins[i] = b
		}
		lo = hi
	}
	return bins
}

// ECE is the expected calibration error: over ten bins of equal mass, Σ n_b/n · |mean p - mean y|, in [0, 1]; NaN without rows.
// Naeini, Cooper & Hauskrecht (2015).
func ECE(p, y []float64) float64 {
	return eceOf(massBins(p), p, y)
}

func eceOf(bins []uint8, p, y []float64) float64 {
	if len(p) == 0 {
		return math.NaN()
	}
	var gap [eceBins]float64
	for i, b := range bins {
		gap[b] += p[i] - y[i]
	}
	total := 0.
	for _, g := range gap {
		total += math.Abs(g)
	}
	return total / float64(len(p))
}

// ECENoiseBand is the 95 % quantile of the ECE that perfectly calibrated probabilities would show on as many rows: over 1,000
// draws y ~ Bernoulli(p), seeded. An ECE below it says nothing against the calibration. NaN without rows.
func ECENoiseBand(p []float64, seed uint64) float64 {
	return noiseBand(massBins(p), p, seed)
}

func noiseBand(bins []uint8, p []float64, seed uint64) float64 {
	if len(p) == 0 {
		return math.NaN()
	}
	rng := rand.New(rand.NewPCG(seed, 0x6563652062616e64)) // "ece band"
	var chances [eceBins][]float64
	for i, b := range bins {
		chances[b] = append(chances[b], p[i])
	}
	draws := make([]float64, bandDraws)
	for _, bin := range chances {
		var mean, variance float64
		for _, v := range bin {
			mean += v
			variance += v * (1 - v)
		}
		for k := range draws {
			if variance >= normalVariance {
				draws[k] += math.Abs(rng.NormFloat64()) * math.Sqrt(variance)
				continue
			}
			hits := 0.
			for _, v := range bin {
				if rng.Float64() < v {
					hits++
				}
			}
			draws[k] += math.Abs(hits - mean)
		}
	}
	slices.Sort(draws)
	return quantile(draws, bandLevel) / float64(len(p))
}

// number is what quantiles are taken of.
type number interface{ ~float64 }

// quantile interpolates linearly between the order statistics of sorted values (Hyndman & Fan's type 7).
func quantile[T number](sorted []T, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	lo := int(at)
	hi := min(lo+1, len(sorted)-1)
	return float64(sorted[lo]) + (at-float64(lo))*float64(sorted[hi]-sorted[lo])
}
