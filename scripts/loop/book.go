package main

import (
	"fmt"
	"time"

	"retain/features"
	"retain/models/actions"
	"retain/simulation"
)

// setting is what all worlds and policies of the loop share.
type setting struct {
	customers int
	from      time.Time // first run
	runs      int       // one every 13 weeks
	training  int       // cutoffs before, every 4 weeks, that teach the score
	days      int       // length of the records before the first run
	futures   int       // of a truth
}

// label is the window of churn: 13 weeks, as in simulation.md.
var label = simulation.Label{HorizonDays: 91}

// everyDays is from one run to the next: the horizon, so that each customer is decided on once per horizon, and what came of a run is known at the
// next one.
const everyDays = 91

// at is the cutoff of the k-th run, from 0.
func (s *setting) at(k int) time.Time { return s.from.AddDate(0, 0, k*everyDays) }

// cutoffs are those of the training and then those of the runs.
func (s *setting) cutoffs() []time.Time {
	// The newest training cutoff has a label that is known at the first run.
	var all []time.Time
	for k := range s.training {
		all = append(all, s.from.AddDate(0, 0, -label.HorizonDays-28*(s.training-1-k)))
	}
	for k := range s.runs {
		all = append(all, s.at(k))
	}
	return all
}

// world makes the world of a seed. Its records go on until the labels of the last run are known.
func (s *setting) world(seed uint64, effects simulation.Effects) (*simulation.World, error) {
	start := s.from.AddDate(0, 0, -s.days)
	end := s.at(s.runs)
	return simulation.New(simulation.Options{Customers: s.customers, Days: int(end.Sub(start) / (24 * time.Hour)), Seed: seed, End: end, Effects: effects})
}

// person is what does not change of a customer, and what the company did before the first run.
type person struct {
	refused []string // keys of consent
	past    []actions.Contact
}

// book is what was seen of the customers of a seed. Usage, payments and tickets do not depend on what policies do as long as a customer is
// there, nor on what actions do: they are looked at once for all worlds and policies of the seed.
type book struct {
	runs   int
	days   []int   // cutoffs, by days of the records
	ms     []int64 // the same as instants
	seen   [][]sighting
	people []*person
	one    simulation.Customer
}

func newBook(s *setting, w *simulation.World) *book {
	b := &book{runs: s.runs, seen: make([][]sighting, s.customers), people: make([]*person, s.customers)}
	for _, t := range s.cutoffs() {
		b.days, b.ms = append(b.days, w.Day(t)), append(b.ms, t.UnixMilli())
	}
	return b
}

// fill looks at the life of a customer at each cutoff that it reaches and that is not in the book yet. w has its records to the end.
func (b *book) fill(w *simulation.World, i int, first int64) {
	w.Customer(i, &b.one)
	fate := w.Fate(&b.one)
	if b.seen[i] == nil {
		b.seen[i] = make([]sighting, len(b.days))
	}
	for k, day := range b.days {
		if b.seen[i][k].x == nil && fate.Scored(day, label) {
			b.seen[i][k] = see(&b.one, b.ms[k])
		}
	}
	if b.people[i] != nil || fate.Cancelled < b.days[len(b.days)-b.runs] {
		return // left before the first run: in another world of the seed it may not have
	}
	p := &person{}
	if !b.one.Profile.Email {
		p.refused = append(p.refused, "email")
	}
	if !b.one.Profile.Phone {
		p.refused = append(p.refused, "phone")
	}
	for _, c := range b.one.Contacts {
		if c.At < first {
			p.past = append(p.past, actions.Contact{At: time.UnixMilli(c.At).UTC(), Channel: c.Channel, Class: actions.Class(c.Class), Action: c.Action,
				Ignored: c.Outcome == "ignored" && c.OutcomeAt != simulation.Missing && c.OutcomeAt < first})
		}
	}
	b.people[i] = p
}

// at is what was seen of a customer at a cutoff; it must be there.
func (b *book) at(i, k int) (*sighting, error) {
	if b.seen[i] == nil || b.seen[i][k].x == nil {
		return nil, fmt.Errorf("customer %d is not in the book at cutoff %d", i, k)
	}
	return &b.seen[i][k], nil
}

// matrix is what was seen of some customers at a cutoff.
func (b *book) matrix(rows []int, k int) *features.Matrix {
	m := &features.Matrix{Schema: sightSchema, X: make([][]float32, len(sightSchema))}
	for j := range m.X {
		m.X[j] = make([]float32, len(rows))
		for r, i := range rows {
			m.X[j][r] = b.seen[i][k].x[j]
		}
	}
	return m
}
