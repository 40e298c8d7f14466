package simulation

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// courseWorld is a small world and the midnight at which policies begin.
func courseWorld(t *testing.T, effects Effects) (*World, CourseOptions) {
	t.Helper()
	w := mustNew(t, Options{Customers: 250, Days: 420, Seed: 31, Effects: effects})
	return w, CourseOptions{From: w.Time(280)}
}

func mustCourse(t *testing.T, w *World, o CourseOptions) *Course {
	t.Helper()
	c, err := w.Course(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// actOnAll treats every customer who is there, each by turns with another action, and steps on.
func actOnAll(t *testing.T, c *Course, days int) {
	t.Helper()
	names := append(Actions(), "unheard_of")
	for i := range c.base.Customers() {
		if err := c.Act(i, Treatment{Action: names[(i+c.Day())%len(names)], Channel: "email", Class: "marketing", Decision: ID(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Step(c.base.Time(c.Day() + days)); err != nil {
		t.Fatal(err)
	}
}

// Without a policy and without a seed of its own a course is the world in which nobody is contacted any more; with one, hazards are the same and
// only chance differs.
func TestCourseWithoutPolicyIsTheWorld(t *testing.T) {
	w, o := courseWorld(t, MixedEffects)
	quiet := *w
	quiet.quiet = w.Day(o.From)
	same := mustCourse(t, w, o)
	o.Outcomes = 5
	other := mustCourse(t, w, o)
	a, b := new(Customer), new(Customer)
	differ := 0
	for i := range w.Customers() {
		quiet.Live(i, a)
		same.World().Live(i, b)
		if !reflect.DeepEqual(a.path, b.path) {
			t.Fatalf("customer %d lives otherwise in a course without a policy", i)
		}
		other.World().Live(i, b)
		n := min(len(a.path.weeks), len(b.path.weeks))
		if a.path.end != b.path.end {
			differ++
			n-- // the last week of the shorter life
		}
		for k := range n {
			x, y := &a.path.weeks[k], &b.path.weeks[k]
			if x.logHazard != y.logHazard || x.effect != y.effect || x.pressure != y.pressure {
				t.Fatalf("customer %d, week %d: hazards differ with another seed of outcomes", i, k)
			}
		}
		if early := min(a.path.end, b.path.end); early != never && early < quiet.quiet && a.path.end != b.path.end {
			t.Fatalf("customer %d left before the course began, at %d and %d", i, a.path.end, b.path.end)
		}
	}
	if differ < 20 {
		t.Errorf("%d of %d customers fare otherwise with another seed of outcomes", differ, w.Customers())
	}
}

// before keeps what was known before a day, without what is filled in later.
func before(c *Customer, ms int64) []any {
	var out []any
	for _, r := range c.Usage {
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Purchases {
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Subscriptions {
		if r.EndedAt >= ms {
			r.EndedAt = Missing
		}
		if r.CancelledAt >= ms {
			r.CancelledAt = Missing
		}
		if r.EndedAt == Missing && r.CancelledAt == Missing {
			r.EndReason = ""
		}
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Surveys {
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Tickets {
		r.FirstReplyAt, r.ReplyChannel, r.ResolvedAt, r.Reopened, r.Escalated, r.SelfServed, r.Satisfaction = 0, "", 0, 0, false, false, 0
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Contacts {
		if r.OutcomeAt >= ms {
			r.Outcome, r.OutcomeAt = "", Missing
		}
		if r.Known < ms {
			out = append(out, r)
		}
	}
	for _, r := range c.Touchpoints {
		if r.Known < ms {
			out = append(out, r)
		}
	}
	return out
}

// What is done at a step, and that time goes on, changes no record of before.
func TestStepsLeaveThePastAlone(t *testing.T) {
	w, o := courseWorld(t, MixedEffects)
	o.Outcomes = 9
	c := mustCourse(t, w, o)
	one := new(Customer)
	var then [][]any
	treated, left := 0, 0
	for range 3 {
		now := w.ms(c.Day())
		then = then[:0]
		for i := range w.Customers() {
			c.World().Customer(i, one)
			then = append(then, before(one, now))
		}
		actOnAll(t, c, 30)
		for i := range w.Customers() {
			c.World().Customer(i, one)
			if got := before(one, now); !reflect.DeepEqual(got, then[i]) {
				for k := range min(len(got), len(then[i])) {
					if !reflect.DeepEqual(got[k], then[i][k]) {
						t.Logf("%+v, then %+v", got[k], then[i][k])
						break
					}
				}
				t.Fatalf("day %d: of customer %d, %d records were known before it and %d are now, or they differ", c.Day()-30, i, len(then[i]), len(got))
			}
			for _, k := range one.Contacts {
				if k.Decision != "" {
					treated++
					if m := c.World().Meet(one, w.Day(time.UnixMilli(k.At))); k.Outcome != "" && (m.Outcome != k.Outcome || m.At.UnixMilli() != k.At || m.OutcomeAt.UnixMilli() != k.OutcomeAt) {
						t.Fatalf("customer %d meets %+v, the contact is %+v", i, m, k)
					}
					if k.Decision != one.ID || k.At < w.ms(280) {
						t.Fatalf("customer %d has the contact %+v", i, k)
					}
				}
			}
			if one.path.end < c.Day() {
				left++
			}
		}
	}
	if treated < 300 || left < 50 {
		t.Errorf("%d treatments are recorded and %d customers left: the test looks at little", treated, left)
	}
}

// The same steps give the same world, asked by one or by many at once.
func TestCourseDependsOnItsStepsAlone(t *testing.T) {
	w, o := courseWorld(t, MixedEffects)
	o.Outcomes = 2
	label := Label{HorizonDays: 60}
	read := func(world *World, day, i int, one *Customer) []any {
		world.Customer(i, one)
		truth, ok := world.Truth(one, day, label)
		truth.Effects = append([]float64(nil), truth.Effects...)
		return append(before(one, math.MaxInt64), truth, ok)
	}
	first, again := mustCourse(t, w, o), mustCourse(t, w, o)
	for range 2 {
		actOnAll(t, first, 30)
		actOnAll(t, again, 30)
	}
	want := make([][]any, w.Customers())
	one := new(Customer)
	for i := range want {
		want[i] = read(first.World(), first.Day(), i, one)
	}
	world := again.World()
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			one := new(Customer)
			for i := k; i < len(want); i += 4 {
				if !reflect.DeepEqual(want[i], read(world, again.Day(), i, one)) {
					t.Errorf("customer %d differs", i)
				}
			}
		})
	}
	wait.Wait()
}

// In the null world nothing that is done changes anybody's life.
func TestNothingWorksInTheNullWorld(t *testing.T) {
	w, o := courseWorld(t, NoEffects)
	idle, busy := mustCourse(t, w, o), mustCourse(t, w, o)
	for range 3 {
		actOnAll(t, busy, 30)
		if err := idle.Step(busy.Now()); err != nil {
			t.Fatal(err)
		}
	}
	a, b := new(Customer), new(Customer)
	asked := 0
	for i := range w.Customers() {
		idle.World().Live(i, a)
		busy.World().Live(i, b)
		if a.path.cancelled != b.path.cancelled || a.path.end != b.path.end {
			t.Fatalf("customer %d fares otherwise", i)
		}
		truth, ok := busy.World().Truth(b, busy.Day(), Label{HorizonDays: 91})
		for action, effect := range truth.Effects {
			if effect != 0 {
				t.Fatalf("customer %d: %s changes P(stay) by %v", i, actions[action].Name, effect)
			}
		}
		if ok {
			asked++
		}
	}
	if asked < 50 {
		t.Errorf("only %d customers were asked", asked)
	}
}

// The truth of a step, after what was done before, is what becomes of the customers: between courses that differ by one action.
func TestEffectsOfACourseAgreeWithOutcomes(t *testing.T) {
	const customers, action = 5_000, 3 // the e-mail: it helps some and harms others
	w := mustNew(t, Options{Customers: customers, Days: 400, Seed: 23})
	o := CourseOptions{From: w.Time(266), Outcomes: 77}
	label := Label{HorizonDays: 91}
	do := func(c *Course, name string) {
		for i := range customers {
			if err := c.Act(i, Treatment{Action: name}); err != nil {
				t.Fatal(err)
			}
		}
	}
	step := func(c *Course, days int) {
		if err := c.Step(w.Time(c.Day() + days)); err != nil {
			t.Fatal(err)
		}
	}
	without, with := mustCourse(t, w, o), mustCourse(t, w, o)
	for _, c := range []*Course{without, with} {
		do(c, "save_call")
		step(c, 21)
	}
	day := with.Day()
	asked := without.World()
	got := gather(customers, func(i int, one *Customer, into *cases) {
		asked.Live(i, one)
		if truth, ok := asked.Truth(one, day, label); ok {
			into.risk = append(into.risk, float64(i))
			into.effects = append(into.effects, []float64{truth.Effects[action]})
		}
	})
	do(with, actions[action].Name)
	step(without, 91)
	step(with, 91)
	one := new(Customer)
	var sum, square, size float64
	for k, index := range got.risk {
		without.World().Live(int(index), one)
		idle, _ := without.World().Left(one, day, label)
		with.World().Live(int(index), one)
		treated, _ := with.World().Left(one, day, label)
		change := 0.
		if idle && !treated {
			change = 1
		} else if treated && !idle {
			change = -1
		}
		d := change - got.effects[k][0]
		sum, square, size = sum+d, square+d*d, size+math.Abs(got.effects[k][0])
	}
	if z := sum / math.Sqrt(square); math.Abs(z) > 3 || size/float64(len(got.risk)) < .002 {
		t.Errorf("outcomes are %.1f standard errors from the effects, which are %.4f on average", z, size/float64(len(got.risk)))
	}
}

func TestCourseRefuses(t *testing.T) {
	w, o := courseWorld(t, MixedEffects)
	if _, err := w.Course(CourseOptions{From: o.From.Add(1)}); err == nil {
		t.Error("a course begins amid a day")
	}
	c := mustCourse(t, w, o)
	if err := c.Step(o.From); !errors.Is(err, ErrBackwards) {
		t.Errorf("a step to now: %v", err)
	}
	if err := c.Step(w.Time(421)); err == nil || !strings.Contains(err.Error(), "up to 2026-07-01") {
		t.Errorf("a step beyond the records: %v", err)
	}
	if err := c.Act(250, Treatment{}); err == nil {
		t.Error("a customer that is not there")
	}
	if err := c.Act(7, Treatment{Action: "email"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Act(7, Treatment{Action: "discount"}); err == nil || !strings.Contains(err.Error(), "a week has one effect") {
		t.Errorf("a second treatment: %v", err)
	}
}
