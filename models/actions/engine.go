package actions

import (
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

// Withheld tells whether the control group does not get the action: marketing, and service that nobody asked for.
func (c *Catalogue) Withheld(action int) bool { return c.Actions[action].withheld() }
