package actions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"retain/features"
	"retain/internal/rule"
)

// Subgroup are customers for whom, whoever designed the action thinks, it works otherwise than for the rest: better, not at all, or to their harm. It is named
// before any outcome is seen, as in a trial. Learning gives each subgroup a say of its own; whether it is right the outcomes decide.
type Subgroup struct {
	Name  string   `json:"name" yaml:"name"`             // ^[a-z][a-z0-9_]*$
	Rule  string   `json:"rule" yaml:"rule"`             // CEL over f.NAME and churn_probability: nothing else is known of past decisions
	Rough []string `json:"rough,omitempty" yaml:"rough"` // features of the rule whose bounds in it are guesses: others, up to a third lower and higher, are tried as well. At most MaxRough
	// Expected says which way the effect on them is thought to differ from that on the rest: ExpectedBetter, ExpectedWorse, or "" where nobody knows.
	Expected string `json:"expected,omitempty" yaml:"expected"`
}

// What may be expected of an action on a subgroup: that more of it stay for it than of the rest, or fewer.
const (
	ExpectedBetter = "better"
	ExpectedWorse  = "worse"
)

// Bounds of subgroups.
const (
	MaxSubgroups = 8 // of an action
	MaxRough     = 2 // of a subgroup: 25 tries
)

// roughly are the factors by which the bounds of rough features are tried: fine enough that of a count no whole number is left out up to six.
var roughly = []float64{2. / 3, 5. / 6, 1, 7. / 6, 4. / 3}

// memberFacts is what a rule of a subgroup sees of a customer.
type memberFacts struct {
	columns *rule.Columns
	row     int
	risk    float64 // probability of churn; NaN = not known
}

// memberLanguage is that of the rules of subgroups.
func memberLanguage(known []features.Entry) (*rule.Language[memberFacts], error) {
	named := make([]rule.Feature, len(known))
	for i, e := range known {
		named[i] = rule.Feature{Name: e.Name, Categorical: e.Kind() == features.Categorical}
	}
	facts := []rule.Fact[memberFacts]{{Name: "churn_probability", Kind: rule.Number, Get: func(f *memberFacts) any { return rule.Known(f.risk) }}}
	return rule.NewLanguage(facts, named, func(f *memberFacts) (*rule.Columns, int) { return f.columns, f.row })
}

// Subgroups are some with their rules compiled. They are immutable and safe for concurrent use.
type Subgroups struct {
	all   []Subgroup
	known []features.Entry
	rules []*rule.Rule[memberFacts]
}

