package lifetime

import "math"

// Names of the models of purchase counts.
const (
	BGNBD         = "bgnbd"          // a customer may leave after each repeat purchase
	MBGNBD        = "mbgnbd"         // and after the first purchase as well
	ShrunkenRates = "shrunken_rates" // nobody leaves: the fallback, with the parameters of an NBD set by hand
)

// CountModel says how often customers buy. While alive a customer buys at rate λ ~ Gamma(R, Alpha) and leaves after a purchase
// with probability p ~ Beta(A, B).
type CountModel struct {
	Name  string  // BGNBD, MBGNBD or ShrunkenRates
	R     float64 // shape of the rates, above 0
	Alpha float64 // 1 / scale of the rates, in the unit of the times, above 0
	A, B  float64 // of the chance to leave, above 0; not read of shrunken rates
}

// draws is how often a customer alive at T has been able to leave and did not: k.
func (m CountModel) draws(x int) int {
	switch m.Name {
	case MBGNBD:
		return x + 1
	case ShrunkenRates:
		return 0
	}
	return x
}

// Alive is the probability, in [0, 1], that the customer has not left by T: 1/(1 + δ · a/(b+k-1) · ((α+T)/(α+t_x))^(r+x)), k = x
// and δ = 1 for repeaters, else 0 (BG/NBD, eq. 7 of Fader & Hardie 2008), k = x + 1 and δ = 1 (MBG/NBD). NaN of shrunken rates, which do not know.
func (m CountModel) Alive(h History) float64 {
	if m.Name == ShrunkenRates {
		return math.NaN()
	}
	k := m.draws(h.Repeats)
	if k == 0 {
		return 1
	}
	logOdds := math.Log(m.A) - math.Log(m.B+float64(k-1)) + (m.R+float64(h.Repeats))*math.Log1p((h.Age-h.Recency)/(m.Alpha+h.Recency))
	return 1 / (1 + math.Exp(logOdds))
}

// present is Alive, and 1 where nobody leaves.
func (m CountModel) present(h History) float64 {
	if m.Name == ShrunkenRates {
		return 1
	}
	return m.Alive(h)
}

// NoPurchase is the probability, in [0, 1], of no purchase within the next t ≥ 0: 1 - P(alive) [1 - ((α+T)/(α+T+t))^(r+x)].
func (m CountModel) NoPurchase(h History, t float64) float64 {
	return 1 + m.present(h)*math.Expm1(-(m.R+float64(h.Repeats))*math.Log1p(t/(m.Alpha+h.Age)))
}

// Purchases is the expected number of days with a purchase within the next t ≥ 0, at least 0.
func (m CountModel) Purchases(h History, t float64) float64 {
	return m.present(h) * m.expectation(h.Repeats, h.Age, t)
}

// NewCustomer is the expected number of repeat purchases of a customer within t ≥ 0 of the first purchase.
func (m CountModel) NewCustomer(t float64) float64 {
	if m.Name == MBGNBD { // alive after the first purchase with probability b/(a+b); what then is known of p is Beta(a, b+1)
		return m.B / (m.A + m.B) * m.expectation(0, 0, t)
	}
	return m.expectation(0, 0, t)
}

// expectation is the expected number of purchases within t of a customer who is alive at T after x repeats.
func (m CountModel) expectation(x int, age, t float64) float64 {
	shape, exposure := m.R+float64(x), m.Alpha+age
	if m.Name == ShrunkenRates {
		return shape * t / exposure
	}
	return aliveExpectation(leaving{m.A, m.B + float64(m.draws(x))}, shape, t/exposure)
}
