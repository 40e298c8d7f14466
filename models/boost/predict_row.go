package boost

import (
	"fmt"
	"math"
	"sync"

	"retain/features"
	"retain/models"
)

// rowScorer is a model prepared for scoring one row at once. A row becomes a vector of lanes, such that every split is one comparison of
// a lane with a cut, whatever its rules: each column has one lane in which a missing value is -Inf, so that it goes left, and one in
// which it is +Inf; each set of levels has one that is 0 for the codes in it and 1 for others. Eight trees are walked together, because a
// walk alone waits for memory at every step. Leaves lead to themselves.
type rowScorer struct {
	lanes []lane
	nodes []rowNode
	roots []uint32
	room  sync.Pool // of *[]float32, one value for each lane
}

// rowNode is a split, or a leaf: then cut is its value, and the first lane, which no cut reaches, leads to itself.
type rowNode struct {
	cut   float32
	lane  uint32
	right uint32 // the left child is the next node
}

// lane says how a value becomes what splits compare.
type lane struct {
	column int // -1: above all cuts
	set    levels
	rule   uint32
}

func newRowScorer(m *Model) *rowScorer {
	s := &rowScorer{lanes: []lane{{column: -1}}, nodes: make([]rowNode, len(m.nodes)), roots: make([]uint32, len(m.roots))}
	for t, r := range m.roots {
		s.roots[t] = uint32(r)
	}
	type asked struct {
		column, set int
		rule        uint32
	}
	known := map[asked]uint32{}
	for i := range m.nodes {
		n := &m.nodes[i]
		if n.leaf() {
			s.nodes[i] = rowNode{cut: n.cut, right: uint32(i)}
			continue
		}
		ask, l := asked{int(n.column), -1, n.rule & ruleFlags}, lane{column: int(n.column), rule: n.rule & ruleFlags}
		to := rowNode{cut: n.cut, right: uint32(n.right)}
		if n.categorical() {
			ask.set, l.set, to.cut = n.set(), m.sets[n.set()], 0.5
		}
		at, ok := known[ask]
		if !ok {
			at = uint32(len(s.lanes))
			known[ask], s.lanes = at, append(s.lanes, l)
		}
		to.lane = at
		s.nodes[i] = to
	}
	s.room.New = func() any {
		v := make([]float32, len(s.lanes))
		return &v
	}
	return s
}

// of returns what the lane makes of a row.
func (l *lane) of(row []float32) float32 {
	above := float32(math.Inf(1))
	if l.column < 0 {
		return above
	}
	v := row[l.column]
	switch {
	case l.rule&ruleCategorical != 0:
		if v == v && int(v)>>6 < len(l.set) {
			return float32(1 - bit(l.set.has(int(v))))
		}
	case v == v && (l.rule&ruleZeroMissing == 0 || v < -zeroRange || v > zeroRange):
		return v
	}
	if l.rule&ruleMissingLeft != 0 {
		return -above
	}
	return above
}

// MarginOf is Margin of one row, whose values are in the order of the model's columns. It does not allocate.
// Errors: models.ErrFeatureMismatch for a row of another length, models.ErrNotFinite, a value that is no level's code.
func (m *Model) MarginOf(row []float32) (float64, error) {
	if len(row) != len(m.schema) {
		return 0, fmt.Errorf("%w: a row of %d values for %d columns", models.ErrFeatureMismatch, len(row), len(m.schema))
	}
	for j, v := range row {
		if v-v != 0 && v == v || m.schema[j].Kind == features.Categorical {
			if err := checkColumn(&m.schema[j], row[j:j+1]); err != nil {
				return 0, err
			}
		}
	}
	m.rows.Do(func() { m.row = newRowScorer(m) })
	return m.row.add(m.base, row), nil
}

// add adds the trees' values to a margin, in their order.
func (s *rowScorer) add(margin float64, row []float32) float64 {
	room := s.room.Get().(*[]float32)
	x := *room
	for k := range s.lanes {
		x[k] = s.lanes[k].of(row)
	}
	nodes, roots := s.nodes, s.roots
	for ; len(roots) >= 8; roots = roots[8:] {
		a, b, c, d := roots[0], roots[1], roots[2], roots[3]
		e, f, g, h := roots[4], roots[5], roots[6], roots[7]
		for {
			a1, b1, c1, d1 := next(nodes, x, a), next(nodes, x, b), next(nodes, x, c), next(nodes, x, d)
			e1, f1, g1, h1 := next(nodes, x, e), next(nodes, x, f), next(nodes, x, g), next(nodes, x, h)
			moved := (a ^ a1) | (b ^ b1) | (c ^ c1) | (d ^ d1) | (e ^ e1) | (f ^ f1) | (g ^ g1) | (h ^ h1)
			a, b, c, d, e, f, g, h = a1, b1, c1, d1, e1, f1, g1, h1
			if moved == 0 {
				break
			}
		}
		margin += float64(nodes[a].cut)
		margin += float64(nodes[b].cut)
		margin += float64(nodes[c].cut)
		margin += float64(nodes[d].cut)
		margin += float64(nodes[e].cut)
		margin += float64(nodes[f].cut)
		margin += float64(nodes[g].cut)
		margin += float64(nodes[h].cut)
	}
	for _, a := range roots {
		for a1 := next(nodes, x, a); a1 != a; a1 = next(nodes, x, a) {
			a = a1
		}
		margin += float64(nodes[a].cut)
	}
	s.room.Put(room)
	return margin
}

// next is the node after node i, itself if it is a leaf.
func next(nodes []rowNode, x []float32, i uint32) uint32 {
	n := &nodes[i]
	return n.right + (i+1-n.right)&-uint32(bit(x[n.lane] <= n.cut)) // without a branch
}
