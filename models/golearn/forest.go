package golearn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"retain/features"
	"retain/models"
)

// CART is one classification tree by Gini impurity (Breiman, Friedman, Olshen & Stone 1984), not pruned but shallow. A leaf's share of
// churners, shrunk by five rows of the base rate, is its probability.
type CART struct {
	Depth   int // questions in a row, 1..12; 0 means 4
	Rows    int // of the sample, 100..50,000; 0 means 2,000
	Bins    int // values of a numeric column, 2..64; 0 means 8
	Columns int // and levels that golearn sees, 1..1,000, those with the best single cut; 0 means 16
}

// Fit learns from d as models.Trainer lays down. Errors beside those: ErrPanic, a choice out of range.
func (c CART) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	m, err := fitTrees(ctx, d, rng, Forest{Trees: 1, Depth: cmp.Or(c.Depth, 4), Rows: c.Rows, Bins: c.Bins, Columns: c.Columns}, FamilyCART)
	if err != nil {
		return nil, fmt.Errorf("fit %s: %w", FamilyCART, err)
	}
	return m, nil
}

// Forest is CARTs, each on a small bootstrap of the sample's customers and on half of the columns (Breiman 1996, "Bagging predictors", and
// 1999, "Pasting small votes"; Ho 1998, "The random subspace method"). Its probability is the mean of the trees' shares: of their bare
// votes, which golearn counts, hardly any would be for churn where it is rare.
//
// The defaults of both are small since golearn is slow and all families share the tournament's time: a fit takes about a twentieth of a second.
// Deeper trees were worse on generated rows and on CDNOW, as nothing prunes them; on telco, bank churn and generated rows 100 columns
// were no better than 16 by more than .007 of AUC, and took up to three times as long.
type Forest struct {
	Trees   int // 1..500; 0 means 20
	Depth   int // questions in a row, 1..12; 0 means 3
	Rows    int // of the sample, 100..50,000; 0 means 2,000
	Bag     int // rows of a bootstrap, about, 50..50,000; 0 means 300, and never more than the sample's
	Bins    int // values of a numeric column, 2..64; 0 means 8
	Columns int // and levels that golearn sees, 1..1,000, those with the best single cut; 0 means 16
}

// Fit learns from d as models.Trainer lays down; the context is looked at between trees. Errors as CART.Fit.
func (f Forest) Fit(ctx context.Context, d *features.Dataset, rng *rand.Rand) (models.Model, error) {
	m, err := fitTrees(ctx, d, rng, f, FamilyForest)
	if err != nil {
		return nil, fmt.Errorf("fit %s: %w", FamilyForest, err)
	}
	return m, nil
}

func fitTrees(ctx context.Context, d *features.Dataset, rng *rand.Rand, f Forest, family string) (*treeModel, error) {
	if err := errors.Join(
		between("trees", f.Trees, 1, mostTrees), between("depth", f.Depth, 1, mostDepth),
		between("rows", f.Rows, 100, mostRows), between("bins", f.Bins, 2, mostBins),
		between("columns", f.Columns, 1, mostColumns), between("bag", f.Bag, 50, mostRows),
	); err != nil {
		return nil, err
	}
	s, seed, err := begin(ctx, d, rng, f.Rows)
	if err != nil {
		return nil, err
	}
	all := screen(s, axes(s, cmp.Or(f.Bins, 8)), cmp.Or(f.Columns, 16))
	m := &treeModel{family: family, schema: d.X.Schema, fingerprint: d.X.Schema.Fingerprint()}
	for k := range cmp.Or(f.Trees, 20) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows, columns := s, all
		if family == FamilyForest && len(all) > 0 {
			own := seed + uint64(k) + 1
			rows, columns = s.bag(own, cmp.Or(f.Bag, 300)), some(all, own)
		}
		t, err := growTree(rows, columns, cmp.Or(f.Depth, 3))
		if err != nil {
			return nil, err
		}
		m.trees = append(m.trees, *t)
	}
	return m, nil
}

// some draws the axes of one tree.
func some(all []axis, seed uint64) []axis {
	p := len(all)
	m := (p + 1) / 2
	return pick(all, rand.New(rand.NewPCG(seed, 0x676f6c6561726e)).Perm(p)[:m])
}

// treeModel is a fitted CART or forest.
type treeModel struct {
	family      string
	schema      features.Schema
	fingerprint string
	trees       []tree
}

// Family is FamilyCART or FamilyForest.
func (m *treeModel) Family() string { return m.family }

// Schema is the features that the model was fitted on.
func (m *treeModel) Schema() features.Schema { return m.schema }

// Margin writes the log-odds of the mean share of the leaves in which each row of x ends.
func (m *treeModel) Margin(dst []float64, x *features.Matrix) error {
	if err := models.CheckMargin(dst, m.fingerprint, x); err != nil {
		return err
	}
	for i := range dst {
		sum := 0.
		for k := range m.trees {
			t := &m.trees[k]
			sum += t.shares[t.leaf(x, i)]
		}
		p := sum / float64(len(m.trees))
		dst[i] = math.Log(p / (1 - p))
	}
	return nil
}
