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
	plans  sync.Once
	plan   []treePlan // for Contributions, built when first needed
}

// node is a split, or a leaf if column is negative.
type node struct {
	column      int32
	right       int32   // place of the right child in Model.nodes; the left one is the next node
	set         int32   // categorical: place in Model.sets; numeric: -1
	cut         float32 // numeric: values up to it go left; leaf: its value
	gain        float32 // of the split
	rows        uint32  // sampled training rows that reached the node
	missingLeft bool
}

// levels is a set of codes of a categorical column, one bit each.
type levels []uint64

// goesLeft says to which child a value goes. Codes beyond the set, never seen in training, go with missing values.
func (m *Model) goesLeft(n *node, v float32) bool {
	if v != v {
		return n.missingLeft
	}
	if n.set < 0 {
		return v <= n.cut
	}
	s, code := m.sets[n.set], int(v)
	if code>>6 >= len(s) {
		return n.missingLeft
	}
	return s[code>>6]>>(code&63)&1 == 1
}

// Family is "boost".
func (m *Model) Family() string { return "boost" }

// Schema is the columns that the model was fitted on.
func (m *Model) Schema() features.Schema { return m.schema }

// Trees is the number of trees; at most Trainer.Trees, fewer where boosting stopped early or nothing could be split.
func (m *Model) Trees() int { return len(m.roots) }

// Truncate returns the model of the first trees rounds, as if boosting had stopped there. At least 0, at most m.Trees().
func (m *Model) Truncate(trees int) *Model {
	trees = min(max(trees, 0), len(m.roots))
	end := int32(len(m.nodes))
	if trees < len(m.roots) {
		end = m.roots[trees]
	}
	return &Model{schema: m.schema, base: m.base, roots: m.roots[:trees:trees], nodes: m.nodes[:end:end], sets: m.sets}
}

// Importance is the share of each column in the gain of all splits: p numbers that sum to 1, or all 0 if nothing was split.
func (m *Model) Importance() []float64 {
	share, total := make([]float64, len(m.schema)), 0.0
	for i := range m.nodes {
		if n := &m.nodes[i]; n.column >= 0 {
			share[n.column] += float64(n.gain)
			total += float64(n.gain)
		}
	}
	if total > 0 {
		for j := range share {
			share[j] /= total
		}
	}
	return share
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
		m.nodes = append(m.nodes, node{column: -1, set: -1, cut: g.value, rows: uint32(g.rows)})
		return
	}
	n := node{column: int32(g.column), set: -1, cut: g.cut, gain: float32(g.gain), rows: uint32(g.rows), missingLeft: g.missingLeft}
	if g.levels != nil {
		n.set, n.cut = int32(len(m.sets)), 0
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
