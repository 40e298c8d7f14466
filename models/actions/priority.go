package actions

import "math"

// fatigueRate is φ: until it is estimated, one fresh contact more costs this share of the customer's stay, twice (decisions.md §3.6).
const fatigueRate = .0005

// SourcePrior is the uplift_source of an effect from the catalogue.
const SourcePrior = "prior"

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

// Terms are the terms of an action for a customer worth value (NaN = unknown) under contact pressure. As long as nothing is
// learned of an action, its shrunk effect is the prior's mean. do_nothing has priority 0, exactly.
func (c *Catalogue) Terms(action int, value, pressure float64) Terms {
	a := &c.Actions[action]
	if a.ID == DoNothing {
		return Terms{Value: value, Lever: 1}
	}
	t := Terms{Uplift: a.Prior.Mean, Value: value, Lever: a.Lever, ContactCost: a.ContactCost, PAccept: a.PAccept, Incentive: a.Incentive}
	tired := 2 * fatigueRate * pressure * c.Policy.Weights[a.Class]
	if math.IsNaN(value) {
		t.Fatigue = tired
		t.Priority = t.Uplift - t.Fatigue
		t.SD = a.Prior.deviation()
		return t
	}
	t.Fatigue = value * tired
	t.Priority = t.Uplift*value*t.Lever - t.ContactCost - t.PAccept*t.Incentive - t.Fatigue
	t.SD = a.Prior.deviation() * math.Abs(value) * t.Lever
	return t
}
