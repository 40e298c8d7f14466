package actions

import "math"

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

// DetectableEffect is the smallest difference of two shares that a comparison of n0 and n1 customers finds four times out of five at
// a level of 5 %: 2.8 √(p(1-p)(1/n0+1/n1)), p the share without treatment. NaN where a group is empty or p is no share.
func DetectableEffect(p float64, n0, n1 int) float64 {
	if n0 <= 0 || n1 <= 0 || !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	return 2.8 * math.Sqrt(p*(1-p)*(1/float64(n0)+1/float64(n1)))
}
