package actions

import "testing"

// Places of a duty are handed out once: those who wait for it are foreseen, so that the others find it closed, and then get it.
func TestDutiesWithFewPlacesFillThem(t *testing.T) {
	e, err := Parse([]byte("version: 1\nactions:\n"+nothing+
		"  - {id: answer, title: A, channel: ticket, class: service, message: Hi, capacity: 10, prior: {mean: 0.05, sd: 0.02}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Catalogue
	for _, waiting := range []int{6, 10, 14} {
		for _, explore := range []bool{true, false} {
			r := crowd(c, 100, 1)
			r.Explore = explore
			for i := range r.Customer {
				r.Eligible[i] = 1 << c.Index(DoNothing)
				if i < waiting {
					r.Eligible[i] |= 1 << c.Index("answer")
				}
			}
			turns, err := r.Decide(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := sound(r, turns); err != nil {
				t.Error(err)
			}
			if got := turns.Used[c.Index("answer")]; got != min(waiting, 10) {
				t.Errorf("explore %v: %d wait, %d places, %d answered", explore, waiting, 10, got)
			}
		}
	}
}
