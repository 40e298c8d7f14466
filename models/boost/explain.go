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
//
// What is below a node of few splits depends on the row by a few bits only: how it passes each split, and whether it has
// passed those above on the same features. So the small subtrees at the bottom of a tree, which hold most of its splits, are
// tabulated for each pattern of these bits (the idea of Yang, "Fast TreeSHAP", 2021, which tabulates whole paths and so needs
// 2^depth places; here the paths above stay polynomials, and the tables are small at any depth): with P from above,
//
//	S(t) = P(t) S_pattern(t)   and   φ_j += Σ_q P(t_q) V_{j,pattern}(t_q).
//
// The bits of 64 rows are found together, as one word for each split.

// explainRows is the number of rows that are explained together: the bits of a word.
const explainRows = 64

// Contributions writes the exact contributions of each feature to each margin into dst, which must be n·p long:
// dst[i*p+j] is that of feature j in row i, in log-odds. It returns the base, the mean margin over the training rows; base +
// Σ_j dst[i*p+j] is the margin of row i up to rounding. The first call tabulates the model, in at most some 64 MB.
// Errors as Margin.
func (m *Model) Contributions(dst []float64, x *features.Matrix) (base float64, err error) {
	if err := m.check(x); err != nil {
		return 0, err
	}
	p := x.Cols()
	if len(dst) != x.Rows()*p {
		return 0, fmt.Errorf("boost: room for %d contributions, want %d", len(dst), x.Rows()*p)
	}
	m.plans.Do(func() { m.plan = m.newPlans(tableBytes) })
	base = m.base
	for t := range m.plan {
		base += m.plan[t].expected
	}
	parallel((x.Rows()+explainRows-1)/explainRows, func(task int) {
		lo, hi := task*explainRows, min(x.Rows(), (task+1)*explainRows)
		out := dst[lo*p : hi*p]
		clear(out)
		w := newWalk(x, lo, hi)
		for t := range m.plan {
			w.explain(m, t, out)
		}
	})
	return base, nil
}
