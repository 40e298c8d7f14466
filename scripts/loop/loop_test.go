package main

import (
	"math"
	"reflect"
	"testing"

	"retain/simulation"
)

// One short loop: what is decided is worth what the truth says, learning pays in a world where actions work, and where none does it only saves.
func TestShortLoopKeepsItsSign(t *testing.T) {
	s := newSetting(3600, 5)
	figures, err := s.play(t.Context(), 1, 2, "")
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
		gain := all.ahead(world, learned, prior, s.runs, trueValue)
		if gain.mean <= 0 {
			t.Errorf("%s: learning brings %v", world, gain)
		}
		if best := all.ahead(world, oracle, learned, s.runs, trueValue); best.mean <= 0 {
			t.Errorf("%s: the oracle is %v ahead", world, best)
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
