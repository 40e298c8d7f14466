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
			at, delay, u = w.meet(p, k.day)
			row.At, row.Known = at, loaded(at)
			row.Channel, row.Class, row.Action, row.Campaign, row.Decision = t.Channel, t.Class, t.Action, t.Campaign, t.Decision
		}
		if at := w.within(at + answerMs + delay); at != Missing {
			row.OutcomeAt, row.Outcome = at, p.response(k.day, u)
			if k.action == newsletter && row.Outcome != ignored {
				row.Outcome = "opened"
			}
		}
		if row.Known < w.endMs() {
			c.Contacts = append(c.Contacts, row)
		}
	}
}

// acceptShare of those who answer a contact accept what it offers.
const acceptShare = .6

// answerMs is the least time to an answer.
const answerMs = 60_000

// ignored is the outcome of a contact without an answer.
const ignored = "ignored"

// meet is when a treatment of a day takes place, how long its answer takes beyond the least, and the draw of the answer.
func (w *World) meet(p *path, day int) (at, delay int64, u float64) {
	r := w.stream(p.index, forTreatments, day)
	at = w.workTime(p, day, r.Float64())
	u, delay = r.Float64(), r.Int64N(3*dayMs/1000)*1000
	return at, delay, u
}

// response is the answer to a contact of a day by its draw: accepted, rejected or ignored.
func (p *path) response(day int, u float64) string {
	switch answered := p.answers(day); {
	case u > answered:
		return ignored
	case u < acceptShare*answered:
		return "accepted"
	}
	return "rejected"
}

// answers is the probability that a contact of a day is answered.
func (p *path) answers(day int) float64 { return sigmoid(-.6 + .5*p.at(day).engagement) }
