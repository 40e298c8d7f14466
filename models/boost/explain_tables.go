package boost

import "slices"

// filler tabulates one tree.
type filler struct {
	plan   *treePlan
	nodes  []node
	first  int32
	cover  []float64
	share  [][2]float64 // of each split: z of the edges to its left and right child
	at     []float64    // quadrature points
	weight []float64
}

// fillPlan computes the mean and the tables of an outlined tree.
func fillPlan(m *Model, t int, p *treePlan) {
	b := filler{plan: p}
	b.nodes, b.first = m.tree(t)
	b.cover = covers(b.nodes, b.first)
	for i := range b.nodes {
		if n := &b.nodes[i]; n.leaf() {
			p.expected += float64(n.cut) * b.cover[i] / b.cover[0]
		}
	}
	if len(p.splits) == 0 {
		return
	}
	b.at, b.weight = gaussLegendre(p.points)
	b.shares()
	room := len(p.tops) * splitStates * 4 * p.points
	for i := range p.units {
		room += p.units[i].size(p.points) << p.units[i].bits()
	}
	p.tables = make([]float64, room)
	for i := range p.units {
		b.unit(&p.units[i])
	}
	for i := range p.tops {
		b.top(&p.tops[i])
	}
}

// shares finds the share of the training rows that pass each edge and those above on the same column.
func (b *filler) shares() {
	b.share = make([][2]float64, len(b.plan.splits))
	for k, s := range b.plan.splits {
		i := s.node - b.first
		above := b.above(s)
		for side, child := range [2]int32{i + 1, b.nodes[i].right - b.first} {
			b.share[k][side] = above * b.cover[child] / b.cover[i]
		}
	}
}

// above is z of the edge above a split on the same column, 1 if there is none.
func (b *filler) above(s planSplit) float64 {
	switch {
	case s.above < 0:
		return 1
	case s.aboveLeft:
		return b.share[s.above][0]
	}
	return b.share[s.above][1]
}

// state writes what split k does in a state: for each point the factors of P to the left and to the right, the pays of S from
// the left and from the right.
func (b *filler) state(dst []float64, k int32, state int) {
	q := b.plan.points
	zAbove := b.above(b.plan.splits[k])
	for side, z := range b.share[k] {
		factor, pay := dst[side*q:(side+1)*q], dst[(2+side)*q:(3+side)*q]
		if state == 2 { // f = z (1-t) here and above: the pays cancel
			for i := range factor {
				factor[i], pay[i] = z/zAbove, 0
			}
			continue
		}
		passed := float64(state)
		if side == 1 {
			passed = 1 - passed
		}
		for i, t := range b.at {
			f, fAbove := z+(passed-z)*t, zAbove+(1-zAbove)*t
			factor[i] = f / fAbove
			pay[i] = b.weight[i] * ((passed-z)/f - (1-zAbove)/fAbove)
		}
	}
}

// top tabulates a split for its states. A child that is a leaf has its value in the factor, so that it needs no step of its own.
func (b *filler) top(s *topSplit) {
	q := b.plan.points
	i := b.plan.splits[s.split].node - b.first
	for state := range splitStates {
		table := b.plan.tables[s.table+state*4*q:][:4*q]
		b.state(table, s.split, state)
		for side, child := range [2]int32{i + 1, b.nodes[i].right - b.first} {
			if n := &b.nodes[child]; n.leaf() {
				for k := range q {
					table[side*q+k] *= float64(n.cut)
				}
			}
		}
	}
}

// unit tabulates a subtree for its patterns, by walking it for each with P = 1 at its root.
func (b *filler) unit(u *unit) {
	q, splits := b.plan.points, b.plan.splits[u.first:u.first+u.splits]
	root := splits[0].node - b.first
	nodes := b.nodes[root : root+2*u.splits+1]
	tables := make([]float64, len(splits)*splitStates*4*q)
	column := make([]int, len(splits)) // its place in u.columns
	outer := make([]int, len(splits))  // the bit that says whether the row passed the split above the unit, or -1
	for k, s := range splits {
		for state := range splitStates {
			b.state(tables[(k*splitStates+state)*4*q:][:4*q], u.first+int32(k), state)
		}
		column[k], outer[k] = slices.Index(u.columns, s.column), -1
		if s.above >= 0 && s.above < u.first {
			outer[k] = len(splits) + u.outerOf(b.plan, s.column)
		}
	}
	product := make([]float64, len(nodes)*q)
	states := make([]int, len(splits))
	passed := make([]bool, len(splits)) // the splits above on the same column
	for pattern := range 1 << u.bits() {
		left := func(k int) bool { return pattern>>k&1 == 1 }
		for k, s := range splits {
			switch {
			case outer[k] >= 0:
				passed[k] = left(outer[k])
			case s.above >= 0:
				up := int(s.above - u.first)
				passed[k] = passed[up] && left(up) == s.aboveLeft
			default:
				passed[k] = true
			}
			switch {
			case !passed[k]:
				states[k] = 2
			case left(k):
				states[k] = 1
			default:
				states[k] = 0
			}
		}
		size := u.size(q)
		out := b.plan.tables[u.table+pattern*size:][:size]
		at := func(i int32) []float64 { return product[int(i)*q:][:q] }
		for i := range q {
			product[i] = 1
		}
		k := 0
		for i := range nodes {
			n, from := &nodes[i], at(int32(i))
			if n.leaf() {
				for j := range from {
					from[j] *= float64(n.cut)
				}
				continue
			}
			table := tables[(k*splitStates+states[k])*4*q:]
			l, r := at(int32(i)+1), at(n.right-b.first-root)
			for j, v := range from {
				l[j], r[j] = v*table[j], v*table[q+j]
			}
			k++
		}
		for i := len(nodes) - 1; i >= 0; i-- {
			n := &nodes[i]
			if n.leaf() {
				continue
			}
			k--
			table := tables[(k*splitStates+states[k])*4*q:]
			l, r, to := at(int32(i)+1), at(n.right-b.first-root), at(int32(i))
			pay := out[column[k]*q:][:q]
			for j := range to {
				pay[j] += l[j]*table[2*q+j] + r[j]*table[3*q+j]
				to[j] = l[j] + r[j]
			}
		}
		copy(out[size-q:], product[:q])
	}
}
