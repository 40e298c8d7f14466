package boost

import (
	"fmt"

	"retain/features"
)

// Exact path-dependent Shapley values (Lundberg, Erion & Lee, "Consistent individualized feature attribution for tree
// ensembles", 2018): the game of a row is v(S) = the tree's mean when only the features of S are known, where at a split on
// an unknown feature the row goes both ways in the proportion of the training rows.
//
// For a leaf of value u whose path has the distinct features e, each with the share z_e of rows that pass its splits and
// o_e = 1 if the row passes them, v(S) = u Π_{e∈S} o_e Π_{e∉S} z_e. Its Shapley value has an integral form (Owen, "Multilinear
// extensions of games", 1972):
//
//	φ_j = u (o_j - z_j) ∫₀¹ Π_{e≠j} f_e(t) dt,   f_e(t) = z_e + (o_e - z_e) t
//
// The integrand is a polynomial of degree below the number k of features, which Gauss-Legendre integrates exactly with ⌈k/2⌉
// points; all its weights and factors are positive, so that nothing cancels. The products are shared by all leaves below a
// node, as in Linear TreeSHAP (Yu et al., NeurIPS 2022): one pass down multiplies P(t) = Π f_e(t), one pass up sums
// S(t) = Σ u P(t) over the leaves and pays each edge on feature j
//
//	φ_j += Σ_q w_q S(t_q) [ (o - z)/f(t_q) - (o' - z')/f'(t_q) ]
//
// where o', z', f' are those of the nearest edge above on the same feature, whose pay for the leaves below ends here (o' = z'
// = f' = 1 if there is none). The cost is O(leaves · depth) a tree and row, for any depth.

// treePlan is all of a tree's contributions that does not depend on the row.
type treePlan struct {
	points   int     // quadrature points
	expected float64 // mean value over the training rows that the tree saw
	edges    []edge  // edges[k] leads to the tree's node k; edges[0] is unused
	// For each edge and each of its cases `points` factors of P, then `points` weights of S.
	// Cases: 0 passed, 1 failed here, 2 failed above already.
	tables []float64
}

// edge leads from a node to one of its children.
type edge struct {
	above int32 // the edge above on the same feature, or -1
	left  bool
}

const edgeCases = 3

// Contributions writes the exact contributions of each feature to each margin into dst, which must be n·p long:
// dst[i*p+j] is that of feature j in row i, in log-odds. It returns the base, the mean margin over the training rows; base +
// Σ_j dst[i*p+j] is the margin of row i up to rounding. Errors as Margin.
func (m *Model) Contributions(dst []float64, x *features.Matrix) (base float64, err error) {
	if err := m.check(x); err != nil {
		return 0, err
	}
	if len(dst) != x.Rows()*x.Cols() {
		return 0, fmt.Errorf("boost: room for %d contributions, want %d", len(dst), x.Rows()*x.Cols())
	}
	m.plans.Do(func() {
		m.plan = make([]treePlan, len(m.roots))
		parallel(len(m.plan), func(t int) { m.plan[t] = newTreePlan(m.tree(t)) })
	})
	base = m.base
	for t := range m.plan {
		base += m.plan[t].expected
	}
	blocks(x, func(b *block) {
		out := dst[b.lo*b.cols : b.hi*b.cols]
		clear(out)
		w := &walk{}
		for t := range m.plan {
			for k := range b.hi - b.lo {
				w.explain(m, t, b.row(k), out[k*b.cols:(k+1)*b.cols])
			}
		}
	})
	return base, nil
}

// tree returns the nodes of tree t; their right children count from Model.nodes[first].
func (m *Model) tree(t int) (nodes []node, first int32) {
	end := len(m.nodes)
	if t+1 < len(m.roots) {
		end = int(m.roots[t+1])
	}
	return m.nodes[m.roots[t]:end], m.roots[t]
}

