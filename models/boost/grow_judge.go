package boost

import (
	"slices"

	"retain/features"
)

// judgeRoot finds the best split of the whole tree. The gradients of the rows, their sum and the histogram come about in one pass over
// the rows' words, block by block while a block lies in the cache: the words of all rows do not fit there.
func (g *grower) judgeRoot(l *leaf) {
	if !g.splittable(l) {
		return
	}
	seed := mix(g.seed, drawRounding)
	l.hist = g.pool.take()
	extra := g.fillParts(l.hist, g.words, g.sampled[l.lo:l.hi], func(to histogram, rows []uint32) {
		g.gradients(seed, rows)
		g.rows.add(to, g.words, rows, sumGradients)
	})
	add := addTo(l.hist, extra)
	for _, h := range append(extra, l.hist) { // every row has one code in a slot
		for _, v := range h.slot(g.slots[0]) {
			l.sum += v
		}
	}
	g.search(add, judged{leaf: l})
	g.pool.release(extra...)
	g.keep(l)
}

// judgeAlone finds the best split of a leaf from a histogram made of its rows.
func (g *grower) judgeAlone(l *leaf) {
	if !g.splittable(l) {
		return
	}
	l.hist = g.pool.take()
	extra := g.fill(l.hist, g.words, g.sampled[l.lo:l.hi], sumGradients)
	g.search(addTo(l.hist, extra), judged{leaf: l})
	g.pool.release(extra...)
	g.keep(l)
}

// judgeBoth finds the best splits of two new leaves. The histogram of the one with fewer rows is made of them, that of the other by
// subtraction from their parent's, whose room it takes.
func (g *grower) judgeBoth(parent histogram, left, right *leaf) {
	small, large := left, right
	if small.rows() > large.rows() {
		small, large = large, small
	}
	if !g.splittable(large) { // then neither is the small one
		g.pool.release(parent)
		return
	}
	small.hist, large.hist = g.pool.take(), parent
	extra := g.fill(small.hist, g.words, g.sampled[small.lo:small.hi], sumGradients)
	add := addTo(small.hist, extra)
	g.search(func(s int) {
		add(s)
		subtract(large.hist.slot(s), small.hist.slot(s))
	}, judged{leaf: small}, judged{leaf: large})
	g.pool.release(extra...)
	g.keep(small)
	g.keep(large)
}

// recount finds the best split of a leaf anew: the one found without counting rows leaves too few on a side. The rows are counted by bin
// in the word of the split's column, which says which of its cuts will do; and in all words for a categorical column, since the order of
// levels is the search's, or where that was not enough: missing rows whose hessian is rounded to 0 may go to either side. It is rare
// enough that other leaves are spared the counting.
func (g *grower) recount(l *leaf) {
	failed := l.best.column
	l.best = split{}
	if l.counted {
		return
	}
	words, word := g.words, g.rows.place[failed].slot/wordSlots
	l.counted = g.rows.columns[failed].kind == features.Categorical || slices.Contains(l.countedWords, word)
	if !l.counted {
		words = []int{word}
		l.countedWords = append(l.countedWords, word)
	}
	rows := g.sampled[l.lo:l.hi]
	var extra []histogram
	if l.hist == nil {
		l.hist = g.pool.take()
		extra = g.fill(l.hist, g.words, rows, sumGradients)
	}
	count := g.pool.take()
	extraCount := g.fill(count, words, rows, countRows)
	l.reach = g.narrowed(l.reach, words, count, extraCount)
	counted := judged{leaf: l}
	if l.counted {
		counted.count = count
	}
	g.search(addTo(l.hist, extra), counted)
	g.pool.release(extra...)
	g.pool.release(extraCount...)
	g.pool.release(count)
	g.keep(l)
}

// keep lets a leaf keep its histogram for its children if it will have any and there is room.
func (g *grower) keep(l *leaf) {
	if l.best.gain == 0 || g.pool.tight() {
		g.pool.release(l.hist)
		l.hist = nil
	}
}

// rowsEach is the rows that are worth a goroutine: to add a part of fewer takes longer than to fill it.
const rowsEach = 1024

