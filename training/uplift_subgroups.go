package training

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"retain/features"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/training/metrics"
)

// UpliftSubgroup is what was measured of customers whom the catalogue names beforehand. Effects are those of the rows for which the rule holds as it is written,
// whatever is rough of it.
type UpliftSubgroup struct {
	Name       string           `json:"name"`
	Rule       string           `json:"rule"`
	Rough      []string         `json:"rough"`    // features of it whose bounds are guesses
	Expected   string           `json:"expected"` // of the difference, before any outcome was seen: better, worse, or "" where nobody said
	Rows       int              `json:"rows"`
	Treated    int              `json:"treated"`
	Effect     UpliftEffect     `json:"effect"`     // on them
	Others     UpliftEffect     `json:"others"`     // on all others
	Difference metrics.Figure   `json:"difference"` // of the two effects
	Interval   metrics.Interval `json:"interval"`
}

// namedSubgroups are the subgroups of actions.
type namedSubgroups map[string]*namedOfAction

// namedOfAction are the subgroups of one action; nil = none.
type namedOfAction struct {
	groups []uplift.Group
	rules  *actions.Subgroups
}

// compileSubgroups compiles the rules of the engine's catalogue; nil has none.
func compileSubgroups(engine *actions.Engine) (namedSubgroups, error) {
	out := namedSubgroups{}
	if engine == nil {
		return out, nil
	}
	for _, a := range engine.Catalogue.Actions {
		if len(a.Subgroups) == 0 {
			continue
		}
		rules, err := actions.CompileSubgroups(a.Subgroups, engine.Features)
		if err != nil {
			return nil, &UsageError{Message: fmt.Sprintf("action %s: %v", a.ID, err)}
		}
		own := &namedOfAction{rules: rules}
		for _, g := range a.Subgroups {
			own.groups = append(own.groups, uplift.Group(g))
		}
		out[a.ID] = own
	}
	return out, nil
}

// widen is a catalogue of features with those that rules of subgroups read and it lacks.
func (s namedSubgroups) widen(c *features.Catalogue) *features.Catalogue {
	out := *c
	out.Entries = slices.Clone(c.Entries)
	for _, action := range slices.Sorted(maps.Keys(s)) {
		for _, e := range s[action].rules.Entries() {
			if _, ok := out.Entry(e.Name); !ok {
				out.Entries = append(out.Entries, e)
			}
		}
	}
	return &out
}

// SubgroupsOf compiles the rules that a model was learned with over the features of known. Errors: every fault at once.
func SubgroupsOf(m *uplift.Model, known []features.Entry) (*actions.Subgroups, error) {
	all := make([]actions.Subgroup, len(m.Groups()))
	for k, g := range m.Groups() {
		all[k] = actions.Subgroup(g)
	}
	return actions.CompileSubgroups(all, known)
}

// readBySubgroups are the names of the features that the rules of a bundle's parts read.
func readBySubgroups(bundle *uplift.Bundle, known []features.Entry) ([]string, error) {
	var names []string
	for _, p := range bundle.Parts {
		rules, err := SubgroupsOf(p.Model, known)
		if err != nil {
			return nil, fmt.Errorf("subgroups of %s: %w", p.Action, err)
		}
		for _, e := range rules.Entries() {
			if !slices.Contains(names, e.Name) {
				names = append(names, e.Name)
			}
		}
	}
	return names, nil
}

// join puts behind the columns of d how much each row belongs to each subgroup and then, 1 or 0, whether its rule holds as it is written. raw are the same rows
// before their encoding.
func (s *namedOfAction) join(d *features.Dataset, raw *features.Matrix, stays []float64) *features.Dataset {
	if s == nil {
		return d
	}
	risk := make([]float64, len(stays))
	for i, p := range stays {
		risk[i] = 1 - p
	}
	out := *d
	out.X = uplift.WithGroups(d.X, s.groups, s.rules.Shares(raw, risk))
	for k, holds := range s.rules.Holds(raw, risk) {
		column := make([]float32, len(holds))
		for i, in := range holds {
			if in {
				column[i] = 1
			}
		}
		out.X.X = append(out.X.X, column)
		out.X.Schema = append(out.X.Schema, features.Column{Name: "member of " + s.groups[k].Name})
	}
	return &out
}

// part takes the columns of who is a member off the rows again, and gives them by subgroup.
func (s *namedOfAction) part(r *uplift.Rows) (members [][]float32) {
	if s == nil {
		return nil
	}
	own := len(r.X.Schema) - len(s.groups)
	members = r.X.X[own:]
	r.X = &features.Matrix{Schema: r.X.Schema[:own], X: r.X.X[:own]}
	r.Groups = s.groups
	return members
}

// tell measures each subgroup and the rest.
func (s *namedOfAction) tell(trial metrics.Trial, members [][]float32) []UpliftSubgroup {
	out := []UpliftSubgroup{}
	for k, member := range members {
		g := s.groups[k]
		own := UpliftSubgroup{Name: g.Name, Rule: g.Rule, Rough: append([]string{}, g.Rough...), Expected: g.Expected}
		var in, rest []int
		for i, v := range member {
			if v == 0 {
				rest = append(rest, i)
				continue
			}
			in = append(in, i)
			if trial.Treated[i] {
				own.Treated++
			}
		}
		own.Rows = len(in)
		own.Effect, own.Others = effectOf(trial, in), effectOf(trial, rest)
		own.Difference = own.Effect.Uplift - own.Others.Uplift
		half := func(e UpliftEffect) float64 { return float64(e.Interval[1]-e.Interval[0]) / 2 }
		wide := metrics.Figure(math.Hypot(half(own.Effect), half(own.Others)))
		own.Interval = metrics.Interval{own.Difference - wide, own.Difference + wide}
		out = append(out, own)
	}
	return out
}
