package simulation

import "slices"

// reach writes the contacts and how the customer answered.
func (w *World) reach(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forRecords, 1)
	c.Contacts = c.Contacts[:0]
	slices.SortStableFunc(p.contacts, func(a, b contact) int { return a.day - b.day })
	for i, k := range p.contacts {
		at := w.workTime(p, k.day, r.Float64())
		row := Contact{At: at, Known: loaded(at), Number: i + 1, Channel: "email", Class: "marketing", Campaign: "newsletter", OutcomeAt: Missing}
		if k.action >= 0 {
			a := actions[k.action]
			row.Channel, row.Class, row.Action, row.Campaign = a.Channel, a.Class, a.Name, "risk_list"
			if k.randomised {
				row.Campaign = "trial"
			}
		}
		u, delay := r.Float64(), r.Int64N(3*dayMs/1000)*1000
		answered := sigmoid(-.6 + .5*p.at(k.day).engagement)
		if at := w.within(at + 60_000 + delay); at != Missing {
			row.OutcomeAt = at
			switch {
			case u > answered:
				row.Outcome = "ignored"
			case k.action < 0:
				row.Outcome = "opened"
			case u < .6*answered:
				row.Outcome = "accepted"
			default:
				row.Outcome = "rejected"
			}
		}
		if row.Known < w.endMs() {
			c.Contacts = append(c.Contacts, row)
		}
	}
}
