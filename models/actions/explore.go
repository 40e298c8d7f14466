package actions

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// Arm is an action in the draw: its value is believed to be N(Mean, SD²). do_nothing, worth 0 for certain, is no arm.
type Arm struct{ Mean, SD float64 }

// nodes are those of 64-point Gauss–Legendre quadrature on [-1, 1].
var nodes, nodeWeights = func() (x, w []float64) {
	x, w = make([]float64, 64), make([]float64, 64)
	quad.Legendre{}.FixedLocations(x, w, -1, 1)
	return x, w
}()

const (
	reach    = 4 // arms that lie so many sd (of the difference) below the best, or below nothing, are not drawn: P < 4e-5
	floorMax = .01
	floorSum = .05
	leastSD  = 1e-9 // of an arm, relative to the largest value around: a certain arm is almost certain
)

// Propensities are the probabilities π' with which Thompson sampling over the arms, with a floor, chooses each arm (decisions.md
// §3.8): an arm is chosen when its draw is the greatest and above 0, nothing when all are below; then
// π' = (1 - |A| ε) π + ε on arms, ε = min(.01, .05/|A|). nothing and the arms sum to 1. dst has room for len(arms), at most MaxActions.
func Propensities(dst []float64, arms []Arm) (nothing float64) {
	if len(arms) == 0 {
		return 1
	}
	best, largest := Arm{}, 0.0
	for _, a := range arms {
		if a.Mean > best.Mean {
			best = a
		}
		largest = max(largest, math.Abs(a.Mean), a.SD)
	}
	least := max(leastSD*largest, math.SmallestNonzeroFloat32)
	var near race
	nothing = 1
	for k, a := range arms {
		a.SD = max(a.SD, least)
		dst[k] = 0
		nothing *= normalCDF(-a.Mean / a.SD)
		if a.Mean+reach*a.SD >= 0 && best.Mean-a.Mean <= reach*math.Hypot(a.SD, best.SD) {
			near.add(a, k)
		}
	}
	sum := near.run(dst)
	// The quadrature is off by a few millionths; the draw uses these numbers, so they must sum to 1.
	scale := 0.0
	if sum > 0 {
		scale = (1 - nothing) / sum
	} else {
		nothing = 1
	}
	n := float64(len(arms))
	floor := min(floorMax, floorSum/n)
	for k := range dst[:len(arms)] {
		dst[k] = (1-n*floor)*scale*dst[k] + floor
	}
	return (1 - n*floor) * nothing
}

// certain is the propensities without exploration: 1 for the arm of the greatest mean above 0 (the first among equals), else for nothing.
func certain(dst []float64, arms []Arm) (nothing float64) {
	best := -1
	for k, a := range arms {
		dst[k] = 0
		if a.Mean > 0 && (best < 0 || a.Mean > arms[best].Mean) {
			best = k
		}
	}
	if best < 0 {
		return 1
	}
	dst[best] = 1
	return 0
}
