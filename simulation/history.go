package simulation

import (
	"math"
	"math/rand/v2"
)

// The history of contacts. One in five retention contacts was drawn at random, the others went to those who seemed about to leave.
const (
	randomContacts = .0025 // a week and customer
	chosenContacts = .0100 // a week and customer, on average
	riskTilt       = 1.1   // how much more often per standard deviation of what seemed the risk
)

// contactIn draws the contacts of some days of a week.
func (w *World) contactIn(s span, r *rand.Rand, p *path, k *week) {
	// The same draws are made whoever is contacted, so that one contact more changes no other.
	letters := poisson(r, p.mailRate*float64(s.days())/7)
	risk := (-1.5*(k.engagement-engagementGoal)+.7*k.pain+.6*k.price)/1.6 + .7*r.NormFloat64()
	u, v, day := r.Float64(), r.Float64(), s.from+r.IntN(s.days())
	share := float64(s.days()) / 7
	if day < w.quiet && p.cancelled == never {
		chosen := chosenContacts * math.Exp(riskTilt*risk-riskTilt*riskTilt*.9)
		switch {
		case u < randomContacts*share:
			w.approach(p, k, contact{day: day, action: int(v * float64(len(actions))), randomised: true})
		case u < (randomContacts+math.Min(chosen, .15))*share:
			action := 3 // e-mails for the many
			switch {
			case risk > 1.6 && v < .7:
				action = 0
			case risk > .8 && v < .7:
				action = 1
			case v < .2:
				action = 2
			case v < .3:
				action = idleAction
			}
			w.approach(p, k, contact{day: day, action: action})
		}
	}
	if e := w.everyone; e != nil && e.day >= s.from && e.day < s.until && p.cancelled == never {
		w.approach(p, k, *e)
	}
	for _, c := range w.treatments(p.index, s) {
		if p.cancelled == never {
			w.approach(p, k, c)
		}
	}
	for range letters {
		if day := s.from + r.IntN(s.days()); day < w.quiet && p.cancelled == never {
			p.contacts = append(p.contacts, contact{day: day, action: newsletter})
			k.letters++
		}
	}
}

// approach takes an action.
func (w *World) approach(p *path, k *week, c contact) {
	p.contacts = append(p.contacts, c)
	k.contactDay = c.day
	k.contact = w.effect(c.action, p.modifiers(k, c.day))
}

// modifiers are what an action taken on a day meets.
func (p *path) modifiers(k *week, day int) *modifiers {
	return &modifiers{
		annual: p.annual, autoRenew: p.autoRenew, discounted: p.discount, seats: p.seats, breadth: p.breadth,
		weeks: floorDiv(day-p.start, 7), inactive: k.engagement < inactiveFrom,
	}
}
