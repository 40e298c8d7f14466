package actions

// Scarcity is what was scarce in a run, what that costs, and how good the plan is: the prices of decisions.md §3.7.
type Scarcity struct {
	Prices     []float64 // μ per action: of one more place, in money (in customers saved where no value is known)
	MoneyPrice float64   // ν, of one more unit of the budget
	Rate       float64   // what a customer saved counts as where his value is unknown: the mean of the known ones; 1 = none is known
	Planned    float64   // the worth of the plan within the limits, of those who are not held out
	Bound      float64   // U: no plan is worth more
	Used       []int     // per action, what was given in the end
	Spent      float64   // of the budget
}

// Gap is the share of the bound that the plan may miss; 0 where nothing is worth doing.
func (s *Scarcity) Gap() float64 {
	if s.Bound <= 0 {
		return 0
	}
	return max(0, (s.Bound-s.Planned)/s.Bound)
}

// count tells what was given.
func (t *Turns) count(limits Limits) {
	for _, a := range t.chosen {
		t.Used[a]++
	}
	for a, n := range t.Used {
		t.Spent += float64(n) * limits.Cost[a]
	}
}
