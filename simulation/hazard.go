package simulation

import (
	"math"
	"math/rand/v2"
)

// Shape of the world. The hazard of cancelling in a week has
//
//	log h = η₀ - β E + .7 min(pain, 3) + .6 price (1 + .8 sensitive) + u + .9 exp(-weeks/8) + .2 cos(annual) - .35 auto_renew + .14 max(pressure - 2, 0) + effects
const (
	baseHazard   = -5.0 // η₀
	engagementOf = 1.5  // β
	frailtySD    = .3   // of u

	engagementAR    = .90 // latent engagement E, week to week
	engagementNoise = .38
	engagementGoal  = .25 // where E is drawn to
	declineGoal     = -2.0
	declineEnter    = .010 // a week
	declineLeave    = .06

	painKept      = .84 // a week; every late reply adds 1
	lateShare     = .25 // of tickets
	priceKept     = .90 // a week; a price shock is 1
	shockShare    = .35 // of anniversaries
	effectKept    = .92 // a week
	pressureWeeks = 1.  // weeks in which contact pressure falls to 1/e

	annualShare  = .30 // of customers; they act in the last weeks of their term only
	annualWeeks  = 8
	annualFactor = 2.2

	failureWeekly = .0012 // payment failures, drawn when a period ends
	maxHazard     = .95   // of a week
)

const (
	daysOfMonth = 30 // a month's period
	daysOfYear  = 365
)

// state is what moves from week to week. Effects of contacts are apart: they do not touch it.
type state struct {
	engagement float64
	declining  bool
	pain       float64
	price      float64
}

// begin draws the state of a new customer.
func begin(r *rand.Rand) state {
	sd := engagementNoise / math.Sqrt(1-engagementAR*engagementAR)
	return state{engagement: engagementGoal + sd*r.NormFloat64()}
}

// step moves engagement by a week.
func (s *state) step(r *rand.Rand) {
	u := r.Float64()
	if s.declining {
		s.declining = u >= declineLeave
	} else {
		s.declining = u < declineEnter
	}
	goal := engagementGoal
	if s.declining {
		goal = declineGoal
	}
	s.engagement = engagementAR*s.engagement + (1-engagementAR)*goal + engagementNoise*r.NormFloat64()
}

// absorb moves pain and price by a week in which so many replies were late and so many price shocks came.
func (s *state) absorb(late, shocks int) {
	s.pain = painKept*s.pain + float64(late)
	s.price = priceKept*s.price + float64(shocks)
}

// logHazard is log h without contacts: neither their pressure nor their effects. weeks is the tenure, season the cosine of the year.
func (t *traits) logHazard(s *state, weeks, season float64) float64 {
	h := baseHazard - engagementOf*s.engagement + .7*math.Min(s.pain, 3) + t.frailty + .9*math.Exp(-weeks/8) + .2*season
	if t.sensitive {
		h += .6 * 1.8 * s.price
	} else {
		h += .6 * s.price
	}
	if t.autoRenew {
		h -= .35
	}
	if t.annual {
		h += logAnnualFactor
	}
	return h
}

var logAnnualFactor = math.Log(annualFactor)

// strain is what contact pressure adds to log h.
func strain(pressure float64) float64 { return .14 * math.Max(pressure-2, 0) }

// nextPressure is the contact pressure a week later, after so many newsletters.
func nextPressure(pressure, letters float64) float64 {
	return math.Exp(-1/pressureWeeks)*pressure + letters
}

// dailyLog is the log of the probability to stay a day, from the log hazard of the week.
func dailyLog(logHazard float64) float64 {
	return math.Log1p(-math.Min(math.Exp(logHazard), maxHazard)) / 7
}

// annualSeason is the cosine of the year, greatest on 1 January.
func annualSeason(dayOf1970 int) float64 { return math.Cos(2 * math.Pi * float64(dayOf1970) / 365.25) }
