package interval

import "math"

// Seen is z_.975 + z_.80: an effect of so many standard errors is told apart from nothing, at two-sided 5 %, four times in five. decisions.md rounds
// 2.8016 to 2.8.
const Seen = 2.8

// Detectable is the smallest difference of two shares that groups of n0 and n1 cases tell apart, at a base rate p in [0, 1]:
// 2.8 √(p(1-p)(1/n0 + 1/n1)). NaN when a group is empty or p is no share.
func Detectable(p, n0, n1 float64) float64 {
	if !(n0 > 0) || !(n1 > 0) || !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	return Seen * math.Sqrt(p*(1-p)*(1/n0+1/n1))
}

// Needed is how many cases tell a difference apart when a share of them is treated: the inverse of Detectable, rounded up. NaN without an effect or a group.
func Needed(p, effect, share float64) float64 {
	if effect == 0 || !(share > 0) || !(share < 1) {
		return math.NaN()
	}
	return math.Ceil(Seen * Seen * p * (1 - p) * (1/share + 1/(1-share)) / (effect * effect))
}
