package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Treatment is one contact that a policy decided on. An action of the world's name has that action's effect, whatever its channel and class;
// any other is recorded and does nothing.
type Treatment struct {
	Action   string
	Channel  string
	Class    string // marketing, service or transactional
	Campaign string
	Decision string // decision_id
}

// CourseOptions say how a world goes on.
type CourseOptions struct {
	From     time.Time // the first midnight at which a policy may act; from then on the company contacts nobody of its own accord
	Outcomes uint64    // seed of what becomes of the customers from then on; 0 = that of the world
	Futures  int       // that a truth is the mean of; 0 = 128. Effects need fewer than risks: the futures of all actions are the same
}

// Course is a world that goes on in steps, in which a policy acts on customers. What is done at a step changes nothing before it, and the
// latent state of the customers never: it changes who leaves. Draws belong to the customer and the day, so that two courses with the same
// seeds and different policies differ by what was done alone and can be compared in pairs.
//
// World gives the world as it stands. A Course is for one goroutine; the worlds that it gave are for many as long as nobody acts.
type Course struct {
	base World
	now  int
	done *course
}

// course is what all worlds of a Course share.
type course struct {
	outcomes uint64
	done     [][]contact // per customer, by day
}

// Course begins at o.From. Errors: that is no midnight within the records.
func (w *World) Course(o CourseOptions) (*Course, error) {
	c := &Course{base: *w, done: &course{outcomes: o.Outcomes, done: make([][]contact, w.options.Customers)}}
	c.base.course = c.done
	if o.Futures > 0 {
		c.base.futures = o.Futures
	}
	c.base.quiet = w.Day(o.From)
	c.now = c.base.quiet
	if !w.Time(c.now).Equal(o.From) || c.now < 1 || c.now > w.options.Days {
		return nil, fmt.Errorf("course: %s is no midnight UTC after %s and not after %s", o.From.Format(time.RFC3339), w.Start().Format(time.DateOnly), w.End().Format(time.DateOnly))
	}
	return c, nil
}

// Now is where the course stands.
func (c *Course) Now() time.Time { return c.base.Time(c.now) }

// Day is the same by days from the start of the records.
func (c *Course) Day() int { return c.now }

// ErrBackwards says that a course was asked to go back.
var ErrBackwards = errors.New("simulation: a course goes forward only")

// Step moves the course to a later midnight. Errors: ErrBackwards; the records end before it.
func (c *Course) Step(to time.Time) error {
	day := c.base.Day(to)
	if day <= c.now {
		return ErrBackwards
	}
	if !c.base.Time(day).Equal(to) || day > c.base.options.Days {
		return fmt.Errorf("course: %s is no midnight UTC up to %s", to.Format(time.RFC3339), c.base.Time(c.base.options.Days).Format(time.DateOnly))
	}
	c.now = day
	return nil
}

// Act does something for the customer with an index, on the day of Now. Who has left by then is not reached. Errors: a second treatment in
// one week; no such customer.
func (c *Course) Act(index int, t Treatment) error {
	if index < 0 || index >= len(c.done.done) {
		return fmt.Errorf("course: no customer %d", index)
	}
	before := c.done.done[index]
	if n := len(before); n > 0 && floorDiv(before[n-1].day, 7) >= floorDiv(c.now, 7) {
		return fmt.Errorf("course: customer %s was treated on %s, within the same week as %s: a week has one effect", ID(index),
			c.base.Time(before[n-1].day).Format(time.DateOnly), c.Now().Format(time.DateOnly))
	}
	action := slices.IndexFunc(actions, func(a Action) bool { return a.Name == t.Action })
	if action < 0 {
		action = noEffect
	}
	c.done.done[index] = append(before, contact{day: c.now, action: action, treatment: &t})
	return nil
}

// World is the world as it stands now: its records end here, and lives go on as if nothing were done any more. It sees later treatments as
// the course does.
func (c *Course) World() *World {
	w := c.base
	w.until = c.now
	return &w
}

// Ahead is the world with its records to their end, if nothing more were done. What they tell of the time before any step that the
// customer lives to see is what World will tell of it at that step, but for contacts.
func (c *Course) Ahead() *World {
	w := c.base
	return &w
}

// Accepts is the probability that the customer whom Live has put into c accepts what a contact of a day offers.
func (w *World) Accepts(c *Customer, day int) float64 { return acceptShare * c.path.answers(day) }

// Meeting is how the records of a course will tell of a treatment.
type Meeting struct {
	At, OutcomeAt time.Time
	Outcome       string // accepted, rejected or ignored
}

// Meet tells how a treatment of a day will go with the customer whom Live has put into c, unless it leaves before.
func (w *World) Meet(c *Customer, day int) Meeting {
	at, delay, u := w.meet(&c.path, day)
	return Meeting{At: time.UnixMilli(at).UTC(), OutcomeAt: time.UnixMilli(at + answerMs + delay).UTC(), Outcome: c.path.response(day, u)}
}

// treatments are those of a customer in some days.
func (w *World) treatments(index int, s span) []contact {
	if w.course == nil {
		return nil
	}
	done := w.course.done[index]
	from, _ := slices.BinarySearchFunc(done, s.from, func(c contact, day int) int { return c.day - day })
	until := from
	for until < len(done) && done[until].day < s.until {
		until++
	}
	return done[from:until]
}

// outcomes is the generator of what becomes of a customer in a course with a seed of its own.
func (w *World) outcomes(index int) *rand.Rand {
	seeded := World{options: Options{Seed: w.options.Seed ^ mix(w.course.outcomes)}}
	return seeded.stream(index, forOutcomes, 0)
}

// apart is the generator of records whose number depends on how far the records go. In a course it is another one than r, so that what was
// recorded does not change as the course goes on; a world that is made at once keeps to r, as ever.
func (w *World) apart(r *rand.Rand, index int, p purpose, part int) *rand.Rand {
	if w.course == nil {
		return r
	}
	return w.stream(index, p, part)
}
