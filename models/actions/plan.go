package actions

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Planning gathers who could get what, to be allotted under limits of its own: a budget, other capacities than the catalogue's.
type Planning struct {
	catalogue *Catalogue
	learned   uint64 // actions whose effect was learned: the terms of the catalogue are not theirs

	rows  []planRow
	at    []uint32
	offer []planOffer
	money int // customers whose value is known
	held  int
}

type planRow struct {
	customer, decision string
	money              bool
}

type planOffer struct {
	worth   float64
	action  uint8
	channel string
	spare   bool // suppressed by capacity or budget: the terms are those of the catalogue's prior
}

// Planned is what one customer gets.
type Planned struct {
	CustomerID string  `json:"customer_id"`
	DecisionID string  `json:"decision_id"` // of the run in force; that the plan took another action is told with its outcome
	Action     string  `json:"action"`
	Channel    string  `json:"channel"`
	Cost       float64 `json:"cost"`           // contact cost and the incentive that is expected to be paid
	Expected   float64 `json:"expected_value"` // the priority: value saved less costs, in the unit of the plan
	Duty       bool    `json:"duty"`           // it answers the customer, whatever the budget
}

// PlannedAction sums up an action of a plan.
type PlannedAction struct {
	Action    string  `json:"action"`
	Customers int     `json:"customers"`
	Capacity  *int    `json:"capacity"` // null = no limit
	Cost      float64 `json:"cost"`
	Expected  float64 `json:"expected_value"`
	Price     float64 `json:"price"` // of one place more, 0 where there are enough
	Duty      bool    `json:"duty"`
}

// BudgetPlan is who gets what under the limits, and a proof of how good it is.
type BudgetPlan struct {
	Unit         string          `json:"unit"`          // of the values: UnitMoney, or UnitCustomers where no value is known
	Budget       *float64        `json:"budget"`        // null = no limit
	Customers    int             `json:"customers"`     // that were looked at
	HeldOut      int             `json:"held_out"`      // of them: in the control group, where nothing but duties is possible
	WithoutValue int             `json:"without_value"` // of them: left out with what they could get, because others have a value and they have none
	Assigned     int             `json:"assigned"`      // customers who get anything but a duty
	Cost         float64         `json:"cost"`          // of those
	Expected     float64         `json:"expected_value"`
	Bound        float64         `json:"bound"` // no plan within the limits is expected to bring more
	Gap          float64         `json:"gap"`   // share of the bound that may be missing
	BudgetPrice  float64         `json:"budget_price"`
	Duties       int             `json:"duties"`    // customers who are answered, outside the budget
	DutyCost     float64         `json:"duty_cost"` // of that
	Actions      []PlannedAction `json:"actions"`   // in the order of the catalogue, those that anyone gets or that are scarce
	Items        []Planned       `json:"-"`         // by falling value, duties first, then by customer
}

// NewPlanning begins a plan over the decisions of one catalogue.
func NewPlanning(c *Catalogue) *Planning { return &Planning{catalogue: c, at: []uint32{0}} }

// Add takes a customer with the options of his decision, and those that only lacked capacity or budget: the plan has its own. The places of duties are
// those of the run, for a plan takes no duty from anyone.
func (p *Planning) Add(made *Decision, decision string) error {
	row := planRow{made.CustomerID, decision, !math.IsNaN(made.Value)}
	for _, o := range made.Options {
		k := p.catalogue.Index(o.Action)
		if k < 0 {
			return fmt.Errorf("plan: the action %s is not in the catalogue of its run", o.Action)
		}
		if o.Source == SourceLearned {
			p.learned |= 1 << k
		}
		if o.Action != DoNothing {
			p.offer = append(p.offer, planOffer{o.Terms.Priority, uint8(k), o.Channel, false})
		}
	}
	for _, s := range made.Suppressed {
		if !strings.HasPrefix(s.Reason, "capacity:") && !strings.HasPrefix(s.Reason, "budget:") {
			continue
		}
		if k := p.catalogue.Index(s.Action); k >= 0 && !p.catalogue.Actions[k].duty() {
			p.offer = append(p.offer, planOffer{p.catalogue.Terms(k, made.Value, made.Pressure).Priority, uint8(k), p.catalogue.Actions[k].Channel, true})
		}
	}
	if made.Holdout {
		p.held++
	}
	if row.money {
		p.money++
	}
	p.rows, p.at = append(p.rows, row), append(p.at, uint32(len(p.offer)))
	return nil
}

