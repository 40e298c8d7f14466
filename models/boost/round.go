package boost

import (
	"slices"

	"retain/features"
)

// booster is the state of one fit.
type booster struct {
	Trainer
	scale
	x       *features.Matrix
	rows    *binned
	y       []float64
	weight  []float64 // nil = every row weighs 1
	base    float64
	margin  []float64 // of each training row, after the trees so far
	keys    rowKeys
	useful  []int // columns that can be split
	seed    uint64
	sampled []uint32 // the tree's rows, parted leaf by leaf
	others  []uint32 // the rows that it does not see
	spare   []uint32 // room for parting
	pool    pool
	reach   reach // of all rows
	crew    *crew
}

func newBooster(t Trainer, d *features.Dataset, seed uint64) *booster {
	n := d.Rows()
	maxWeight := 1.0
	if d.Weight != nil {
		maxWeight = slices.Max(d.Weight)
	}
	keys := newRowKeys(d)
	b := &booster{
		Trainer: t,
		rows:    newBinned(d.X, keys, t.Bins),
		scale:   newScale(n, maxWeight),
		x:       d.X,
		y:       d.Y,
		weight:  d.Weight,
		base:    baseMargin(d.Y, d.Weight, maxWeight),
		margin:  make([]float64, n),
		keys:    keys,
		seed:    seed,
		sampled: make([]uint32, 0, n),
		spare:   make([]uint32, n),
		crew:    newCrew(),
	}
	for i := range b.margin {
		b.margin[i] = b.base
	}
	b.pool.words = b.rows.width
	for j := range b.rows.columns {
		if b.rows.place[j].slot >= 0 {
			b.useful = append(b.useful, j)
		}
	}
	b.countAll()
	return b
}

// round grows the tree of round k on the gradients at the present margins and adds its values to the margins.
func (b *booster) round(k int) *grownTree {
	seed := mix(b.seed, uint64(k))
	b.sampled, b.others = b.drawRows(mix(seed, drawRows))
	g := newGrower(b, seed)
	leaves := g.grow()
	for _, l := range leaves {
		g.tree.nodes[l.node].value = b.value(l, len(leaves))
	}
	b.addToMargins(g.tree, leaves)
	return g.tree
}

// value is a leaf's value, rounded to the precision in which it is kept. A tree that found no split adds nothing.
func (b *booster) value(l *leaf, leaves int) float32 {
	if leaves == 1 {
		return 0
	}
	return float32(b.LearningRate * b.weigh(l.sum, l.within))
}

// weigh is the best value of a leaf with these sums within the bounds, before the learning rate.
func (b *booster) weigh(a sums, within bounds) float64 {
	return within.clamp(-shrink(b.grad(a), b.L1) / (b.hess(a) + b.L2))
}

// way is the direction in which column j must move the risk, or 0. Codes have none: there is no more or less of a level.
func (b *booster) way(j int) int8 {
	if c := &b.x.Schema[j]; b.Monotone && c.Kind == features.Numeric {
		return c.Monotone
	}
	return 0
}

// addToMargins adds the tree's values to all training rows: by leaf for the sampled ones, by walking for the others.
func (b *booster) addToMargins(t *grownTree, leaves []*leaf) {
	if len(leaves) == 1 {
		return
	}
	b.crew.parallelIf(len(b.sampled) >= 4096, len(leaves), func(k int) {
		l := leaves[k]
		v := float64(t.nodes[l.node].value)
		for _, r := range b.sampled[l.lo:l.hi] {
			b.margin[r] += v
		}
	})
	if len(b.others) == 0 {
		return
	}
	walk := b.rows.walker(t)
	const block = 1 << 13
	b.crew.parallel((len(b.others)+block-1)/block, func(k int) {
		for _, r := range b.others[k*block : min(len(b.others), (k+1)*block)] {
			b.margin[r] += float64(walk.value(r))
		}
	})
}

// walker sends training rows down a grown tree by their codes.
type walker struct {
	*binned
	nodes []walkNode
}

type walkNode struct {
	slot  int // -1: a leaf
	left  [groupedBins]bool
	next  [2]int // right, left
	value float32
}

func (b *binned) walker(t *grownTree) walker {
	w := walker{b, make([]walkNode, len(t.nodes))}
	for i := range t.nodes {
		n, to := &t.nodes[i], &w.nodes[i]
		to.slot, to.value = -1, n.value
		if n.left > 0 {
			d := &b.place[n.column]
			to.slot, to.next = d.slot, [2]int{n.right, n.left}
			to.left = d.codesOf(&n.toLeft)
		}
	}
	return w
}

func (w *walker) value(r uint32) float32 {
	n := &w.nodes[0]
	for n.slot >= 0 {
		if n.left[w.code(r, n.slot)] {
			n = &w.nodes[n.next[1]]
		} else {
			n = &w.nodes[n.next[0]]
		}
	}
	return n.value
}
