package simulation

import (
	"math"
	"math/rand/v2"
	"slices"
)

// week is the latent state of a customer at the beginning of a week, and what acted on it within.
type week struct {
	state
	logHazard  float64 // without contacts
	effect     float64 // of contacts before this week
	pressure   float64 // of contacts before this week
	shockDay   int     // day of a price shock in this week; never = none
	contactDay int     // day of the contact in this week whose effect counts; never = none
	contact    float64 // its effect, which holds from its day on
	letters    float64 // newsletters of this week: contact pressure from the next one on
}

const never = math.MaxInt32

// ticket is one ticket's day and whether the reply was late.
type ticket struct {
	day  int
	late bool
}

// contact is one contact of the history.
type contact struct {
	day        int
	action     int // of actions, newsletter or noEffect
	randomised bool
	treatment  *Treatment // nil = of the company's own history
}

// Contacts that are none of the world's actions.
const (
	newsletter = -1
	noEffect   = -2 // an action of a policy that the world does not know
)

// path is the life of a customer, by days from the start of the records (negative before).
type path struct {
	traits
	index    int
	start    int // day of the first period
	optedOut int // day from which on it is not to be looked at; never = none

	first    int    // number of the week that weeks[0] describes
	weeks    []week // to the last week of the records, or to the week in which it cancelled
	tickets  []ticket
	contacts []contact
	shocks   []int // days of price shocks

	cancelled int // day on which it cancelled; never = not
	end       int // first day without service, by cancelling or by a failed payment; never = not within the records
	failed    bool
}

// periodDays is the length of a paid period.
func (t *traits) periodDays() int {
	if t.annual {
		return daysOfYear
	}
	return daysOfMonth
}

// boundary is the end of the period that holds the day: the first boundary after it.
func (p *path) boundary(day int) int {
	n := p.periodDays()
	return p.start + (floorDiv(day-p.start, n)+1)*n
}

// anniversary tells whether a new price may begin on a boundary.
func (p *path) anniversary(boundary int) bool {
	n := p.periodDays()
	k := (boundary - p.start) / n
	return k > 0 && (p.annual || k%12 == 0)
}

// open tells whether the customer considers leaving on a day.
func (p *path) open(day int) bool {
	return !p.annual || p.boundary(day)-day <= annualWeeks*7
}

// maxOrigins bounds the search for a life that lasts until the records begin.
const maxOrigins = 400

// live draws the life of a customer into p, whose slices are reused.
func (w *World) live(index int, p *path) {
	*p = path{traits: drawTraits(w.stream(index, forTraits, 0)), index: index, cancelled: never, end: never, optedOut: never,
		weeks: p.weeks[:0], tickets: p.tickets[:0], contacts: p.contacts[:0], shocks: p.shocks[:0]}
	origin := w.stream(index, forOrigin, 0)
	early := origin.Float64() < .40
	if !early {
		p.start = origin.IntN(w.options.Days)
		if origin.Float64() < .01 {
			p.optedOut = p.start + origin.IntN(daysOfYear)
		}
		w.watch(p, begin(origin))
		return
	}
	// Those who precede the records are those of a past stream of customers who were still there when the records began.
	for range maxOrigins {
		p.start = -1 - origin.IntN(3*daysOfYear)
		if s, shocks, alive := w.past(origin, p); alive {
			p.shocks = append(p.shocks, shocks...)
			w.watch(p, s)
			return
		}
	}
	p.start = -1
	w.watch(p, begin(origin))
}

// past moves a customer from its start to the week in which the records begin, and tells whether it is still there.
func (w *World) past(r *rand.Rand, p *path) (s state, shocks []int, alive bool) {
	s = begin(r)
	for k := floorDiv(p.start, 7); ; k++ {
		from, until := max(7*k, p.start), min(7*k+7, 0)
		if from >= 0 {
			return s, shocks, true
		}
		stay := math.Exp(dailyLog(p.logHazard(&s, float64(7*k-p.start)/7, annualSeason(w.epoch+7*k))))
		shock := 0
		for day := from; day < until; day++ {
			if day > p.start && p.boundary(day-1) == day {
				if r.Float64() < p.failure() {
					return s, nil, false
				}
				if p.anniversary(day) && r.Float64() < shockShare {
					shocks = append(shocks, day)
					shock++
				}
			}
			if p.open(day) && r.Float64() > stay {
				return s, nil, false
			}
		}
		s.absorb(poisson(r, p.helpRate*lateShare), shock)
		s.step(r)
	}
}

