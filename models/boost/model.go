package boost

import (
	"fmt"
	"sync"

	"retain/features"
	"retain/models"
)

// Model is a fitted sum of trees. It is immutable and safe for concurrent use.
type Model struct {
	schema features.Schema
	base   float64  // margin without any tree
	roots  []int32  // the first node of each tree, in boosting order
	nodes  []node   // of all trees; each tree in preorder, so that a left child follows its parent
	sets   []levels // of the categorical splits
	slices sync.Once
	slice  *sliced // for Margin, built when first needed
	rows   sync.Once
	row    *rowScorer // for MarginOf, likewise
	plans  sync.Once
	plan   []treePlan // for Contributions, built when first needed
}

// sliced is the model prepared for scoring many rows.
func (m *Model) sliced() *sliced {
	m.slices.Do(func() { m.slice = newSliced(m) })
	return m.slice
}

// Family is "boost".
func (m *Model) Family() string { return "boost" }

// Schema is the columns that the model was fitted on.
func (m *Model) Schema() features.Schema { return m.schema }

// Trees is the number of trees; at most Trainer.Trees, fewer where boosting stopped early or nothing could be split.
func (m *Model) Trees() int { return len(m.roots) }

// tree returns the nodes of tree t; their right children count from Model.nodes[first].
func (m *Model) tree(t int) (nodes []node, first int32) {
	end := len(m.nodes)
	if t+1 < len(m.roots) {
		end = int(m.roots[t+1])
	}
	return m.nodes[m.roots[t]:end], m.roots[t]
}

// Truncate returns the model of the first trees rounds, as if boosting had stopped there. At least 0, at most m.Trees().
func (m *Model) Truncate(trees int) *Model {
	trees = min(max(trees, 0), len(m.roots))
	end := int32(len(m.nodes))
	if trees < len(m.roots) {
		end = m.roots[trees]
	}
	return &Model{schema: m.schema, base: m.base, roots: m.roots[:trees:trees], nodes: m.nodes[:end:end], sets: m.sets}
}

// append adds a grown tree in preorder. Only Fit calls it, before the model is anyone's.
func (m *Model) append(t *grownTree) {
	m.roots = append(m.roots, int32(len(m.nodes)))
	m.place(t, 0)
}

func (m *Model) place(t *grownTree, k int) {
	g := &t.nodes[k]
	at := len(m.nodes)
	if g.left == 0 {
		m.nodes = append(m.nodes, node{column: -1, cut: g.value, weight: float32(g.rows)})
		return
	}
	n := node{column: int32(g.column), cut: g.cut, weight: float32(g.gain)}
	if g.missingLeft {
		n.rule |= ruleMissingLeft
	}
	if g.levels != nil {
		n.cut = 0
		n.rule |= ruleCategorical | uint32(len(m.sets))<<ruleBits
		m.sets = append(m.sets, g.levels)
	}
	m.nodes = append(m.nodes, n)
	m.place(t, g.left)
	m.nodes[at].right = int32(len(m.nodes))
	m.place(t, g.right)
}

// check refuses a matrix that the model cannot read: other columns (ErrFeatureMismatch), ragged columns, infinities
// (ErrNotFinite), values that are no code.
func (m *Model) check(x *features.Matrix) error {
	if x == nil || !sameSchema(m.schema, x.Schema) {
		return models.ErrFeatureMismatch
	}
	if len(x.X) != len(x.Schema) {
		return fmt.Errorf("%w: %d columns of values for a schema of %d", models.ErrFeatureMismatch, len(x.X), len(x.Schema))
	}
	for j, col := range x.X {
		if len(col) != x.Rows() {
			return fmt.Errorf("boost: column %q has %d rows, want %d", x.Schema[j].Name, len(col), x.Rows())
		}
	}
	return checkValues(x)
}

// sameSchema is equality of fingerprints without hashing.
func sameSchema(a, b features.Schema) bool {
	if len(a) != len(b) {
		return false
	}
	for j := range a {
		p, q := &a[j], &b[j]
		if p.Name != q.Name || p.Kind != q.Kind || p.Definition != q.Definition || len(p.Levels) != len(q.Levels) {
			return false
		}
		for k := range p.Levels {
			if p.Levels[k] != q.Levels[k] {
				return false
			}
		}
	}
	return true
}
