package actions

import (
	"math"
	"math/bits"
)

// Turn is one customer's turn: what the draw depends on beside the catalogue.
type Turn struct {
	Open            uint64    // the eligible actions that have capacity and money left
	Value, Pressure float64   // as Terms has them
	Learned         *Learned  // nil = nothing learned
	Row             int       // the customer's, of Learned; below 0 = none
	Tolls           []float64 // per action: the price of the means it takes, in the unit of priorities of known value; nil = 0
	Rate            float64   // what a customer saved is worth where Value is unknown: there tolls are divided by it; 0 = no tolls there
	Share           float64   // of customers who are held out
	Held            bool      // this one is
	Explore         bool
	Planned         *int    // without exploration: the action that the plan has for the customer; nil = the one most above its toll
	Draw            float64 // uniform in [0, 1)
}

// terms are those of an action at the turn, and its priority beyond its toll.
func (c *Catalogue) terms(t *Turn, action int) (terms Terms, net float64) {
	terms = c.TermsOf(action, t.Learned, t.Row, t.Value, t.Pressure)
	net = terms.Priority
	switch {
	case t.Tolls == nil:
	case !math.IsNaN(t.Value):
		net -= t.Tolls[action]
	case t.Rate > 0:
		net -= t.Tolls[action] / t.Rate
	}
	return terms, net
}

// duty is the duty (service that the customer waits for, transactional) of the greatest priority among the open actions; -1 when
// there is none.
func (c *Catalogue) duty(t *Turn, duties uint64) int {
	duty, most := -1, 0.0
	for rest := t.Open & duties; rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		if terms, _ := c.terms(t, i); duty < 0 || terms.Priority > most {
			duty, most = i, terms.Priority
		}
	}
	return duty
}

// duties are the actions that answer the customer, as a mask.
func (c *Catalogue) duties() (mask uint64) {
	for i := range c.Actions {
		if c.Actions[i].duty() {
			mask |= 1 << i
		}
	}
	return mask
}

// Choose draws the action of a turn and writes the probability with which the policy chooses each action of the catalogue; those
// that are not open have 0.
//
// A duty comes first: the one of the greatest priority is chosen for certain, held out or not. Else, with h the share held out and
// π' the Propensities of the priorities beyond their tolls, P(a) = (1-h) π'_a and P(nothing) = h + (1-h) π'_0, and who is held out
// gets nothing.
func (c *Catalogue) Choose(propensity []float64, t Turn) (chosen int) {
	clear(propensity)
	nothing, duties := c.Index(DoNothing), c.duties()
	if duty := c.duty(&t, duties); duty >= 0 {
		propensity[duty] = 1
		return duty
	}
	var place [MaxActions]int
	var arms [MaxActions]Arm
	n := 0
	for rest := t.Open &^ (1<<nothing | duties); rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		terms, net := c.terms(&t, i)
		place[n], arms[n] = i, Arm{net, terms.SD}
		n++
	}
	var of [MaxActions]float64
	var none float64
	switch {
	case t.Explore:
		none = Propensities(of[:], arms[:n])
	case t.Planned == nil:
		none = certain(of[:], arms[:n])
	default:
		none = 1
		for k, i := range place[:n] {
			if i == *t.Planned {
				of[k], none = 1, 0
			}
		}
	}
	chosen = nothing
	u := t.Draw - none
	for k := range n {
		propensity[place[k]] = (1 - t.Share) * of[k]
		if !t.Held && u >= 0 && u < of[k] {
			chosen = place[k]
		}
		u -= of[k]
	}
	propensity[nothing] = t.Share + (1-t.Share)*none
	return chosen
}
