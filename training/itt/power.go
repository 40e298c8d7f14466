package itt

import "math"

// powerFactor is z_.975 + z_.80: an effect of so many standard errors is told apart from nothing, at two-sided 5 %, four times in five. decisions.md
// rounds 2.8016 to 2.8.
const powerFactor = 2.8

// Detectable is the smallest difference of two shares that treated and control customers tell apart, at a base rate p:
// 2.8 √(p(1-p)(1/treated + 1/control)). NaN when a group is empty.
func Detectable(p, treated, control float64) float64 {
	if !(treated > 0) || !(control > 0) {
		return math.NaN()
	}
	return powerFactor * math.Sqrt(p*(1-p)*(1/treated+1/control))
}

// Needed is how many customers tell a difference apart when a share of them is treated: the inverse of Detectable, rounded up.
func Needed(p, effect, share float64) float64 {
	if effect == 0 || !(share > 0) || !(share < 1) {
		return math.NaN()
	}
	return math.Ceil(powerFactor * powerFactor * p * (1 - p) * (1/share + 1/(1-share)) / (effect * effect))
}
