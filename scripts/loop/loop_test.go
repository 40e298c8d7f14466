package main

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/stat"

	"retain/simulation"
)

// Short loops in worlds that nothing was tuned on: what is decided is worth what the truth says, learning pays where actions work, and where none does it
// costs less than not learning.
func TestShortLoopKeepsItsSign(t *testing.T) {
	s := newSetting(5000, 5)
	figures, err := s.play(t.Context(), 201, 2, "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := newTable(figures)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if f.Regret < -1e-4*f.Cost { // the allocation works in float32
			t.Errorf("%+v: somebody chooses better than the best", f)
		}
		switch {
		case f.Policy == "do_nothing" && (f.Value != 0 || f.Treated != 0):
			t.Errorf("%+v: doing nothing is worth something", f)
		case f.Effects == simulation.NoEffects && (f.Saved != 0 || math.Abs(f.Value+f.Cost) > 1e-9*f.Cost):
			t.Errorf("%+v: something works in the null world", f)
		}
	}
	for _, world := range []simulation.Effects{simulation.MixedEffects, simulation.NoEffects} {
		least := .10 * stat.Mean(all.totals(world, prior, s.runs, trueValue), nil) // a fourth is what was seen
		if world == simulation.NoEffects {
			least = 0
		}
		if gain := all.ahead(world, learned, prior, s.runs, trueValue); gain.mean <= least {
			t.Errorf("%s: learning brings %v, want more than %.0f", world, gain, least)
		}
		if best := all.ahead(world, oracle, learned, s.runs, trueValue); best.mean <= 0 {
			t.Errorf("%s: the oracle is %v ahead", world, best)
		}
	}
}