// Allot gives everyone at most one action so that their values add up to most, by Allocate. budget +Inf is none; capacity replaces those of
// the catalogue, per day, for the actions that it names (below 0 = no limit). Whoever waits for an answer gets it, outside the budget, and nothing else.
func (p *Planning) Allot(ctx context.Context, budget float64, capacity map[string]int) (*BudgetPlan, error) {
	limits := p.catalogue.Limits(&budget)
	for id, n := range capacity {
		k := p.catalogue.Index(id)
		if k < 0 || id == DoNothing {
			return nil, fmt.Errorf("%w: capacity of %q: the catalogue has no such action", ErrPlan, id)
		}
		if p.catalogue.Actions[k].duty() {
			return nil, fmt.Errorf("%w: capacity of %q: it answers the customer, outside the limits of a plan", ErrPlan, id)
		}
		limits.Capacity[k] = n
	}
	plan := &BudgetPlan{Unit: UnitMoney, Customers: len(p.rows), HeldOut: p.held, Actions: []PlannedAction{}}
	if p.money == 0 {
		plan.Unit = UnitCustomers
	}
	if !math.IsInf(budget, 1) {
		plan.Budget = &budget
	}
	byAction := make([]PlannedAction, len(p.catalogue.Actions))
	offers := Offers{At: make([]uint32, 1, len(p.rows)+1)}
	var from []int    // of each offer: its place here
	var reach float64 // what everyone's best action within reach is worth: no plan is worth more
	items := []Planned{}
	take := func(i int, o *planOffer, duty bool) {
		a := &p.catalogue.Actions[o.action]
		worth := o.worth
		if p.money > 0 && !p.rows[i].money { // a duty to someone of unknown value: not in the unit of the others
			worth = 0
		}
		items = append(items, Planned{p.rows[i].customer, p.rows[i].decision, a.ID, o.channel, a.Spend(), worth, duty})
		by := &byAction[o.action]
		by.Customers++
		by.Cost += a.Spend()
		by.Expected += worth
	}
	for i := range p.rows {
		if duty := p.duty(i); duty >= 0 {
			plan.Duties++
			plan.DutyCost += p.catalogue.Actions[p.offer[duty].action].Spend()
			take(i, &p.offer[duty], true)
		} else if p.money > 0 && !p.rows[i].money {
			plan.WithoutValue += b2i(p.at[i] < p.at[i+1])
		} else {
			best := 0.0
			for k := p.at[i]; k < p.at[i+1]; k++ {
				o := &p.offer[k]
				if o.worth <= 0 || o.spare && p.learned&(1<<o.action) != 0 {
					continue
				}
				if p.catalogue.Actions[o.action].Spend() <= budget && limits.Capacity[o.action] != 0 {
					best = max(best, o.worth)
				}
				offers.Action, offers.Worth = append(offers.Action, o.action), append(offers.Worth, float32(o.worth))
				from = append(from, int(k))
			}
			reach += best
		}
		offers.At = append(offers.At, uint32(len(offers.Action)))
	}
	a, err := Allocate(ctx, offers, limits)
	if err != nil {
		return nil, err
	}
	for i, k := range a.Chosen {
		if k >= 0 {
			o := &p.offer[from[k]]
			take(i, o, false)
			plan.Assigned++
			plan.Expected += o.worth
		}
	}
	plan.Cost, plan.BudgetPrice = a.Spent, a.Budget
	plan.Bound = max(plan.Expected, min(a.Bound, reach)) // the worths of Allocate are rounded
	if plan.Bound > 0 {
		plan.Gap = (plan.Bound - plan.Expected) / plan.Bound
	}
	for k := range byAction {
		by := &byAction[k]
		by.Action, by.Duty, by.Price = p.catalogue.Actions[k].ID, p.catalogue.Actions[k].duty(), a.Capacity[k]
		if n := limits.Capacity[k]; n >= 0 && !by.Duty {
			by.Capacity = &n
		}
		if by.Customers > 0 || by.Price > 0 {
			plan.Actions = append(plan.Actions, *by)
		}
	}
	slices.SortStableFunc(items, func(a, b Planned) int {
		return cmp.Or(b2i(b.Duty)-b2i(a.Duty), cmp.Compare(b.Expected, a.Expected), strings.Compare(a.CustomerID, b.CustomerID))
	})
	plan.Items = items
	return plan, nil
}

// ErrPlan marks a wrong request for a plan.
var ErrPlan = errors.New("plan")

// duty is the offer that answers customer i, the one of the greatest value; -1 without any.
func (p *Planning) duty(i int) int {
	best := -1
	for k := int(p.at[i]); k < int(p.at[i+1]); k++ {
		o := &p.offer[k]
		if p.catalogue.Actions[o.action].duty() && (best < 0 || o.worth > p.offer[best].worth) {
			best = k
		}
	}
	return best
}