// CompileSubgroups compiles rules over the features of known. Errors: every fault at once.
func CompileSubgroups(all []Subgroup, known []features.Entry) (*Subgroups, error) {
	s := &Subgroups{all: all, known: known}
	if len(all) == 0 {
		return s, nil
	}
	lang, err := memberLanguage(known)
	if err != nil {
		return nil, fmt.Errorf("prepare rules: %w", err)
	}
	var faults []error
	for _, g := range all {
		r, why := compileMember(lang, known, g)
		for _, w := range why {
			faults = append(faults, fmt.Errorf("subgroup %s: %s", g.Name, w))
		}
		s.rules = append(s.rules, r)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// compileMember compiles the rule of a subgroup, or tells what is wrong with it.
func compileMember(lang *rule.Language[memberFacts], known []features.Entry, g Subgroup) (r *rule.Rule[memberFacts], faults []string) {
	if strings.TrimSpace(g.Rule) == "" {
		return nil, []string{"rule: say who belongs to it, over f.NAME and churn_probability"}
	}
	r, fault := lang.Compile(g.Rule)
	if fault != "" {
		return nil, []string{"rule: " + fault}
	}
	if g.Expected != "" && g.Expected != ExpectedBetter && g.Expected != ExpectedWorse {
		faults = append(faults, fmt.Sprintf("expected: %q; say %s or %s, or leave it out", g.Expected, ExpectedBetter, ExpectedWorse))
	}
	if len(g.Rough) > MaxRough {
		faults = append(faults, fmt.Sprintf("rough: %d features; at most %d", len(g.Rough), MaxRough))
	}
	for k, name := range g.Rough {
		at := slices.IndexFunc(known, func(e features.Entry) bool { return e.Name == name })
		switch {
		case !slices.Contains(r.Features(), name):
			faults = append(faults, fmt.Sprintf("rough: the rule names no feature %s", name))
		case known[at].Kind() == features.Categorical:
			faults = append(faults, fmt.Sprintf("rough: %s is a text, which has no bound", name))
		case slices.Contains(g.Rough[:k], name):
			faults = append(faults, fmt.Sprintf("rough: %s is there twice", name))
		}
	}
	return r, faults
}

// Entries are the features that the rules name, each once, in the order of the known ones.
func (s *Subgroups) Entries() []features.Entry {
	return slices.DeleteFunc(slices.Clone(s.known), func(e features.Entry) bool {
		return !slices.ContainsFunc(s.rules, func(r *rule.Rule[memberFacts]) bool { return slices.Contains(r.Features(), e.Name) })
	})
}

// Holds tells per subgroup and row of x whether the rule holds as it is written. x has features as they are computed, before any encoding; those that it lacks are
// missing. risk is the probability of churn per row, NaN = not known. Who lacks what a rule needs does not belong.
func (s *Subgroups) Holds(x *features.Matrix, risk []float64) [][]bool {
	out := make([][]bool, len(s.all))
	columns := s.columns(x)
	for k, r := range s.rules {
		out[k] = make([]bool, len(risk))
		for i, p := range risk {
			out[k][i], _ = r.Holds(&memberFacts{columns, i, p})
		}
	}
	return out
}

// Shares tells per subgroup and row how much the customer belongs to it, in [0, 1]: 1 or 0 as Holds has it or, where bounds are rough, the share of the tries in
// which the rule holds. A bound that is a third higher does what a value that is a quarter lower does.
func (s *Subgroups) Shares(x *features.Matrix, risk []float64) [][]float32 {
	out := make([][]float32, len(s.all))
	columns := s.columns(x)
	for k, r := range s.rules {
		tried := []*rule.Columns{columns}
		for _, name := range s.all[k].Rough {
			place := s.place(name)
			var more []*rule.Columns
			for _, c := range tried {
				for _, by := range roughly {
					more = append(more, scaled(c, place, by))
				}
			}
			tried = more
		}
		out[k] = make([]float32, len(risk))
		for i, p := range risk {
			held := 0
			for _, c := range tried {
				if ok, _ := r.Holds(&memberFacts{c, i, p}); ok {
					held++
				}
			}
			out[k][i] = float32(held) / float32(len(tried))
		}
	}
	return out
}

func (s *Subgroups) place(name string) int {
	return slices.IndexFunc(s.known, func(e features.Entry) bool { return e.Name == name })
}

// columns are those of x that rules name, by their place in known.
func (s *Subgroups) columns(x *features.Matrix) *rule.Columns {
	c := &rule.Columns{X: make([][]float32, len(s.known)), Levels: make([][]string, len(s.known))}
	for _, r := range s.rules {
		for _, name := range r.Features() {
			if j := slices.IndexFunc(x.Schema, func(c features.Column) bool { return c.Name == name }); j >= 0 {
				place := s.place(name)
				c.X[place], c.Levels[place] = x.X[j], x.Schema[j].Levels
			}
		}
	}
	return c
}

// scaled are columns in which the values of one are divided, so that the bounds of it are multiplied.
func scaled(c *rule.Columns, place int, by float64) *rule.Columns {
	if c.X[place] == nil || by == 1 {
		return c
	}
	out := &rule.Columns{X: slices.Clone(c.X), Levels: c.Levels}
	out.X[place] = make([]float32, len(c.X[place]))
	for i, v := range c.X[place] {
		out.X[place][i] = float32(float64(v) / by)
	}
	return out
}

// checkSubgroups tells what is wrong with the subgroups of an action.
func (p *parser) checkSubgroups(node *yaml.Node, a *Action) error {
	if len(a.Subgroups) == 0 {
		return nil
	}
	_, list := pairOf(node, "subgroups")
	if len(a.Subgroups) > MaxSubgroups {
		p.wrong(lineOf(node, "subgroups"), a.ID, "subgroups: %d; at most %d: each takes rows to learn from", len(a.Subgroups), MaxSubgroups)
		return nil
	}
	if p.members == nil {
		var err error
		if p.members, err = memberLanguage(p.engine.Features); err != nil {
			return fmt.Errorf("prepare rules: %w", err)
		}
	}
	seen := map[string]bool{}
	for k, g := range a.Subgroups {
		line := lineOf(node, "subgroups")
		if len(list.Content) == len(a.Subgroups) {
			line = list.Content[k].Line
		}
		if !actionID.MatchString(g.Name) {
			p.wrong(line, a.ID, "subgroups: name %q does not read %s", g.Name, actionID)
		} else if seen[g.Name] {
			p.wrong(line, a.ID, "subgroups: the name %s is there twice", g.Name)
		}
		seen[g.Name] = true
		_, faults := compileMember(p.members, p.engine.Features, g)
		for _, fault := range faults {
			p.wrong(line, a.ID, "subgroups: %s: %s", g.Name, fault)
		}
	}
	return nil
}
