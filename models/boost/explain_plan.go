package boost

import "slices"

// tableBytes bounds the tables of a model's small subtrees.
const tableBytes = 64 << 20

// mostBits bounds the bits by which a subtree's table is looked up: measured at 63 leaves, more bits cost more in cache misses
// than they save.
const mostBits = 5

// treePlan is all of a tree's contributions that does not depend on the row.
type treePlan struct {
	points   int     // quadrature points
	expected float64 // mean value over the training rows that the tree saw
	splits   []planSplit
	tops     []topSplit // the splits above the units, in preorder
	units    []unit     // the small subtrees at the bottom
	slots    int        // of a walk
	tables   []float64
}

// planSplit is a split of the tree, in preorder.
type planSplit struct {
	node      int32 // its place in Model.nodes
	column    int32
	above     int32 // the nearest split above on the same column, or -1
	aboveLeft bool  // it lies to the left of that one
}

// topSplit is a split whose children are handled one by one. A slot has room for the polynomial of one node.
type topSplit struct {
	split           int32
	column          int32
	at, left, right int32 // slots of it and its children
	table           int   // place of its tables, of 4 · points for each of its three states
}

// The states of a split for a row: it goes right, it goes left, it has failed a split above on the same column.
const splitStates = 3

// unit is a subtree of few splits with a table.
type unit struct {
	first, splits int32   // its splits are treePlan.splits[first:first+splits]
	at            int32   // slot
	columns       []int32 // distinct columns of its splits, by first occurrence
	outer         []int32 // of the columns that are split above it too: the first split here; whether a row has passed those is a bit
	table         int     // place of its tables: for each pattern and column points pays, then points sums
}

func (u *unit) bits() int { return int(u.splits) + len(u.outer) }

// size is the room for the tables of one pattern.
func (u *unit) size(points int) int { return (len(u.columns) + 1) * points }

// newPlans plans all trees, with tables for patterns of as many bits as fit into the room.
func (m *Model) newPlans(room int) []treePlan {
	plans := make([]treePlan, len(m.roots))
	for bits := mostBits; ; bits-- {
		sizes := make([]int, len(plans))
		parallel(len(plans), func(t int) {
			var b planner
			plans[t] = b.outline(m, t, bits)
			sizes[t] = 8 * b.room
		})
		total := 0
		for _, s := range sizes {
			total += s
		}
		if total <= room || bits == 0 {
			break
		}
	}
	parallel(len(plans), func(t int) { fillPlan(m, t, &plans[t]) })
	return plans
}

// planner outlines one tree.
type planner struct {
	plan   treePlan
	nodes  []node
	first  int32
	split  []int32 // of each node: its place in plan.splits
	inside []int32 // of each node: splits of its subtree
	room   int     // values of the tables of the units
	rest   int     // values of the tables of the tops
}

// outline decides what is a unit, and where everything lies.
func (b *planner) outline(m *Model, t, bits int) treePlan {
	b.nodes, b.first = m.tree(t)
	p := &b.plan
	n := len(b.nodes)
	b.split, b.inside = make([]int32, n), make([]int32, n)
	b.link(m.roots[t])
	for i := n - 1; i >= 0; i-- {
		if nd := &b.nodes[i]; !nd.leaf() {
			b.inside[i] = 1 + b.inside[i+1] + b.inside[nd.right-b.first]
		}
	}
	if n == 1 {
		return *p
	}
	p.slots = 1
	type step struct{ node, slot int32 }
	for todo := []step{{0, 0}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		nd := &b.nodes[s.node]
		if nd.leaf() {
			continue
		}
		if u, ok := b.unit(s.node, bits); ok {
			u.at, u.table = s.slot, b.room
			b.room += u.size(p.points) << u.bits()
			p.units = append(p.units, u)
			continue
		}
		left, right := int32(p.slots), int32(p.slots)+1
		p.slots += 2
		p.tops = append(p.tops, topSplit{split: b.split[s.node], column: nd.column, at: s.slot, left: left, right: right, table: b.rest})
		b.rest += splitStates * 4 * p.points
		todo = append(todo, step{nd.right - b.first, right}, step{s.node + 1, left})
	}
	for i := range p.tops {
		p.tops[i].table += b.room
	}
	return *p
}

// link lists the splits with the nearest one above on the same column, and counts the points that the longest path needs.
func (b *planner) link(root int32) {
	p := &b.plan
	last := map[int32]int32{} // of each column: its nearest split above, by place in plan.splits
	var open []int32          // the splits whose subtrees are being read, outermost first
	var isLeft []bool         // of each open split: whether the nodes that follow lie to its left
	most := 0                 // columns on a path
	for i := range b.nodes {
		nd := &b.nodes[i]
		if nd.leaf() {
			most = max(most, len(last))
			for len(open) > 0 {
				k := open[len(open)-1]
				if isLeft[k] {
					isLeft[k] = false
					break
				}
				if s := &p.splits[k]; s.above < 0 {
					delete(last, s.column)
				} else {
					last[s.column] = s.above
				}
				open = open[:len(open)-1]
			}
			continue
		}
		k := int32(len(p.splits))
		b.split[i] = k
		s := planSplit{node: root + int32(i), column: nd.column, above: -1}
		if above, ok := last[nd.column]; ok {
			s.above, s.aboveLeft = above, isLeft[above]
		}
		p.splits = append(p.splits, s)
		open, isLeft = append(open, k), append(isLeft, true)
		last[nd.column] = k
	}
	p.points = max(1, (most+1)/2)
}

// unit returns the subtree of a node as a unit if its patterns have at most so many bits.
func (b *planner) unit(at int32, bits int) (unit, bool) {
	u := unit{first: b.split[at], splits: b.inside[at]}
	if int(u.splits) > bits {
		return u, false
	}
	for k := u.first; k < u.first+u.splits; k++ {
		s := b.plan.splits[k]
		if !slices.Contains(u.columns, s.column) {
			u.columns = append(u.columns, s.column)
		}
		if s.above >= 0 && s.above < u.first && u.outerOf(&b.plan, s.column) < 0 {
			u.outer = append(u.outer, k)
		}
	}
	return u, u.bits() <= bits
}

// outerOf returns the place in u.outer of a column, or -1.
func (u *unit) outerOf(p *treePlan, column int32) int {
	return slices.IndexFunc(u.outer, func(k int32) bool { return p.splits[k].column == column })
}
