package uplift

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"retain/features"
	"retain/models/internal/wire"
)

// Group are customers of whom it was said beforehand that the action works otherwise for them. Its column tells how much a customer belongs to it, in [0, 1].
// The rule and what is rough of it are texts here: who makes the column reads them, and a model keeps them, so that it is applied with those it was learned with.
type Group struct {
	Name     string
	Rule     string
	Rough    []string
	Expected string // Better, Worse, or "" where nobody said
}

// What may be said beforehand of the effect on a group beside that on the rest: that more of them stay for it, or fewer.
const (
	Better = "better"
	Worse  = "worse"
)

// expectation is the prior mean of τ between who belongs to the group and who does not: a standard deviation to the side that was named, so that one in six is
// thought to turn out otherwise.
func (g Group) expectation() float64 {
	switch g.Expected {
	case Better:
		return groupDeviation
	case Worse:
		return -groupDeviation
	}
	return 0
}

// maxGroups bounds what a model is read with.
const maxGroups = 64

// column is the feature that tells how much a customer belongs to the group: another rule is another column.
func (g Group) column() features.Column {
	parts := []string{strconv.Quote(g.Rule)}
	for _, r := range g.Rough {
		parts = append(parts, strconv.Quote(r))
	}
	return features.Column{Name: "subgroup " + g.Name, Definition: strings.Join(parts, " ")}
}

// groupedSchema is that of rows with columns of groups.
func groupedSchema(s features.Schema, groups []Group) features.Schema {
	out := slices.Clone(s)
	for _, g := range groups {
		out = append(out, g.column())
	}
	return out
}

// WithGroups is x with the columns of groups behind its own: shares[k][i] is how much row i belongs to groups[k], in [0, 1]. Without groups it is x.
func WithGroups(x *features.Matrix, groups []Group, shares [][]float32) *features.Matrix {
	if len(groups) == 0 {
		return x
	}
	return &features.Matrix{Schema: groupedSchema(x.Schema, groups), X: append(slices.Clone(x.X), shares...)}
}

// checkGroups tells whether the last columns of r are those of its groups.
func (r *Rows) checkGroups() error {
	own := len(r.X.Schema) - len(r.Groups)
	if own < 0 || len(r.Groups) > maxGroups {
		return fmt.Errorf("uplift: %d groups and %d columns", len(r.Groups), len(r.X.Schema))
	}
	for k, g := range r.Groups {
		if g.Expected != "" && g.Expected != Better && g.Expected != Worse {
			return fmt.Errorf("uplift: of the group %s %q is expected: it is %q, %q or nothing", g.Name, g.Expected, Better, Worse)
		}
		if c := r.X.Schema[own+k]; c.Name != g.column().Name || c.Definition != g.column().Definition {
			return fmt.Errorf("uplift: column %d is %q and not that of the group %s", own+k, c.Name, g.Name)
		}
		for i, v := range r.X.X[own+k] {
			if !(v >= 0 && v <= 1) {
				return fmt.Errorf("uplift: row %d belongs to the group %s by %v", i, g.Name, v)
			}
		}
	}
	return nil
}

// besideTerms are the terms of the features, and then one for each group: how much more than the average row one belongs to it.
func besideTerms(r *Rows) []term {
	own := len(r.X.Schema) - len(r.Groups)
	out := termsOf(&features.Matrix{Schema: r.X.Schema[:own], X: r.X.X[:own]})
	for j := own; j < len(r.X.X); j++ {
		mean := 0.
		for _, v := range r.X.X[j] {
			mean += float64(v) / float64(r.Len())
		}
		out = append(out, term{feature: j, lo: 0, hi: 1, centre: mean, spread: 1})
	}
	return out
}

func writeGroups(w *wire.Writer, groups []Group) {
	w.Uint(uint64(len(groups)))
	for _, g := range groups {
		w.String(g.Name)
		w.String(g.Rule)
		w.Uint(uint64(len(g.Rough)))
		for _, name := range g.Rough {
			w.String(name)
		}
		w.String(g.Expected)
	}
}

// readGroups reads what writeGroups wrote, or, of an earlier version, the same without what was expected.
func readGroups(r *wire.Reader, version uint16) ([]Group, error) {
	n := r.Count(24)
	if n > maxGroups {
		return nil, fmt.Errorf("%w: %d groups", wire.ErrCorrupt, n)
	}
	var out []Group
	for range n {
		g := Group{Name: r.String(), Rule: r.String()}
		for range r.Count(8) {
			g.Rough = append(g.Rough, r.String())
		}
		if version >= expectedVersion {
			g.Expected = r.String()
		}
		out = append(out, g)
	}
	return out, nil
}

// Groups are those that the model was learned with: the rows it estimates have their columns behind the features, as WithGroups puts them.
func (m *Model) Groups() []Group { return m.groups }