// After five runs what is learned of discounts and calls, whose effects differ widely, must resemble the truth, and its standard errors must be of the size of
// its errors. The effects of e-mails and education are a tenth as large: five runs of 1,500 customers tell next to nothing of them.
func TestWhatIsLearnedResemblesTheTruth(t *testing.T) {
	s := newSetting(5000, 6)
	const seed = 203
	w, err := s.world(seed, simulation.MixedEffects)
	if err != nil {
		t.Fatal(err)
	}
	m, err := newMenu()
	if err != nil {
		t.Fatal(err)
	}
	b := newBook(s, w)
	score, err := newScorer(t.Context(), s, b, w, seed)
	if err != nil {
		t.Fatal(err)
	}
	y, err := newPlay(s, b, m, score, w, learned, seed, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := s.runs - 1
	for k := range last {
		if _, err := y.run(t.Context(), k, simulation.MixedEffects); err != nil {
			t.Fatal(err)
		}
		if err := y.course.Step(s.at(k + 1)); err != nil {
			t.Fatal(err)
		}
	}
	at := s.training + last
	rows, err := y.present(b.days[at], at)
	if err != nil {
		t.Fatal(err)
	}
	risk, err := score.probabilities(b.matrix(rows, at))
	if err != nil {
		t.Fatal(err)
	}
	estimates, err := y.learn.estimates(t.Context(), y, last, y.decisionMatrix(rows, at, risk, s.at(last)), risk, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := y.consider(t.Context(), rows, at, risk)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"discount", "save_call"} {
		action := m.engine.Catalogue.Index(id)
		var truth, estimate []float64
		z := 0.
		for r := range rows {
			if c.round.Eligible[r]&(1<<action) == 0 {
				continue
			}
			e := estimates.Actions[action][r]
			truth, estimate = append(truth, c.effect(m, r, action)), append(estimate, float64(e.Mean))
			z += math.Pow((c.effect(m, r, action)-float64(e.Mean))/float64(e.SE), 2)
		}
		like, size := stat.Correlation(truth, estimate, nil), math.Sqrt(z/float64(len(truth)))
		t.Logf("%s: correlation %.2f, errors of %.2f standard errors, %d customers", id, like, size, len(truth))
		if like < .25 || size > 2.5 {
			t.Errorf("%s: correlation %.2f, errors of %.2f standard errors, %d customers", id, like, size, len(truth))
		}
	}
}

// What is seen of a customer at a cutoff is the same in a life that a policy changed, as long as the customer is there.
func TestSightsDoNotDependOnTheLife(t *testing.T) {
	s := newSetting(500, 3)
	w, err := s.world(3, simulation.MixedEffects)
	if err != nil {
		t.Fatal(err)
	}
	idle, err := w.Course(simulation.CourseOptions{From: s.from, Outcomes: 4})
	if err != nil {
		t.Fatal(err)
	}
	busy, err := w.Course(simulation.CourseOptions{From: s.from, Outcomes: 4})
	if err != nil {
		t.Fatal(err)
	}
	for k := range s.runs {
		if k > 0 {
			if err := busy.Step(s.at(k)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range s.customers {
			if err := busy.Act(i, simulation.Treatment{Action: "save_call"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := newBook(s, w), newBook(s, w)
	seen, more := 0, 0
	for i := range s.customers {
		a.fill(idle.Ahead(), i, s.from.UnixMilli())
		b.fill(busy.Ahead(), i, s.from.UnixMilli())
		for k := range a.days {
			switch x, y := a.seen[i][k], b.seen[i][k]; {
			case x.x == nil && y.x != nil || x.x != nil && y.x == nil:
				more++
			case x.x != nil:
				seen++
				for j := range x.x {
					if x.x[j] != y.x[j] && !(x.x[j] != x.x[j] && y.x[j] != y.x[j]) {
						t.Fatalf("customer %d, cutoff %d: %s is %v and %v", i, k, sightColumns[j], x.x[j], y.x[j])
					}
				}
				if x.openTickets != y.openTickets || x.ticket != y.ticket {
					t.Fatalf("customer %d, cutoff %d: other open tickets", i, k)
				}
			}
		}
	}
	if seen < 500 || more < 2 {
		t.Errorf("%d sights in both lives and %d in one: the test looks at little", seen, more)
	}
}

// Two lessons, by hand: one customer, decided on twice within a horizon, teaches once, whatever was drawn.
func TestACustomerTeachesOncePerHorizon(t *testing.T) {
	m, err := newMenu()
	if err != nil {
		t.Fatal(err)
	}
	call := m.engine.Catalogue.Index("save_call")
	p := make([]float64, len(m.engine.Catalogue.Actions))
	p[call], p[m.nothing] = .3, .2
	decision := func(i, k, chosen int) logged {
		return logged{i: i, k: k, eligible: 1<<call | 1<<m.nothing, chosen: chosen, propensity: p}
	}
	y := &play{s: &setting{training: 0}, b: &book{days: []int{100, 150, 200, 400}}, m: m,
		fate: []simulation.Fate{{Cancelled: 500, End: 500, OptedOut: 500}, {Cancelled: 120, End: 130, OptedOut: 500}, {Cancelled: 500, End: 500, OptedOut: 500}},
		log:  []logged{decision(0, 0, call), decision(1, 0, m.nothing), decision(2, 0, m.engine.Catalogue.Index("email")), decision(0, 1, m.nothing), decision(0, 2, m.nothing)}}
	got := y.lessons(call, 3)
	type row struct {
		i, k    int
		treated bool
		e, y    float64
	}
	var rows []row
	for _, l := range got {
		rows = append(rows, row{l.i, l.k, l.treated, l.e, l.stayed})
	}
	want := []row{{0, 0, true, .6, 1}, {1, 0, false, .6, 0}, {0, 2, false, .6, 1}} // 2 got something else; the second of 0 is too early
	if !reflect.DeepEqual(rows, want) {
		t.Errorf("lessons %+v, want %+v", rows, want)
	}
	if early := y.lessons(call, 1); len(early) != 0 {
		t.Errorf("%d lessons before their labels are known", len(early))
	}
}

// By hand: the mean of 1, 2, 3 is 2 ± 4.303 · 1/√3.
func TestOver(t *testing.T) {
	got := over([]float64{1, 2, 3})
	if math.Abs(got.mean-2) > 1e-12 || math.Abs(got.high-2-4.302653/math.Sqrt(3)) > 1e-5 || math.Abs(got.low-2+4.302653/math.Sqrt(3)) > 1e-5 {
		t.Errorf("%+v", got)
	}
}
