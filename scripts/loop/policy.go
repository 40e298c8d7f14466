package main

import (
	_ "embed"
	"fmt"
	"math"
	"math/bits"
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

// book of actions: the catalogue with its rules, and which action of the world each one is.
type menu struct {
	engine  *actions.Engine
	world   []int // of simulation.Actions; -1 = none
	nothing int
	value   actions.ValueTerms
}

func newMenu() (*menu, error) {
	engine, err := actions.Parse(catalogueText, nil)
	if err != nil {
		return nil, fmt.Errorf("catalogue of the loop: %w", err)
	}
	m := &menu{engine: engine, nothing: engine.Catalogue.Index(actions.DoNothing), value: actions.ValueTerms{GrossMargin: .7, DiscountRate: .1}}
	for i := range engine.Catalogue.Actions {
		m.world = append(m.world, slices.Index(simulation.Actions(), engine.Catalogue.Actions[i].ID))
	}
	return m, nil
}

// turn is one customer's turn in a run.
type turn struct {
	eligible        uint64
	value, pressure float64
	held            bool
	draw            float64
	estimates       *actions.Learned // nil = nothing learned
	row             int              // of estimates
	share           float64
}

// choose draws the action and writes the logged propensities, as the product does.
func (m *menu) choose(propensity []float64, t turn) int {
	clear(propensity)
	c := m.engine.Catalogue
	var arms [actions.MaxActions]actions.Arm
	var place [actions.MaxActions]int
	var of [actions.MaxActions]float64
	n := 0
	for rest := t.eligible &^ (1 << m.nothing); rest != 0; rest &= rest - 1 {
		a := bits.TrailingZeros64(rest)
		terms := c.TermsOf(a, t.estimates.Of(a, t.row), t.value, t.pressure)
		arms[n], place[n] = actions.Arm{Mean: terms.Priority, SD: terms.SD}, a
		n++
	}
	none := actions.Propensities(of[:], arms[:n])
	chosen, u := m.nothing, t.draw-none
	for k := range n {
		propensity[place[k]] = (1 - t.share) * of[k]
		if !t.held && u >= 0 && u < of[k] {
			chosen = place[k]
		}
		u -= of[k]
	}
	propensity[m.nothing] = t.share + (1-t.share)*none
	return chosen
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

// best is the action of the greatest worth; do nothing unless another is above 0.
func (m *menu) best(worth []float64) int {
	best := m.nothing
	for a, v := range worth {
		if v > worth[best] {
			best = a
		}
	}
	return best
}