// failure is the probability that the payment at the end of a period fails.
func (t *traits) failure() float64 {
	return -math.Expm1(float64(t.periodDays()) / 7 * math.Log1p(-failureWeekly))
}

// watch moves a customer through the records.
func (w *World) watch(p *path, s state) {
	var (
		engagement = w.stream(p.index, forEngagement, 0)
		leaving    = w.stream(p.index, forLeaving, 0)
		helping    = w.stream(p.index, forTickets, 0)
		pricing    = w.stream(p.index, forPrices, 0)
		contacting = w.stream(p.index, forContacts, 0)
		effect     float64
		pressure   float64
	)
	p.first = max(floorDiv(p.start, 7), 0)
	for k := p.first; 7*k < w.options.Days; k++ {
		from, until := max(7*k, p.start), min(7*k+7, w.options.Days)
		now := week{state: s, effect: effect, pressure: pressure, shockDay: never, contactDay: never}
		now.logHazard = p.logHazard(&s, float64(7*k-p.start)/7, annualSeason(w.epoch+7*k))
		late := p.helpIn(span{from, until}, helping)
		w.contactIn(span{from, until}, contacting, p, &now)
		before, after := now.stays()
		for day := from; day < until; day++ {
			if w.course != nil && day == max(p.start, w.quiet) && w.course.outcomes != 0 {
				leaving = w.outcomes(p.index)
			}
			if day > p.start && p.boundary(day-1) == day {
				if p.cancelled != never {
					p.end = day
				} else if leaving.Float64() < p.failure() {
					p.end, p.failed = day, true
				}
				if p.end != never {
					p.weeks = append(p.weeks, now)
					p.forget(day)
					return
				}
				if p.anniversary(day) && pricing.Float64() < shockShare {
					now.shockDay = day
					p.shocks = append(p.shocks, day)
				}
			}
			stay := before
			if day >= now.contactDay {
				stay = after
			}
			if u := leaving.Float64(); p.cancelled == never && p.open(day) && u > stay {
				p.cancelled = day
			}
		}
		p.weeks = append(p.weeks, now)
		shock := 0
		if now.shockDay != never {
			shock = 1
		}
		s.absorb(late, shock)
		s.step(engagement)
		effect = effectKept * (effect + now.contact)
		pressure = nextPressure(pressure, now.letters)
	}
	p.forget(never)
}

// stays are the probabilities to stay a day of the week, before and after its contact.
func (k *week) stays() (before, after float64) {
	h := k.logHazard + strain(k.pressure) + k.effect
	before = math.Exp(dailyLog(h))
	after = before
	if k.contactDay != never {
		after = math.Exp(dailyLog(h + k.contact))
	}
	return before, after
}

// forget drops what was drawn for days on which the customer was not there any more, or not to be approached.
func (p *path) forget(end int) {
	p.tickets = slices.DeleteFunc(p.tickets, func(t ticket) bool { return t.day >= end })
	p.contacts = slices.DeleteFunc(p.contacts, func(c contact) bool { return c.day >= min(end, p.cancelled) })
}

// span is the days [from, until).
type span struct{ from, until int }

func (s span) days() int { return s.until - s.from }

// helpIn draws the tickets of some days and returns how many replies were late.
func (p *path) helpIn(s span, r *rand.Rand) (late int) {
	for range poisson(r, p.helpRate*float64(s.days())/7) {
		t := ticket{day: s.from + r.IntN(s.days()), late: r.Float64() < lateShare}
		if t.late {
			late++
		}
		p.tickets = append(p.tickets, t)
	}
	return late
}
