package metrics

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The share γ of churners who stay if offered something is Beta(6, 14) (Verbraken, Verbeke & Baesens 2013), .3 on average.
const (
	stayAlpha = 6
	stayBeta  = 14
	stayMean  = float64(stayAlpha) / (stayAlpha + stayBeta)
)

// ProfitTerms are what a campaign costs and saves, in the currency of the customer value (metrics.md §5).
type ProfitTerms struct {
	CustomerValue float64 `json:"customer_value"` // V > 0 of one customer who stays
	Offer         float64 `json:"offer_cost"`     // d ≥ 0, paid to who takes the offer: those who would have stayed anyway, and the share γ of the others
	Contact       float64 `json:"contact_cost"`   // f ≥ 0, paid for everyone contacted
}

// DefaultProfitTerms are those of the literature: a customer is worth 200, an offer costs 10, a contact 1.
func DefaultProfitTerms() ProfitTerms { return ProfitTerms{CustomerValue: 200, Offer: 10, Contact: 1} }

// ProfitCurve is what contacting the rows of highest score would earn, summed over the test cutoffs. It is reported and never a gate.
type ProfitCurve struct {
	ProfitTerms
	EMPC         Figure        `json:"empc"` // expected maximum profit per customer, see [Ranking.EMPC]; mean of the cutoffs weighted by their positives
	EMPCInterval Interval      `json:"empc_interval"`
	Points       []ProfitPoint `json:"points"` // each hundredth up to a tenth, then each twentieth
	Best         ProfitPoint   `json:"best"`   // of all thousandths; at share 0 if contacting anybody loses money
}

// ProfitPoint is the profit of contacting the k = ⌈share · n⌉ rows of highest score of each cutoff.
type ProfitPoint struct {
	Share  Figure `json:"share"`
	Rows   int    `json:"rows"`
	Profit Figure `json:"profit"` // of all cutoffs together
}

// of is what contacting k rows earns of which so many are churners: Σ y·γ̄(V - d) - (1 - y)·d - f.
func (t ProfitTerms) of(churners, k float64) float64 {
	return churners*stayMean*(t.CustomerValue-t.Offer) - (k-churners)*t.Offer - k*t.Contact
}

// ProfitAt is what contacting the k rows of highest score earns, Σ [y·γ̄(V - d) - (1 - y)·d - f] with γ̄ = .3, by the tie rule of
// [Ranking.TruePositives]; unbounded, 0 at k = 0. k is in [0, n]. Neslin et al. (2006).
func (r Ranking) ProfitAt(y []float64, k int, t ProfitTerms) float64 {
	return t.of(r.TruePositives(y, k), float64(k))
}

// EMPC is the expected maximum profit per customer of contacting those of highest score, where the share γ of churners who stay is Beta(6, 14) and the
// best threshold is taken for each γ: E max_t [V(γ(1-δ) - φ) π₀F₀(t) - V(δ + φ) π₁F₁(t)] with δ = d/V, φ = f/V, π₀ the share of churners, and F₀ and F₁ the
// shares of churners and of the others above t, along the convex hull of the ROC curve. At least 0; with one class only NaN.
// Verbraken, Verbeke & Baesens (2013), A novel profit maximizing metric for measuring classification performance of customer churn prediction models.
func (r Ranking) EMPC(y []float64, t ProfitTerms) float64 {
	return t.empc(rocHull(func(yield func(rocPoint) bool) {
		var at rocPoint
		r.groups(y, nil, func(p, n float64) {
			at.pos += p
			at.neg += n
			yield(at)
		})
	}))
}

// rocPoint counts the positives and negatives above a threshold.
type rocPoint struct{ pos, neg float64 }

// empc integrates over γ in closed form: between two bends of the best threshold one corner of the hull is best.
func (t ProfitTerms) empc(hull []rocPoint) float64 {
	all := hull[len(hull)-1]
	if all.pos == 0 || all.neg == 0 {
		return math.NaN()
	}
	n := all.pos + all.neg
	keep := t.CustomerValue - t.Offer // V(1-δ)
	if keep <= 0 {
		return 0 // nobody is worth an offer
	}
	expected, from := 0., 0.
	for k, corner := range hull {
		to := 1.
		if k+1 < len(hull) { // from this γ on the next corner earns more
			dp, dn := hull[k+1].pos-corner.pos, hull[k+1].neg-corner.neg
			to = ((t.Offer+t.Contact)*dn + t.Contact*dp) / (keep * dp)
			if dp == 0 || !(to < 1) {
				to = 1
			}
		}
		if to > from {
			expected += keep*corner.pos/n*(meanBelow(to)-meanBelow(from)) -
				(t.Contact*corner.pos+(t.Offer+t.Contact)*corner.neg)/n*(chanceBelow(to)-chanceBelow(from))
			from = to
		}
	}
	return expected
}

// chanceBelow is P(γ ≤ x), meanBelow E[γ; γ ≤ x].
func chanceBelow(x float64) float64 { return mathext.RegIncBeta(stayAlpha, stayBeta, x) }

func meanBelow(x float64) float64 { return stayMean * mathext.RegIncBeta(stayAlpha+1, stayBeta, x) }

// rocHull is the upper convex hull of a ROC curve, from the origin to the end of the curve.
func rocHull(curve func(yield func(rocPoint) bool)) []rocPoint {
	hull := []rocPoint{{}}
	curve(func(c rocPoint) bool {
		if c == hull[len(hull)-1] {
			return true
		}
		for len(hull) > 1 {
			a, b := hull[len(hull)-2], hull[len(hull)-1]
			if (b.pos-a.pos)*(c.neg-b.neg) > (c.pos-b.pos)*(b.neg-a.neg) {
				break // the curve falls off at b: a corner
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, c)
		return true
	})
	return hull
}
