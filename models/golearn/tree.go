package golearn

import (
	"math"

	"github.com/sjwhitworth/golearn/trees"

	"retain/features"
)

// node is one question of a tree, put to the matrix itself. Yes leads left.
type node struct {
	column      int
	level       int     // categorical: is it another level than this? -1: numeric
	cut         float32 // numeric: is it below?
	missingLeft bool    // where a missing value goes
	left, right int     // ≥ 0: the node there; < 0: leaf ^left, ^right
}

// tree is golearn's, with the share of churners in each leaf. Without a node, all rows are in leaf 0.
type tree struct {
	nodes  []node // a node stands before those below it
	shares []float64
}

// growTree lets golearn grow a tree on the sample and counts the sample's churners in its leaves.
func growTree(s *sample, all []axis, depth int) (*tree, error) {
	t := &tree{}
	leaves := 0
	if len(all) > 0 {
		err := guarded("grow a tree", func() error {
			g, err := grid(s, all)
			if err != nil {
				return err
			}
			fitted := trees.NewDecisionTreeClassifier(trees.GINI, int64(depth), []int64{0, 1})
			if err := fitted.Fit(g); err != nil {
				return err
			}
			leaves = t.walk(fitted, all)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	t.count(s, max(leaves, 1))
	return t, nil
}

// walk reads the questions out of a fitted tree, breadth first, and returns the number of leaves.
func (t *tree) walk(fitted *trees.CARTDecisionTreeClassifier, all []axis) (leaves int) {
	root := fitted.RootNode
	if root.Left == nil && root.Right == nil && root.Threshold == 0 {
		return 1 // golearn found no cut; one that it finds lies between two codes and is above 0
	}
	leaf := func() int {
		leaves++
		return ^(leaves - 1)
	}
	queue := list(root)
	for k := 0; k < len(queue); k++ {
		q := queue[k]
		n := all[q.Feature].question(q.Threshold)
		if q.Left != nil {
			n.left = len(queue)
			queue = append(queue, q.Left)
		} else {
			n.left = leaf()
		}
		if q.Right != nil {
			n.right = len(queue)
			queue = append(queue, q.Right)
		} else {
			n.right = leaf()
		}
		t.nodes = append(t.nodes, n)
	}
	return leaves
}

// list is a slice of values whose type has no name outside its package.
func list[T any](values ...T) []T { return values }

// question says code < threshold in terms of the matrix.
func (a *axis) question(threshold float64) node {
	n := node{column: a.column, level: a.level}
	if a.level >= 0 {
		n.missingLeft = true
		return n
	}
	// The last code that goes left is ceil(threshold) - 1, and a code is the number of cuts ≤ v.
	n.cut = a.cuts[int(math.Ceil(threshold))-1]
	n.missingLeft = a.fill < n.cut
	return n
}

// leaf is where row i of x ends.
func (t *tree) leaf(x *features.Matrix, i int) int {
	if len(t.nodes) == 0 {
		return 0
	}
	k := 0
	for k >= 0 {
		n := &t.nodes[k]
		v := x.X[n.column][i]
		left := n.missingLeft
		if v == v {
			if n.level >= 0 {
				left = v != float32(n.level)
			} else {
				left = v < n.cut
			}
		}
		if left {
			k = n.left
		} else {
			k = n.right
		}
	}
	return ^k
}

// prior is how many rows of the base rate each leaf holds beside its own, so that no leaf is certain.
const prior = 5

// count fills the shares: (churners + prior·rate) / (rows + prior), both weighted.
func (t *tree) count(s *sample, leaves int) {
	rows, churned := make([]float64, leaves), make([]float64, leaves)
	for k, i := range s.rows {
		l := t.leaf(s.d.X, i)
		rows[l] += s.weight[k]
		churned[l] += s.weight[k] * s.d.Y[i]
	}
	t.shares = make([]float64, leaves)
	for l := range t.shares {
		t.shares[l] = (churned[l] + prior*s.rate) / (rows[l] + prior)
	}
}
