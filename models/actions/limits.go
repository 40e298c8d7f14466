package actions

import (
	"fmt"
	"math"
)

// Limits bound what can be done in one run.
type Limits struct {
	Capacity []int     // per action; below 0 = no limit
	Cost     []float64 // c_a per action, of doing it once, counted against the budget; finite, 0 or more
	Budget   float64   // in the currency of Cost; +Inf = no limit
}

// Limits are those of the catalogue with a budget for the run (nil = none). The cost of an action is its contact cost and the
// incentive that is expected to be paid. What answers the customer is a duty: it costs the budget nothing.
func (c *Catalogue) Limits(budget *float64) Limits {
	l := Limits{Capacity: make([]int, len(c.Actions)), Cost: make([]float64, len(c.Actions)), Budget: math.Inf(1)}
	if budget != nil {
		l.Budget = *budget
	}
	for i := range c.Actions {
		a := &c.Actions[i]
		l.Capacity[i] = -1
		if a.Capacity != nil {
			l.Capacity[i] = *a.Capacity
		}
		if a.withheld() {
			l.Cost[i] = a.Spend()
		}
	}
	return l
}

// Spend is what doing the action once is expected to cost: contact cost, and the incentive for those who accept.
func (a *Action) Spend() float64 { return a.ContactCost + a.PAccept*a.Incentive }

// check tells what is wrong with limits for so many actions.
func (l *Limits) check(actions int) error {
	if len(l.Capacity) != actions || len(l.Cost) != actions {
		return fmt.Errorf("limits: %d capacities and %d costs for %d actions", len(l.Capacity), len(l.Cost), actions)
	}
	for a, c := range l.Cost {
		if !(c >= 0 && c <= math.MaxFloat64) {
			return fmt.Errorf("limits: action %d costs %v; want a finite amount of 0 or more", a, c)
		}
	}
	if !(l.Budget >= 0) {
		return fmt.Errorf("limits: a budget of %v; want an amount of 0 or more", l.Budget)
	}
	return nil
}

// Prices are what scarce means cost: an action is worth it where its value is above its price.
type Prices struct {
	Capacity []float64 // μ_a per action, 0 or more: of one more place
	Budget   float64   // ν, 0 or more: of one more unit of money
}

// Of is the price of doing an action of the limits once: μ_a + ν c_a.
func (p *Prices) Of(l *Limits, action int) float64 {
	return p.Capacity[action] + p.Budget*l.Cost[action]
}

// remaining is what is left of the limits while actions are handed out, one after the other.
type remaining struct {
	left   []int // MaxInt = no limit
	budget float64
	cost   []float64
}

func (l *Limits) remaining() *remaining {
	r := &remaining{left: make([]int, len(l.Capacity)), budget: l.Budget, cost: l.Cost}
	for a, n := range l.Capacity {
		if r.left[a] = n; n < 0 {
			r.left[a] = math.MaxInt
		}
	}
	return r
}

// room tells whether the action can be done once more.
func (r *remaining) room(action int) bool {
	return r.left[action] > 0 && r.cost[action] <= r.budget
}

// take does an action once; free undoes it.
func (r *remaining) take(action int) {
	if r.left[action] != math.MaxInt {
		r.left[action]--
	}
	r.budget -= r.cost[action]
}

func (r *remaining) free(action int) {
	if r.left[action] != math.MaxInt {
		r.left[action]++
	}
	r.budget += r.cost[action]
}

// full and poor are the actions without a place left and those that the rest of the budget does not pay for, as masks.
func (r *remaining) full() (mask uint64) {
	for a, n := range r.left {
		if n <= 0 {
			mask |= 1 << a
		}
	}
	return mask
}

func (r *remaining) poor() (mask uint64) {
	for a, c := range r.cost {
		if c > r.budget {
			mask |= 1 << a
		}
	}
	return mask
}
