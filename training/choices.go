package training

import (
	"math"

	"retain/models"
	"retain/models/boost"
)

// boostVariations are the choices for boosted trees, as factors on those of boost.Defaults. The first is the default itself, and any number of the first
// of them is a sensible list: those that paid most often stand first. The number of trees is a bound, how many are kept is chosen out of fold.
var boostVariations = []struct {
	leaves  float64 // on the leaves of a tree; its depth follows
	trees   float64 // on the number of trees
	minRows float64 // on the least rows of a leaf
	l2      float64 // on the penalty of leaf values
	share   float64 // on the share of columns drawn for each leaf or for each tree, whichever is the smaller
}{
	{1, 1, 1, 1, 1},
	{2, 1, 1, 1, 1},     // finer
	{1, 2, 1, 1, 1},     // longer
	{.5, 1.5, 1, 1, 1},  // coarser
	{2, 2, 4, 8, 1},     // finer and longer, but stiffer
	{1, 1, 1, 1, 2},     // more columns
	{4, 1, 4, 8, 1},     // much finer, stiffer
	{1, 1, 1, 1, .5},    // fewer columns
	{2, 1, .25, .25, 1}, // finer and laxer
}

// boostChoices are the choices of boosted trees for a training set: boost.Defaults, then its variations.
func boostChoices(s Shape) []models.Trainer {
	out := make([]models.Trainer, len(boostVariations))
	for k, v := range boostVariations {
		t := boost.Defaults(s.Rows, s.Positives, s.Columns)
		scaled := func(n int, factor float64, least int) int { return max(least, int(math.Round(float64(n)*factor))) }
		if v.leaves != 1 {
			t.Leaves = scaled(t.Leaves, v.leaves, 2)
			t.Depth = int(math.Ceil(math.Log2(float64(t.Leaves)))) + 1
		}
		t.Trees = scaled(t.Trees, v.trees, stageStep)
		t.MinRows = scaled(t.MinRows, v.minRows, 1)
		t.L2 *= v.l2
		if t.NodeShare < t.ColumnShare {
			t.NodeShare = min(1, t.NodeShare*v.share)
		} else {
			t.ColumnShare = min(1, t.ColumnShare*v.share)
		}
		out[k] = t
	}
	return out
}