// fill sums the gradients of rows by code into h, or counts the rows. Many rows are shared out among goroutines: extra
// holds the sums of all parts but the first, to be added.
func (g *grower) fill(h histogram, words []int, rows []uint32, what filling) (extra []histogram) {
	const (
		alone     = 256 // so few rows are not shared out
		wordsEach = 4   // with so many words each, goroutines share the words, and nothing is to be added
	)
	w := g.crew.size()
	switch {
	case w == 1 || len(rows) < alone:
		g.rows.fill(h, words, rows, what)
	case len(rows) < 2*rowsEach || len(words) >= wordsEach*w:
		parts := min(len(words), 4*w)
		g.crew.parallel(parts, func(k int) {
			g.rows.fill(h, words[k*len(words)/parts:(k+1)*len(words)/parts], rows, what)
		})
	default:
		extra = g.fillParts(h, words, rows, func(to histogram, rows []uint32) { g.rows.add(to, words, rows, what) })
	}
	return extra
}

// fillParts lets add sum blocks of rows into h and, where other goroutines help, into extra: each into one of its own, and as many
// blocks as it gets done.
func (g *grower) fillParts(h histogram, words []int, rows []uint32, add func(to histogram, rows []uint32)) (extra []histogram) {
	parts := max(1, min(g.crew.size(), len(rows)/rowsEach))
	to := []histogram{h}
	for range parts - 1 {
		to = append(to, g.pool.take())
	}
	next := counter((len(rows) + rowsEach - 1) / rowsEach)
	g.crew.parallel(parts, func(k int) {
		to[k].clear(words)
		for b := next(); b >= 0; b = next() {
			add(to[k], rows[b*rowsEach:min(len(rows), (b+1)*rowsEach)])
		}
	})
	return to[1:]
}

// addTo returns a function that adds the sums of one slot.
func addTo(h histogram, extra []histogram) func(slot int) {
	return func(s int) {
		for _, e := range extra {
			addAll(h.slot(s), e.slot(s))
		}
	}
}

// judged is a leaf whose best split is sought, and its rows by code if they count.
type judged struct {
	*leaf
	count histogram // nil: the split may leave a side with too few rows
}

// search finds the best splits of leaves, slot by slot: ready completes the slot's sums first. Of equal gains that of the first column
// stays.
func (g *grower) search(ready func(slot int), leaves ...judged) {
	var q [2]search
	var in [2][]bool
	for i, l := range leaves {
		if g.splittable(l.leaf) {
			q[i] = newSearch(&g.Trainer, &g.scale, l.sum, l.within)
			in[i] = g.drawnAt(l.node)
			clear(g.found[i])
		}
	}
	g.crew.parallelIf(len(g.slots) >= 8, len(g.slots), func(k int) {
		s := g.slots[k]
		ready(s)
		var room, roomCount [groupedBins]sums
		for i, l := range leaves {
			if in[i] == nil {
				continue
			}
			for _, j := range g.drawn[s] {
				if !in[i][j] {
					continue
				}
				d := &g.rows.place[j]
				var count *[groupedBins]sums
				if l.count != nil {
					count = d.marginal(l.count.slot(s), &roomCount)
				}
				g.found[i][j] = q[i].best(j, &g.rows.columns[j], d.marginal(l.hist.slot(s), &room), count, l.reach[j], g.way(j))
			}
		}
	})
	for i, l := range leaves {
		if in[i] == nil {
			continue
		}
		for _, f := range g.found[i] {
			if f.gain > l.best.gain {
				l.best = f
			}
		}
	}
}

// drawnAt returns which columns are drawn for the leaf at a node of the tree.
func (g *grower) drawnAt(node int) []bool {
	if g.NodeShare == 1 {
		return g.isDrawn
	}
	in := make([]bool, len(g.isDrawn))
	for _, j := range drawColumnsOf(g.columns, g.NodeShare, mix(mix(g.seed, drawNodeColumns), uint64(node))) {
		in[j] = true
	}
	return in
}