// newTreePlan tabulates the factors and weights of a tree.
func newTreePlan(nodes []node, first int32) treePlan {
	p := treePlan{edges: make([]edge, len(nodes))}
	parent := make([]int32, len(nodes))
	share := make([]float64, len(nodes)) // z of the edge
	distinct := make([]int, len(nodes))  // features on the path
	rows := covers(nodes, first)
	most := 0
	for i := range nodes {
		n := &nodes[i]
		if n.column < 0 {
			p.expected += float64(n.cut) * rows[i] / rows[0]
			most = max(most, distinct[i])
			continue
		}
		for _, child := range [2]int32{int32(i) + 1, n.right - first} {
			e := edge{above: -1, left: child == int32(i)+1}
			parent[child] = int32(i)
			share[child] = rows[child] / rows[i]
			distinct[child] = distinct[i] + 1
			for up := int32(i); up > 0; up = parent[up] {
				if nodes[parent[up]].column == n.column {
					e.above = up
					share[child] *= share[up]
					distinct[child]--
					break
				}
			}
			p.edges[child] = e
		}
	}
	p.points = max(1, (most+1)/2)
	at, weight := gaussLegendre(p.points)
	p.tables = make([]float64, len(nodes)*edgeCases*2*p.points)
	for k := 1; k < len(nodes); k++ {
		for c := range edgeCases {
			factor, pay := p.table(k, c)
			passed, passedAbove := float64(0), float64(1)
			switch c {
			case 0:
				passed = 1
			case 2:
				passedAbove = 0
			}
			z, zAbove := share[k], 1.0
			if above := p.edges[k].above; above >= 0 {
				zAbove = share[above]
			} else if c == 2 {
				continue // cannot be
			}
			for q, t := range at {
				f := z + (passed-z)*t
				fAbove := zAbove + (passedAbove-zAbove)*t
				factor[q] = f / fAbove
				pay[q] = weight[q] * ((passed-z)/f - (passedAbove-zAbove)/fAbove)
			}
		}
	}
	return p
}

// table returns the factors of P and the weights of S of an edge in one of its cases.
func (p *treePlan) table(edge, which int) (factor, pay []float64) {
	at := (edge*edgeCases + which) * 2 * p.points
	return p.tables[at : at+p.points], p.tables[at+p.points : at+2*p.points]
}

// walk is room for one row in one tree.
type walk struct {
	product []float64 // node·points: P on the way down, S on the way up
	which   []uint8   // the case of each edge
}

// explain adds the contributions of tree t to phi, which has one place for each feature.
func (w *walk) explain(m *Model, t int, row []float32, phi []float64) {
	nodes, first := m.tree(t)
	if len(nodes) == 1 {
		return
	}
	p := &m.plan[t]
	q := p.points
	if need := len(nodes) * q; len(w.product) < need {
		w.product = make([]float64, need)
	}
	if len(w.which) < len(nodes) {
		w.which = make([]uint8, len(nodes))
	}
	at := func(i int32) []float64 { return w.product[int(i)*q : (int(i)+1)*q] }

	for k := range at(0) {
		w.product[k] = 1
	}
	for i := range nodes { // down
		n := &nodes[i]
		from := at(int32(i))
		if n.column < 0 {
			for k := range from {
				from[k] *= float64(n.cut)
			}
			continue
		}
		left := m.goesLeft(n, row[n.column])
		for _, child := range [2]int32{int32(i) + 1, n.right - first} {
			e := p.edges[child]
			which := uint8(0)
			if e.above >= 0 && w.which[e.above] != 0 {
				which = 2
			} else if left != e.left {
				which = 1
			}
			w.which[child] = which
			factor, _ := p.table(int(child), int(which))
			to := at(child)
			for k, f := range factor {
				to[k] = from[k] * f
			}
		}
	}
	for i := len(nodes) - 1; i >= 0; i-- { // up
		n := &nodes[i]
		if n.column < 0 {
			continue
		}
		l, r, to := at(int32(i)+1), at(n.right-first), at(int32(i))
		_, payLeft := p.table(i+1, int(w.which[i+1]))
		_, payRight := p.table(int(n.right-first), int(w.which[n.right-first]))
		paid := 0.0
		for k := range to {
			paid += l[k]*payLeft[k] + r[k]*payRight[k]
			to[k] = l[k] + r[k]
		}
		phi[n.column] += paid
	}
}
