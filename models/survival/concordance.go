package survival

import (
	"cmp"
	"math"
	"slices"
)

// Concordance is Harrell's C (1982): the share of comparable pairs in which the one with the higher risk leaves first, ties of risk
// counting one half; pairs are comparable unless both leave at once or the earlier was last seen, not left. Entries are not looked at. NaN without a comparable pair.
func Concordance(lives []Life, risk []float64) float64 {
	order := make([]int, len(lives))
	for i := range order {
		order[i] = i
	}
	// Latest first; at one time those still there before those who left, so that a leaver meets the former and not the latter.
	slices.SortStableFunc(order, func(a, b int) int {
		switch by := cmp.Compare(lives[b].Exit, lives[a].Exit); {
		case by != 0 || lives[a].Left == lives[b].Left:
			return by
		case lives[b].Left:
			return -1
		}
		return 1
	})
	ranks := slices.Clone(risk)
	slices.Sort(ranks)
	ranks = slices.Compact(ranks)
	met := newCounts(len(ranks))
	rank := func(i int) int { return below(ranks, risk[i]) }
	var pairs, agreed float64
	for k := 0; k < len(order); {
		end := k
		for end < len(order) && lives[order[end]].Exit == lives[order[k]].Exit && lives[order[end]].Left == lives[order[k]].Left {
			end++
		}
		if lives[order[k]].Left {
			for _, i := range order[k:end] {
				r := rank(i)
				lower, notHigher := met.below(r), met.below(r+1)
				agreed += float64(lower) + float64(notHigher-lower)/2
				pairs += float64(met.total)
			}
		}
		for _, i := range order[k:end] {
			met.add(rank(i))
		}
		k = end
	}
	if pairs == 0 {
		return math.NaN()
	}
	return agreed / pairs
}

// counts counts by rank (Fenwick 1994).
type counts struct {
	tree  []int
	total int
}

func newCounts(ranks int) *counts { return &counts{tree: make([]int, ranks+1)} }

func (c *counts) add(rank int) {
	c.total++
	for i := rank + 1; i < len(c.tree); i += i & -i {
		c.tree[i]++
	}
}

// below is how many have a rank below the given one.
func (c *counts) below(rank int) (n int) {
	for i := rank; i > 0; i -= i & -i {
		n += c.tree[i]
	}
	return n
}
