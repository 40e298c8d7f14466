package lifetime

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// mixture computes by brute force: the trapezoid rule over log λ and logit p of what one customer with given λ and p does.
type mixture struct {
	likelihood, alive, none, purchases float64
}

func integrate(m CountModel, h History, t float64) (out mixture) {
	x := float64(h.Repeats)
	k := x // chances to leave that were not taken
	if m.Name == MBGNBD {
		k++
	}
	const step = .125
	logBeta := logGamma(m.A) + logGamma(m.B) - logGamma(m.A+m.B)
	for u := -150.0; u < 8; u += step {
		rate := math.Exp(u)
		logRate := m.R*math.Log(m.Alpha) + m.R*u - m.Alpha*rate - logGamma(m.R) + x*u // density in u = ln λ, and λ^x
		if logRate < -60 {
			continue
		}
		for v := -60.0; v < 40; v += step {
			p := 1 / (1 + math.Exp(-v))
			logP := -softplus(-v)*m.A - softplus(v)*m.B - logBeta // density in v = logit p
			stays := -softplus(v)                                 // ln (1-p)
			there := math.Exp(logRate + logP + k*stays - rate*h.Age)
			var left float64
			if k > 0 {
				left = math.Exp(logRate + logP + (k-1)*stays - softplus(-v) - rate*h.Recency)
			}
			out.likelihood += step * step * (there + left)
			out.alive += step * step * there
			out.none += step * step * (there*math.Exp(-rate*t) + left)
			out.purchases -= step * step * there * math.Expm1(-rate*p*t) / p
		}
	}
	out.alive /= out.likelihood
	out.none /= out.likelihood
	out.purchases /= out.likelihood
	return out
}

func TestFormulasAgainstQuadrature(t *testing.T) {
	for _, parameters := range []CountModel{
		{R: .2426, Alpha: 4.4136, A: .7929, B: 2.4259},
		{R: 1.5, Alpha: 10, A: 1, B: 1}, // a = 1: a pole of the paper's formula
		{R: 3, Alpha: 2, A: 4, B: .6},
	} {
		for _, h := range []History{
			{Repeats: 0, Age: 0},
			{Repeats: 0, Age: 20},
			{Repeats: 1, Recency: 3, Age: 30},
			{Repeats: 2, Recency: 30.43, Age: 38.86},
			{Repeats: 9, Recency: 38, Age: 38},
		} {
			for _, name := range []string{BGNBD, MBGNBD} {
				m, ahead := parameters, 39.0
				m.Name = name
				t.Run(fmt.Sprintf("%s r=%v x=%d T=%v", name, m.R, h.Repeats, h.Age), func(t *testing.T) {
					want := integrate(m, h, ahead)
					theta := []float64{math.Log(m.R), math.Log(m.Alpha), math.Log(m.A), math.Log(m.B)}
					near(t, "log-likelihood", newCountLikelihood(name, countRows([]History{h}, 1)).mean(theta, nil), math.Log(want.likelihood), 1e-8)
					near(t, "P(alive)", m.Alive(h), want.alive, 1e-8)
					near(t, "P(no purchase)", m.NoPurchase(h, ahead), want.none, 1e-8)
					near(t, "E[purchases]", m.Purchases(h, ahead), want.purchases, 1e-7*math.Max(1, want.purchases))
				})
			}
		}
	}
}

// The expectation of the paper, by the Gaussian hypergeometric function (Fader, Hardie & Lee 2005, eq. 10).
func TestExpectationOfThePaper(t *testing.T) {
	m := CountModel{Name: BGNBD, R: .2426, Alpha: 4.4136, A: .7929, B: 2.4259}
	for _, h := range []History{{Repeats: 0, Age: 12}, {Repeats: 1, Recency: 1.71, Age: 38.86}, {Repeats: 29, Recency: 37, Age: 38.86}} {
		for _, ahead := range []float64{1, 39, 200} {
			x := float64(h.Repeats)
			z := ahead / (m.Alpha + h.Age + ahead)
			want := (m.A + m.B + x - 1) / (m.A - 1) * (1 - math.Pow(1-z, m.R+x)*mathext.Hypergeo(m.R+x, m.B+x, m.A+m.B+x-1, z)) * m.Alive(h)
			near(t, fmt.Sprintf("E[purchases in %v | x = %d]", ahead, h.Repeats), m.Purchases(h, ahead), want, 1e-8*math.Max(1, want))
		}
	}
}

// The sum and the integral are two ways to one number, where both can go.
func TestExpectationTwoWays(t *testing.T) {
	for _, l := range []leaving{{.8, 2.4}, {1, 1}, {1e-5, 3}, {3, 1e-4}, {1e4, 2e5}, {2, 300}, {1e-5, 1e5}} {
		for _, shape := range []float64{1e-4, .25, 3, 60} {
			for _, u := range []float64{1e-6, .3, 5, 40} {
				if -shape*math.Log1p(u) < -maxLogWeight {
					continue
				}
				want := l.integral(shape, u)
				near(t, fmt.Sprintf("p ~ %v, shape %v, %v exposures", l, shape, u), aliveExpectation(l, shape, u), want, 1e-11*math.Max(want, 1e-8))
			}
		}
	}
	// Where the sum cannot go: nobody leaves, so that the mean is shape·u; everyone leaves with the first purchase, so that it is P(a purchase).
	near(t, "nobody leaves", aliveExpectation(leaving{1e-9, 1}, 2000, 10), 20000, 1e-3)
	near(t, "everyone leaves at once", aliveExpectation(leaving{1e9, 1}, 2000, 10), 1, 1e-6)
	near(t, "far ahead", aliveExpectation(leaving{1e9, 1}, .2, 1e7), 1-math.Pow(1e7, -.2), 1e-6)
}

// The Gamma-Gamma likelihood of the mean of n days, by brute force over the customer's scale: m ~ Gamma(pn, nν), ν ~ Gamma(q, γ).
func TestSpendAgainstQuadrature(t *testing.T) {
	const p, q, gamma = 6.25, 3.74, 15.44
	model := SpendModel{Name: GammaGamma, P: p, Q: q, Gamma: gamma, Population: gamma * p / (q - 1), Prior: (q - 1) / p}
	for _, c := range []struct {
		days int
		mean float64
	}{{1, 12}, {2, 35.3}, {14, 80}} {
		n := float64(c.days)
		var density, moment float64
		const step = .002
		for u := -12.0; u < 8; u += step { // u = ln ν
			nu := math.Exp(u)
			log := p*n*math.Log(n*nu) + (p*n-1)*math.Log(c.mean) - n*nu*c.mean - logGamma(p*n) // of the mean given ν
			log += q*math.Log(gamma) + q*u - gamma*nu - logGamma(q)                            // of u
			density += step * math.Exp(log)
			moment += step * math.Exp(log) * p / nu // of a day given ν
		}
		l := newSpendLikelihood([]spendRow{{n, c.mean, math.Log(n * c.mean), 1}})
		near(t, "log-likelihood", l.mean([]float64{math.Log(p), math.Log(q), math.Log(gamma)}, nil), math.Log(density), 1e-9)
		near(t, "expected spend", model.Expected(Spend{Days: c.days, Mean: c.mean}), moment/density, 1e-7)
	}
}
