package boost

import (
	"math"

	"retain/features"
)

// leaf is a leaf of the tree that grows: the rows booster.sampled[lo:hi].
type leaf struct {
	node    int // its place in the tree
	lo, hi  int
	depth   int
	sum     sums
	within  bounds
	hist    histogram // nil if the leaf will not be split, or too many are kept already
	best    split
	counted bool // best was found with the rows counted
	// countedWords are those whose rows were counted for this leaf, so that reach is its own in them.
	countedWords []int
	reach        reach
}

func (l *leaf) rows() int { return l.hi - l.lo }

// grownTree is a tree in the order of growth: the root is node 0, children lie behind their parent.
type grownTree struct {
	nodes []grownNode
}

// grownNode is a leaf if left is 0.
type grownNode struct {
	split
	left, right int
	rows        int // sampled training rows that reach the node
	value       float32
	cut         float32 // numeric: values up to it go left
	levels      levels  // categorical: the codes that go left
	missingLeft bool
}

// grower grows one tree.
type grower struct {
	*booster
	seed    uint64
	columns []int   // drawn for the tree
	isDrawn []bool  // by column
	drawn   [][]int // the columns drawn in each slot
	slots   []int   // slots that hold one of them
	words   []int   // words that hold one of those
	tree    *grownTree
	found   [2][]split // room for the splits of two leaves by column
}

func newGrower(b *booster, seed uint64) *grower {
	g := &grower{booster: b, seed: seed, tree: &grownTree{}, drawn: make([][]int, len(b.rows.slots))}
	g.columns, g.isDrawn = drawColumnsOf(b.useful, b.ColumnShare, mix(seed, drawColumns)), make([]bool, len(b.rows.columns))
	for _, j := range g.columns {
		g.isDrawn[j] = true
		s := b.rows.place[j].slot
		g.drawn[s] = append(g.drawn[s], j)
	}
	for s, columns := range g.drawn {
		if len(columns) == 0 {
			continue
		}
		g.slots = append(g.slots, s)
		if w := s / wordSlots; len(g.words) == 0 || g.words[len(g.words)-1] != w {
			g.words = append(g.words, w)
		}
	}
	g.found = [2][]split{make([]split, len(b.rows.columns)), make([]split, len(b.rows.columns))}
	return g
}

// grow splits the leaf of the greatest gain until there are enough leaves or no gain is left.
func (g *grower) grow() []*leaf {
	root := &leaf{hi: len(g.sampled), within: unbounded(), reach: g.reach}
	g.tree.nodes = append(g.tree.nodes, grownNode{rows: root.hi})
	leaves := []*leaf{root}
	g.judgeRoot(root)
	for len(leaves) < g.Leaves {
		k := bestLeaf(leaves)
		if k < 0 {
			break
		}
		l := leaves[k]
		left, right := g.part(l)
		if left == nil {
			g.recount(l)
			continue
		}
		leaves[k] = left
		leaves = append(leaves, right)
		switch {
		case len(leaves) == g.Leaves:
			g.pool.release(l.hist)
		case l.hist == nil:
			g.judgeAlone(left)
			g.judgeAlone(right)
		default:
			g.judgeBoth(l.hist, left, right)
		}
	}
	for _, l := range leaves {
		g.pool.release(l.hist)
	}
	return leaves
}

// bestLeaf returns the index of the leaf of the greatest gain, the oldest of equals, or -1.
func bestLeaf(leaves []*leaf) int {
	k, gain := -1, 0.0
	for i, l := range leaves {
		if l.best.gain > gain {
			k, gain = i, l.best.gain
		}
	}
	return k
}

func (g *grower) splittable(l *leaf) bool {
	return l.depth < g.Depth && l.rows() >= 2*g.MinRows && len(g.slots) > 0
}

// inner turns a split on bins into one on values.
func (g *grower) inner(s split, left, rows int) grownNode {
	n := grownNode{split: s, left: left, right: left + 1, rows: rows, missingLeft: s.toLeft.has(missingBin)}
	c := &g.rows.columns[s.column]
	if c.kind == features.Categorical {
		n.levels = newLevels(len(c.of))
		for code, bin := range c.of {
			if s.toLeft.has(int(bin)) {
				n.levels.put(code)
			}
		}
		return n
	}
	n.cut = math.MaxFloat32 // all values left, missing right
	if s.bin-1 < len(c.cuts) {
		n.cut = c.cuts[s.bin-1]
	}
	return n
}
