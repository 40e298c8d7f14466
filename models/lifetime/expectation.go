package lifetime

import "math"

// leaving is what is known of the chance p to leave: p ~ Beta(a, b).
type leaving struct{ a, b float64 }

const (
	maxTerms      = 4096 // of the series; beyond it the integral is cheaper
	maxLogWeight  = 600  // e^-600 is still far from the smallest float64
	seriesEpsilon = 1e-14
	integralStep  = 1. / 32 // of the trapezoid; half of it changes nothing in 12 digits (TestExpectationTwoWays)
	integralTail  = 40      // e^-40 is left out at each end
)

// aliveExpectation is E[(1 - (1+pu)^-shape)/p], p ~ l: the expected number of purchases within a time of u exposures, of a customer
// alive whose rate is Gamma(shape, exposure). For given λ and p it is (1 - e^{-λpt})/p; see Fader, Hardie & Lee (2005), eq. 9.
//
// Written as a sum it has no cancellation and no pole at a = 1, unlike the Gaussian hypergeometric form of the paper: without
// leaving, the customer would buy n times with the negative binomial chance w_n, and the i-th of these is reached with chance
// E(1-p)^(i-1), hence Σ_n w_n Σ_{i<n} (b)_i/(a+b)_i.
func aliveExpectation(l leaving, shape, u float64) float64 {
	if u <= 0 || shape <= 0 {
		return 0
	}
	logFirst := -shape * math.Log1p(u)
	if logFirst < -maxLogWeight {
		return l.integral(shape, u)
	}
	z := u / (1 + u)
	weight := math.Exp(logFirst) // w_0
	var sum, reached float64     // reached = Σ_{i<n} E(1-p)^i
	survive := 1.0               // E(1-p)^n
	for n := 0; n < maxTerms; n++ {
		sum += weight * reached
		ratio := z * (shape + float64(n)) / float64(n+1)
		// Later ratios lie below the larger of this one and z, and reached grows by at most 1/n.
		if tail := math.Max(ratio, z) * (1 + 1/math.Max(float64(n), 1)); tail < 1 && weight*reached*tail <= seriesEpsilon*sum*(1-tail) && n > 0 {
			return sum
		}
		weight *= ratio
		reached += survive
		survive *= (l.b + float64(n)) / (l.a + l.b + float64(n))
	}
	return l.integral(shape, u)
}

// integral is the same expectation by the trapezoid rule over v, p = σ(y0 + s·sinh v): it holds for any parameters at a higher price.
// The transformation makes the integrand decay doubly exponentially, where the trapezoid rule converges geometrically
// (Takahasi & Mori 1974); y0 and s follow the mode and the width of the log-odds of p.
func (l leaving) integral(shape, u float64) float64 {
	centre := math.Log(l.a) - math.Log(l.b)
	scale := math.Min(1, math.Sqrt(1/l.a+1/l.b))
	low := math.Asinh((integralTail/l.a + math.Max(centre, 0) + integralTail*scale) / scale)
	high := math.Asinh((integralTail/l.b + math.Max(-centre, 0) + integralTail*scale) / scale)
	// The density is taken relative to its value at the centre and normalised by its own sum.
	logPeak := -l.a*softplus(-centre) - l.b*softplus(centre)
	var sum, mass float64
	for i := -int(low / integralStep); i <= int(high/integralStep); i++ {
		v := float64(i) * integralStep
		y := centre + scale*math.Sinh(v)
		weight := math.Exp(-l.a*softplus(-y)-l.b*softplus(y)-logPeak) * math.Cosh(v)
		p := math.Exp(-softplus(-y))
		purchases := shape * u // the limit as p goes to 0, where the quotient would run out of digits
		if pu := p * u; pu*(shape+1) > 1e-17 {
			purchases = -math.Expm1(-shape*math.Log1p(pu)) / pu * u
		}
		mass += weight
		sum += weight * purchases
	}
	return sum / mass
}

// softplus is ln(1 + e^y).
func softplus(y float64) float64 {
	if y > 0 {
		return y + math.Log1p(math.Exp(-y))
	}
	return math.Log1p(math.Exp(y))
}
