package lifecycle

import (
	"slices"

	"retain/features"
	"retain/internal/rule"
)

// Rules is a rule set with its rules compiled. It is immutable and safe for concurrent use.
type Rules struct {
	Set      *Set
	Version  string           // hash of what it computes
	Features []features.Entry // that the rules read; Customer.Features has the same order

	language *rule.Language[Customer]
	terms    []*rule.Rule[Customer]
	exits    []*rule.Rule[Customer]
	stages   []*rule.Rule[Customer] // the first is nil
	names    []string               // of Set.All
}

// Customer is what rules see of one customer at a cutoff.
type Customer struct {
	Status, StatusCode string
	Former             string  // stage in the set of stages before; "" = none was seen
	FormerDays         float64 // since that was entered

	Features *rule.Columns // of Rules.Features
	Row      int

	terms [maxTerms]truth // of Stage: what has been found out
}

// Columns are the columns of Rules.Features for a matrix of them.
func Columns(x *features.Matrix) *rule.Columns {
	c := &rule.Columns{X: x.X, Levels: make([][]string, len(x.Schema))}
	for j, column := range x.Schema {
		c.Levels[j] = column.Levels
	}
	return c
}

type truth uint8

const (
	notAsked truth = iota
	unknown
	no
	yes
)

// Stage is the place in Set.All of the customer's stage: the first exit whose rule holds, else the furthest stage whose rule does, else
// the first stage. It depends on the customer alone.
func (r *Rules) Stage(c *Customer) int {
	clear(c.terms[:len(r.terms)])
	for i, exit := range r.exits {
		if ok, _ := exit.Holds(c); ok {
			return len(r.stages) + i
		}
	}
	for i := len(r.stages) - 1; i > 0; i-- {
		if ok, _ := r.stages[i].Holds(c); ok {
			return i
		}
	}
	return 0
}

// Name is that of a place.
func (r *Rules) Name(place int) string { return r.names[place] }

// term is what a term says of the customer: each is asked once.
func (r *Rules) term(k int, c *Customer) any {
	if c.terms[k] == notAsked {
		switch ok, lacking := r.terms[k].Holds(c); {
		case lacking != "":
			c.terms[k] = unknown
		case ok:
			c.terms[k] = yes
		default:
			c.terms[k] = no
		}
	}
	if c.terms[k] == unknown {
		return nil
	}
	return c.terms[k] == yes
}

// facts of the language of rules; the terms come after them.
func (r *Rules) facts() []rule.Fact[Customer] {
	facts := []rule.Fact[Customer]{
		{Name: "status", Kind: rule.Text, Get: func(c *Customer) any { return c.Status }},
		{Name: "status_code", Kind: rule.Text, Get: func(c *Customer) any { return c.StatusCode }},
		{Name: "former", Kind: rule.MaybeText, Get: func(c *Customer) any {
			if c.Former == "" {
				return nil
			}
			return c.Former
		}},
		{Name: "former_days", Kind: rule.Number, Get: func(c *Customer) any {
			if c.Former == "" {
				return nil
			}
			return c.FormerDays
		}},
	}
	for k, t := range r.Set.Terms {
		facts = append(facts, rule.Fact[Customer]{Name: t.Name, Kind: rule.Truth, Get: func(c *Customer) any { return r.term(k, c) }})
	}
	return facts
}

// factNames that a term must not take.
var factNames = []string{"status", "status_code", "former", "former_days", "f"}

// speak makes the language of the rules over the features of entries, which columns finds by place once read is known.
func (r *Rules) speak(entries []features.Entry) (err error) {
	named := make([]rule.Feature, len(entries))
	for i, e := range entries {
		named[i] = rule.Feature{Name: e.Name, Categorical: e.Kind() == features.Categorical}
	}
	r.language, err = rule.NewLanguage(r.facts(), named, func(c *Customer) (*rule.Columns, int) { return c.Features, c.Row })
	return err
}

// read lists the entries that the rules read, in the order of entries.
func (r *Rules) read(entries []features.Entry) []features.Entry {
	var read []features.Entry
	for _, e := range entries {
		if slices.ContainsFunc(slices.Concat(r.terms, r.exits, r.stages), func(x *rule.Rule[Customer]) bool { return x != nil && slices.Contains(x.Features(), e.Name) }) {
			read = append(read, e)
		}
	}
	return read
}
