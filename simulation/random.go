package simulation

import (
	"math"
	"math/rand/v2"
)

// purpose names one stream of randomness of a customer. Streams do not touch each other, so that one more draw in one leaves the others as they are.
type purpose uint64

const (
	forTraits purpose = iota + 1
	forOrigin
	forEngagement
	forLeaving
	forTickets
	forPrices
	forContacts
	forUsage
	forRecords
	forBilling
	forSurveys
	forLeads
	forSupport
	forFutures
	forTreatments
	forOutcomes
)

// stream is the generator of one purpose of one customer; part tells apart several of a purpose.
func (w *World) stream(customer int, p purpose, part int) *rand.Rand {
	a := mix(w.options.Seed ^ mix(uint64(customer)+0x9e3779b97f4a7c15*uint64(p)))
	return rand.New(rand.NewPCG(a, mix(a+uint64(part)+0xd1b54a32d192ed03)))
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// poisson draws a count with the given mean: by multiplication below 30, else by the normal approximation, which is off by less than the
// noise of any world.
func poisson(r *rand.Rand, mean float64) int {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		return int(math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	return fewPoisson(r, math.Exp(-mean))
}

// fewPoisson draws a count by multiplication from the probability of none.
func fewPoisson(r *rand.Rand, limit float64) int {
	n := 0
	for p := r.Float64(); p > limit; p *= r.Float64() {
		n++
	}
	return n
}

// gamma draws from Gamma(shape ≥ 1, scale 1). See Marsaglia & Tsang, A simple method for generating gamma variables, 2000.
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := r.Float64(); math.Log(u) < .5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// pick draws an index with probability weights[i]; the weights add up to 1.
func pick(r *rand.Rand, weights []float64) int {
	u := r.Float64()
	for i, p := range weights {
		if u -= p; u < 0 {
			return i
		}
	}
	return len(weights) - 1
}
