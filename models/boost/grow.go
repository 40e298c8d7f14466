package boost

import (
	"math"
	"slices"

	"retain/features"
)

// booster is the state of one Fit.
type booster struct {
	Trainer
	scale
	data    *binned
	y       []float64
	weight  []float64 // nil = every row weighs 1
	base    float64
	margin  []float64 // of each training row, after the trees so far
	gh      []sums    // gradient and hessian of each row
	keys    []uint64  // identity of each row, for sampling
	useful  []int     // columns that can be split
	seed    uint64
	sampled []uint32 // the tree's rows, parted leaf by leaf
	others  []uint32 // the rows that it does not see
	spare   []uint32 // room for parting
	ordered []sums   // room for the gradients of one leaf
	pool    []histogram
}

func newBooster(t Trainer, d *features.Dataset, seed uint64) *booster {
	n := d.Rows()
	maxWeight := 1.0
	if d.Weight != nil {
		maxWeight = slices.Max(d.Weight)
	}
	b := &booster{
		Trainer: t,
		scale:   newScale(n, maxWeight),
		data:    newBinned(d.X, t.Bins),
		y:       d.Y,
		weight:  d.Weight,
		base:    baseMargin(d.Y, d.Weight, maxWeight),
		margin:  make([]float64, n),
		gh:      make([]sums, n),
		keys:    rowKeys(d),
		seed:    seed,
		sampled: make([]uint32, 0, n),
		others:  make([]uint32, 0, n),
		spare:   make([]uint32, n),
		ordered: make([]sums, n),
	}
	for i := range b.margin {
		b.margin[i] = b.base
	}
	for j := range b.data.columns {
		if b.data.useful(j) {
			b.useful = append(b.useful, j)
		}
	}
	return b
}

// leaf is a leaf of the tree that grows: the rows booster.sampled[lo:hi].
type leaf struct {
	node   int // its place in the tree
	lo, hi int
	depth  int
	sum    sums
	hist   histogram // nil if the leaf will not be split
	best   split
}

// round grows one tree on the present gradients and adds its values to the margins.
func (b *booster) round(k int) *grownTree {
	b.gradients()
	seed := mix(b.seed, uint64(k))
	b.sampled, b.others = drawRowsOf(b.keys, b.RowShare, mix(seed, drawRows), b.sampled, b.others)
	g := &grower{booster: b, seed: seed, tree: &grownTree{}}
	g.columns = drawColumnsOf(b.useful, b.ColumnShare, mix(seed, drawColumns))
	for _, j := range g.columns {
		if n := len(g.groups); n == 0 || g.groups[n-1] != j/groupWidth {
			g.groups = append(g.groups, j/groupWidth)
		}
	}
	leaves := g.grow()
	for _, l := range leaves {
		g.tree.nodes[l.node].value = b.value(l.sum, len(leaves))
	}
	b.addToMargins(g.tree, leaves)
	for _, l := range leaves {
		b.release(l.hist)
	}
	return g.tree
}

// value is a leaf's value, rounded to the precision in which it is kept. A tree that found no split adds nothing.
func (b *booster) value(a sums, leaves int) float32 {
	if leaves == 1 {
		return 0
	}
	return float32(-b.LearningRate * shrink(b.grad(a), b.L1) / (b.hess(a) + b.L2))
}

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
	cut         float32  // numeric: values up to it go left
	levels      []uint64 // categorical: the set of codes that go left
	missingLeft bool
}

// grower grows one tree.
type grower struct {
	*booster
	seed    uint64
	columns []int // columns that the tree may split
	groups  []int // groups that hold one of them
	tree    *grownTree
}

