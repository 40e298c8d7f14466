package main

import (
	"context"
	_ "embed" // catalogue.yaml
	"fmt"
	"math"
	"slices"

	"retain/models/actions"
	"retain/simulation"
)

//go:embed catalogue.yaml
var catalogueText []byte

// policy is a way to decide.
type policy int

// The policies that are compared.
const (
	nothing policy = iota // nobody gets anything
	prior                 // the product with the catalogue's effects, never learning
	learned               // the product, with the effects learned from its own decisions
	oracle                // knows the true effect of each action on each customer, within the same rules, and does not explore
)

var policyNames = []string{"do_nothing", "fixed_prior", "learned", "oracle"}

func (p policy) String() string { return policyNames[p] }

// menu is the catalogue with its rules, and which action of the world each one is.
type menu struct {
	engine  *actions.Engine
	world   []int // of simulation.Actions; -1 = none
	nothing int
	value   actions.ValueTerms
}

// grossMargin is the share of revenue that the company keeps.
const grossMargin = .7

func newMenu() (*menu, error) {
	engine, err := actions.Parse(catalogueText, nil)
	if err != nil {
		return nil, fmt.Errorf("catalogue of the loop: %w", err)
	}
	m := &menu{engine: engine, nothing: engine.Catalogue.Index(actions.DoNothing), value: actions.ValueTerms{GrossMargin: grossMargin, DiscountRate: .1}}
	for i := range engine.Catalogue.Actions {
		m.world = append(m.world, slices.Index(simulation.Actions(), engine.Catalogue.Actions[i].ID))
	}
	return m, nil
}

// worth is what each action truly brings: effect·V·lever - contact cost - P(accept)·incentive. Actions that are not eligible are NaN.
func (m *menu) worth(dst []float64, eligible uint64, effects []float64, value, accepts float64) {
	for a := range m.engine.Catalogue.Actions {
		act := &m.engine.Catalogue.Actions[a]
		switch {
		case a == m.nothing:
			dst[a] = 0
		case eligible&(1<<a) == 0:
			dst[a] = math.NaN()
		default:
			effect := 0.
			if w := m.world[a]; w >= 0 && effects != nil {
				effect = effects[w]
			}
			dst[a] = effect*value*act.Lever - act.ContactCost - accepts*act.Incentive
		}
	}
}

// best is who gets what if the true worths are known: the product's allocation within the catalogue's capacities. skip tells whom to leave out.
func (m *menu) best(ctx context.Context, worth [][]float64, skip []bool) (chosen []int, total float64, err error) {
	o := actions.Offers{At: make([]uint32, 1, len(worth)+1)}
	for i, of := range worth {
		for a, v := range of {
			if v > 0 && !skip[i] {
				o.Action, o.Worth = append(o.Action, uint8(a)), append(o.Worth, float32(v))
			}
		}
		o.At = append(o.At, uint32(len(o.Action)))
	}
	plan, err := actions.Allocate(ctx, o, m.engine.Catalogue.Limits(nil))
	if err != nil {
		return nil, 0, err
	}
	chosen = make([]int, len(worth))
	for i, k := range plan.Chosen {
		chosen[i] = m.nothing
		if k >= 0 {
			chosen[i] = int(o.Action[k])
			total += worth[i][chosen[i]]
		}
	}
	return chosen, total, nil
}
