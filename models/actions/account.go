package actions

import (
	"math"

	"retain/internal/interval"
)

// Account is what the decisions of a run come to: the control group, what was scarce and what it cost. It is logged with the run.
type Account struct {
	Unit      string   `json:"unit"`              // of worth and prices: UnitMoney, or UnitCustomers where no value is known
	Held      int      `json:"held_out"`          // scored customers in the control group
	Treated   int      `json:"treated"`           // the other scored customers
	Churn     *float64 `json:"mean_churn"`        // mean churn probability of the scored ones; null when there is none
	Effect    *float64 `json:"detectable_effect"` // the smallest difference of churn between the two that can be found (interval.Detectable); null without two groups
	Budget    *float64 `json:"budget"`            // null = no limit
	Spent     float64  `json:"spent"`             // of it: contact costs, and the incentives that are expected to be paid
	MoneyCost float64  `json:"budget_price"`      // ν: what one more unit of the budget would bring
	Worth     float64  `json:"worth"`             // of the plan within the limits, before exploration
	Bound     float64  `json:"bound"`             // no plan within the limits is worth more
	Gap       float64  `json:"gap"`               // (bound - worth) / bound
	Rate      float64  `json:"customer_worth"`    // what a customer of unknown value counts as: the mean of the known ones
	Effects   string   `json:"effects,omitempty"` // identity of the model of effects; "" = the catalogue's priors alone
	Actions   []Used   `json:"actions"`           // in the catalogue's order, those given or scarce
	Explored  bool     `json:"explored"`          // drawn with propensities; false: the plan itself
}

// Used is what became of an action in a run.
type Used struct {
	Action   string  `json:"action"`
	Chosen   int     `json:"chosen"`   // customers
	Capacity *int    `json:"capacity"` // null = no limit
	Cost     float64 `json:"cost"`     // counted against the budget, of doing it once
	Price    float64 `json:"price"`    // μ: of one more place; 0 where there are enough
}

// Account sums up the turns of a round. churn is the mean churn probability of the scored customers, NaN when there is none.
func (t *Turns) Account(churn float64, held, treated int, effects string) *Account {
	c := t.round.Catalogue
	a := &Account{Unit: UnitCustomers, Held: held, Treated: treated, Churn: orNil(churn), Effect: orNil(interval.Detectable(churn, float64(held), float64(treated))),
		Budget: t.round.Budget, Spent: t.Spent, MoneyCost: t.MoneyPrice, Worth: t.Planned, Bound: t.Bound, Gap: t.Gap(), Rate: t.Rate,
		Effects: effects, Actions: []Used{}, Explored: t.round.Explore}
	for _, v := range t.round.Value {
		if !math.IsNaN(v) {
			a.Unit = UnitMoney
			break
		}
	}
	limits := c.Limits(t.round.Budget)
	for i := range c.Actions {
		x := &c.Actions[i]
		if x.ID != DoNothing && (t.Used[i] > 0 || t.Prices[i] > 0) {
			a.Actions = append(a.Actions, Used{x.ID, t.Used[i], x.Capacity, limits.Cost[i], t.Prices[i]})
		}
	}
	return a
}

func orNil(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// toll is the price of the means that an action takes, in the unit of the account; 0 for a nil account, which a run of an older
// program has.
func (a *Account) toll(action string) float64 {
	if a == nil {
		return 0
	}
	for _, u := range a.Actions {
		if u.Action == action {
			return u.Price + a.MoneyCost*u.Cost
		}
	}
	return 0
}
