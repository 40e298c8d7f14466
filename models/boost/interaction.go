package boost

import (
	"fmt"

	"retain/features"
)

// Interactions writes what each pair of features adds together to each margin into dst, which must be n·p·p long: a symmetric
// matrix a row. dst[(i*p+j)*p+k] for j ≠ k is half of the Shapley interaction index of features j and k in row i (Grabisch &
// Roubens, "An axiomatic approach to the concept of interaction", 1999), in log-odds; the diagonal is what is left of
// Contributions, as XGBoost and shap have it: Σ_k dst[(i*p+j)*p+k] is the contribution of feature j. It returns the base that
// Contributions returns, and its errors.
//
// In the notation of explain.go, the index is the second derivative of the game's multilinear extension along its diagonal: for
// each leaf
//
//	Φ_jk = ½ u (o_j - z_j) (o_k - z_k) ∫₀¹ Π_{e≠j,k} f_e(t) dt
//
// which costs O(leaves · depth³) a tree and row. For p columns a row takes p²·8 bytes: ask for few rows at a time.
func (m *Model) Interactions(dst []float64, x *features.Matrix) (base float64, err error) {
	if err := m.check(x); err != nil {
		return 0, err
	}
	p := x.Cols()
	if want := x.Rows() * p * p; len(dst) != want {
		return 0, fmt.Errorf("boost: room for %d interactions, want %d", len(dst), want)
	}
	phi := make([]float64, x.Rows()*p)
	if base, err = m.Contributions(phi, x); err != nil {
		return 0, err
	}
	paths := make([][]leafPath, len(m.roots))
	parallel(len(paths), func(t int) { paths[t] = m.leafPaths(t) })
	parallel((x.Rows()+explainRows-1)/explainRows, func(task int) {
		lo, hi := task*explainRows, min(x.Rows(), (task+1)*explainRows)
		out := dst[lo*p*p : hi*p*p]
		clear(out)
		w := newWalk(x, lo, hi)
		for t := range m.plan {
			w.bits(m, &m.plan[t])
			at, weight := gaussLegendre(m.plan[t].points)
			for i := range paths[t] {
				w.interact(&paths[t][i], at, weight, out)
			}
		}
		for i := range hi - lo {
			for j := range p {
				row := out[(i*p+j)*p:][:p]
				left := phi[(lo+i)*p+j]
				for _, v := range row {
					left -= v
				}
				row[j] = left
			}
		}
	})
	return base, nil
}

// leafPath is a leaf and the distinct features of its path.
type leafPath struct {
	value float64
	edges []pathEdge
}

// pathEdge is the last edge of a path on a column: a row passes it and those above on that column, or not.
type pathEdge struct {
	column int
	split  int32 // its place in treePlan.splits
	left   bool  // the edge goes left
	share  float64
}

// leafPaths lists the leaves of tree t.
func (m *Model) leafPaths(t int) []leafPath {
	b := filler{plan: &m.plan[t]}
	b.nodes, b.first = m.tree(t)
	b.cover = covers(b.nodes, b.first)
	b.shares()
	type step struct {
		node  int32
		edges []pathEdge
	}
	var paths []leafPath
	split := int32(0)
	for todo := []step{{}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := &b.nodes[s.node]
		if n.leaf() {
			paths = append(paths, leafPath{float64(n.cut), s.edges})
			continue
		}
		with := func(left bool, share float64) []pathEdge {
			edges := make([]pathEdge, 0, len(s.edges)+1)
			for _, e := range s.edges {
				if e.column != int(n.column) {
					edges = append(edges, e)
				}
			}
			return append(edges, pathEdge{int(n.column), split, left, share})
		}
		share := b.share[split]
		todo = append(todo, step{n.right - b.first, with(false, share[1])}, step{s.node + 1, with(true, share[0])})
		split++
	}
	return paths
}

// interact adds one leaf's interactions of all pairs to each row's matrix.
func (w *walk) interact(l *leafPath, at, weight []float64, out []float64) {
	p, k := len(w.columns), len(l.edges)
	slope := make([]float64, k)     // o - z
	each := make([]float64, k)      // (o - z)/f at a point
	pairs := make([]float64, k*k/2) // of i < j
	for row := range w.rows {
		for i, e := range l.edges {
			passed := w.passed[e.split] & w.goes[e.split]
			if !e.left {
				passed = w.passed[e.split] &^ w.goes[e.split]
			}
			slope[i] = float64(passed>>row&1) - e.share
		}
		clear(pairs)
		for q, t := range at {
			product := weight[q]
			for i, e := range l.edges {
				f := e.share + slope[i]*t
				each[i] = slope[i] / f
				product *= f
			}
			n := 0
			for i := range each {
				v := product * each[i]
				for _, u := range each[i+1:] {
					pairs[n] += v * u
					n++
				}
			}
		}
		matrix := out[row*p*p : (row+1)*p*p]
		n := 0
		for i, e := range l.edges {
			for _, o := range l.edges[i+1:] {
				v := l.value * pairs[n] / 2
				matrix[e.column*p+o.column] += v
				matrix[o.column*p+e.column] += v
				n++
			}
		}
	}
}
