package uplift

import "math"

// Settle weighs what an action does on average against what was believed of it beforehand, N(mean, sd²), and moves each customer's effect by what the
// average tells of it; standard errors shrink likewise. That is the posterior of all effects together, given the belief. How effects differ between customers
// stays as it was learned. Where Lean is nil it does nothing and returns false.
func (e *Estimates) Settle(mean, sd float64) bool {
	if e.Lean == nil || !(sd > 0) {
		return false
	}
	before := e.AverageSE * e.AverageSE
	after := before * sd * sd / (before + sd*sd)
	shift := (mean - e.Average) * before / (before + sd*sd)
	for i, lean := range e.Lean {
		e.Effect[i] = min(max(e.Effect[i]+lean*shift, -1), 1)
		e.SE[i] = math.Sqrt(max(e.SE[i]*e.SE[i]-lean*lean*(before-after), 0))
	}
	e.Average += shift
	e.AverageSE = math.Sqrt(after)
	return true
}
