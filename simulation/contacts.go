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
		if t := k.treatment; t != nil {
			own := w.stream(p.index, forTreatments, k.day)
			at = w.workTime(p, k.day, own.Float64())
			u, delay = own.Float64(), own.Int64N(3*dayMs/1000)*1000
			row.At, row.Known = at, loaded(at)
			row.Channel, row.Class, row.Action, row.Campaign, row.Decision = t.Channel, t.Class, t.Action, t.Campaign, t.Decision
		}
		answered := p.answers(k.day)
		if at := w.within(at + 60_000 + delay); at != Missing {
			row.OutcomeAt = at
			switch {
			case u > answered:
				row.Outcome = "ignored"
			case k.action < 0:
				row.Outcome = "opened"
			case u < acceptShare*answered:
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

// acceptShare of those who answer a contact accept what it offers.
const acceptShare = .6

// answers is the probability that a contact of a day is answered.
func (p *path) answers(day int) float64 { return sigmoid(-.6 + .5*p.at(day).engagement) }
