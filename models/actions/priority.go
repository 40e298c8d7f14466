package actions

import "math"

// fatigueRate is φ: until it is estimated, one fresh contact more costs this share of the customer's stay, twice (decisions.md §3.6).
const fatigueRate = .0005

// The uplift_source of an effect: from the catalogue, or weighed against what was learned from enough outcomes.
const (
	SourcePrior   = "prior"
	SourceLearned = "learned"
)

// Terms are those of an action's priority for one customer:
//
//	Priority = Uplift·Value·Lever - ContactCost - PAccept·Incentive - Fatigue, Fatigue = Value·2φ·P·w
//
// Without a value (NaN) the ranking is by customers saved: Priority = Uplift - Fatigue, Fatigue = 2φ·P·w, and costs are ignored.
type Terms struct {
	Uplift, Value, Lever, Fatigue, ContactCost, PAccept, Incentive float64

	Priority float64
	SD       float64 // of Priority, from the sd of the effect
}

// Terms are the terms of an action for a customer worth value (NaN = unknown) under contact pressure, as long as nothing is
// learned of it.
func (c *Catalogue) Terms(action int, value, pressure float64) Terms {
	return c.TermsOf(action, nil, -1, value, pressure)
}

// TermsOf are the terms of an action for a customer worth value (NaN = unknown) under contact pressure, its prior effect weighed
// against what is learned for a row. do_nothing has priority 0, exactly.
func (c *Catalogue) TermsOf(action int, by *Learned, row int, value, pressure float64) Terms {
	a := &c.Actions[action]
	if a.ID == DoNothing {
		return Terms{Value: value, Lever: 1}
	}
	t := Terms{Value: value, Lever: a.Lever, ContactCost: a.ContactCost, PAccept: a.PAccept, Incentive: a.Incentive}
	uplift, sd := by.effect(action, row, a.Prior)
	t.Uplift = uplift
	tired := 2 * fatigueRate * pressure * c.Policy.Weights[a.Class]
	if math.IsNaN(value) {
		t.Fatigue = tired
		t.Priority = t.Uplift - t.Fatigue
		t.SD = sd
		return t
	}
	t.Fatigue = value * tired
	t.Priority = t.Uplift*value*t.Lever - t.ContactCost - t.PAccept*t.Incentive - t.Fatigue
	t.SD = sd * math.Abs(value) * t.Lever
	return t
}