// grow splits the leaf of the greatest gain until there are enough leaves or no gain is left.
func (g *grower) grow() []*leaf {
	root := &leaf{hi: len(g.sampled)}
	for _, r := range g.sampled {
		root.sum.add(g.gh[r])
	}
	g.tree.nodes = append(g.tree.nodes, grownNode{rows: root.hi})
	leaves := []*leaf{root}
	if !g.splittable(root) {
		return leaves
	}
	root.hist = g.newHistogram()
	g.fill(root)
	g.judge(root)
	for len(leaves) < g.Leaves {
		k := bestLeaf(leaves)
		if k < 0 {
			break
		}
		left, right := g.part(leaves[k])
		last := len(leaves)+1 == g.Leaves
		if last {
			g.release(leaves[k].hist)
		} else {
			g.prepare(leaves[k].hist, left, right)
		}
		leaves[k] = left
		leaves = append(leaves, right)
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
	return l.depth < g.Depth && l.hi-l.lo >= 2*g.MinRows && len(g.columns) > 0
}

// prepare gives both children their histograms, the larger one by subtraction from the parent's, and finds their splits.
func (g *grower) prepare(parent histogram, left, right *leaf) {
	small, large := left, right
	if small.hi-small.lo > large.hi-large.lo {
		small, large = large, small
	}
	if !g.splittable(large) { // then neither is the small one
		g.release(parent)
		return
	}
	small.hist, large.hist = g.newHistogram(), parent
	g.fill(small)
	parallel(len(g.groups), func(k int) {
		large.hist[g.groups[k]].subtract(&small.hist[g.groups[k]])
	})
	g.judge(large)
	if g.splittable(small) {
		g.judge(small)
	}
}

// fill computes the histogram of a leaf from its rows, in the groups that hold a column of the tree.
func (g *grower) fill(l *leaf) {
	rows, gh := g.sampled[l.lo:l.hi], g.ordered[:l.hi-l.lo]
	for i, r := range rows {
		gh[i] = g.gh[r]
	}
	parallelIf(len(rows) >= 1024, len(g.groups), func(k int) {
		l.hist[g.groups[k]].fill(g.data.groups[g.groups[k]], rows, gh)
	})
}

// judge finds the best split of a leaf; of equal gains that of the first column.
func (g *grower) judge(l *leaf) {
	columns := drawColumnsOf(g.columns, g.NodeShare, mix(mix(g.seed, drawNodeColumns), uint64(l.node)))
	found := make([]split, len(columns))
	q := newSearch(&g.Trainer, &g.scale, l.sum)
	parallelIf(len(columns) >= 16, len(columns), func(k int) {
		j := columns[k]
		found[k] = q.best(j, &g.data.columns[j], l.hist.column(j))
	})
	for _, s := range found {
		if s.gain > l.best.gain {
			l.best = s
		}
	}
}

// part applies the best split of a leaf: it becomes an inner node, its rows are parted in place, in their order.
func (g *grower) part(l *leaf) (left, right *leaf) {
	s := l.best
	group, slot := g.data.groups[s.column/groupWidth], s.column%groupWidth
	var goesLeft [groupedBins]uint8
	for k := range goesLeft {
		if s.toLeft.has(k) {
			goesLeft[k] = 1
		}
	}
	rows, spare := g.sampled[l.lo:l.hi], g.spare
	nl, nr := 0, 0
	for _, r := range rows { // without a branch: both places are written, one of them counts
		rows[nl], spare[nr] = r, r
		k := int(goesLeft[group[r][slot]])
		nl += k
		nr += 1 - k
	}
	copy(rows[nl:], spare[:nr])

	at := len(g.tree.nodes)
	g.tree.nodes = append(g.tree.nodes, grownNode{rows: nl}, grownNode{rows: nr})
	g.tree.nodes[l.node] = g.inner(s, at, l.hi-l.lo)
	left = &leaf{node: at, lo: l.lo, hi: l.lo + nl, depth: l.depth + 1, sum: s.sum}
	right = &leaf{node: at + 1, lo: l.lo + nl, hi: l.hi, depth: l.depth + 1, sum: l.sum.minus(s.sum)}
	return left, right
}

// inner turns a split on bins into one on values.
func (g *grower) inner(s split, left, rows int) grownNode {
	n := grownNode{split: s, left: left, right: left + 1, rows: rows, missingLeft: s.toLeft.has(missingBin)}
	c := &g.data.columns[s.column]
	if c.kind == features.Categorical {
		n.levels = make([]uint64, (len(c.of)+63)/64)
		for code, bin := range c.of {
			if s.toLeft.has(int(bin)) {
				n.levels[code>>6] |= 1 << (code & 63)
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

// addToMargins adds the tree's values to all training rows: by leaf for the sampled ones, by walking for the others.
func (b *booster) addToMargins(t *grownTree, leaves []*leaf) {
	if len(leaves) == 1 {
		return
	}
	parallel(len(leaves), func(k int) {
		l := leaves[k]
		v := float64(t.nodes[l.node].value)
		for _, r := range b.sampled[l.lo:l.hi] {
			b.margin[r] += v
		}
	})
	const block = 1 << 13
	parallel((len(b.others)+block-1)/block, func(k int) {
		for _, r := range b.others[k*block : min(len(b.others), (k+1)*block)] {
			n := &t.nodes[0]
			for n.left > 0 {
				bin := b.data.groups[n.column/groupWidth][r][n.column%groupWidth]
				if n.toLeft.has(int(bin)) {
					n = &t.nodes[n.left]
				} else {
					n = &t.nodes[n.right]
				}
			}
			b.margin[r] += float64(n.value)
		}
	})
}
