package actions

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"retain/internal/rule"
	"retain/models"
)

// Customer is what is known of one customer at the decision.
type Customer struct {
	Facts
	Contactable
}

// Consider finds the actions that the customer may get by rule, stage, consent and contact policy: bit i of the mask is action i of the
// catalogue. reasons, one per action, says why not ("" where it may). It depends on its arguments only.
func (e *Engine) Consider(reasons []string, c *Customer, history []Contact, now time.Time) (eligible uint64) {
	for i := range e.Catalogue.Actions {
		reasons[i] = e.obstacle(i, c, history, now)
		if reasons[i] == "" {
			eligible |= 1 << i
		}
	}
	return eligible
}

// obstacle is the first thing in the way of an action, "" when there is none.
func (e *Engine) obstacle(i int, c *Customer, history []Contact, now time.Time) string {
	a := &e.Catalogue.Actions[i]
	if a.ID == DoNothing {
		return ""
	}
	if c.Status == models.StatusOptedOut || c.Status == models.StatusErased {
		return "status: " + standing(c.Status, c.StatusCode)
	}
	if r := e.rules[i]; r != nil {
		switch ok, unknown := r.Holds(&c.Facts); {
		case unknown != "" && c.Status != models.StatusScored:
			return "status: " + standing(c.Status, c.StatusCode)
		case unknown != "":
			return "rule: " + unknown + " is not known"
		case !ok:
			return "rule: it does not hold"
		}
	}
	if len(a.Stages) > 0 && c.Stage != "" && !slices.Contains(a.Stages, c.Stage) {
		return "stage: only for " + strings.Join(a.Stages, ", ")
	}
	reason, _ := e.Catalogue.Allows(i, c.Contactable, history, now)
	return reason
}

// standing is a status with its code.
func standing(status, code string) string {
	if code == "" {
		return status
	}
	return status + ", " + code
}

// Used lists the places in Features of those that rules name, each once, in order.
func (e *Engine) Used() []int {
	var used []int
	for place, entry := range e.Features {
		if slices.ContainsFunc(e.rules, func(r *rule.Rule[Facts]) bool { return r != nil && slices.Contains(r.Features(), entry.Name) }) {
			used = append(used, place)
		}
	}
	return used
}

// ReadsAttributes tells whether any rule reads the attributes of customers.
func (e *Engine) ReadsAttributes() bool {
	return slices.ContainsFunc(e.rules, func(r *rule.Rule[Facts]) bool { return r != nil && r.Reads(attributesFact) })
}

// Rule says what an action needs, in words.
func (c *Catalogue) Rule(i int) string {
	if c.Actions[i].Eligibility == "" {
		return "always"
	}
	return c.Actions[i].Eligibility
}

// Turn is one customer's turn: what the draw depends on beside the catalogue.
type Turn struct {
	Open            uint64  // the eligible actions that have capacity left
	Value, Pressure float64 // as Terms has them
	Share           float64 // of customers who are held out
	Held            bool    // this one is
	Explore         bool
	Draw            float64 // uniform in [0, 1)
}

// Choose draws the action of a turn and writes the probability with which the policy chooses each action of the catalogue; those
// that are not open have 0.
//
// A duty (service that the customer waits for, transactional) comes first: the one of the greatest priority is chosen for certain,
// held out or not. Else, with h the share held out and π' the Propensities, P(a) = (1-h) π'_a and P(nothing) = h + (1-h) π'_0, and
// who is held out gets nothing.
func (c *Catalogue) Choose(propensity []float64, t Turn) (chosen int) {
	clear(propensity)
	nothing := c.Index(DoNothing)
	var place [MaxActions]int
	var arms []Arm
	duty, most := -1, 0.0
	for rest := t.Open &^ (1 << nothing); rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		terms := c.Terms(i, t.Value, t.Pressure)
		if c.Actions[i].duty() {
			if duty < 0 || terms.Priority > most {
				duty, most = i, terms.Priority
			}
			continue
		}
		place[len(arms)] = i
		arms = append(arms, Arm{terms.Priority, terms.SD})
	}
	if duty >= 0 {
		propensity[duty] = 1
		return duty
	}
	var of [MaxActions]float64
	var none float64
	if t.Explore {
		none = Propensities(of[:], arms)
	} else {
		none = Plan(of[:], arms)
	}
	chosen = nothing
	u := t.Draw - none
	for k := range arms {
		propensity[place[k]] = (1 - t.Share) * of[k]
		if !t.Held && u >= 0 && u < of[k] {
			chosen = place[k]
		}
		u -= of[k]
	}
	propensity[nothing] = t.Share + (1-t.Share)*none
	return chosen
}

// Withheld tells whether the control group does not get the action: marketing, and service that nobody asked for.
func (c *Catalogue) Withheld(action int) bool { return c.Actions[action].withheld() }
