package boost

// groupHistogram is the sums of one leaf by bin, of 8 columns: [column in the group][bin].
// Its fixed shape lets a byte index it without a bounds check.
type groupHistogram [groupWidth][groupedBins]sums

// histogram is the sums of one leaf by bin, of all columns: [group]. Column j is histogram[j/8][j%8].
type histogram []groupHistogram

func (h histogram) column(j int) *[groupedBins]sums { return &h[j/groupWidth][j%groupWidth] }

// fill sums by bin the gradients of some rows: gh[i] is that of rows[i].
func (h *groupHistogram) fill(bins [][groupWidth]uint8, rows []uint32, gh []sums) {
	clear(h[:])
	const ahead = 32
	var touched uint8
	for len(rows) > 0 {
		some := rows[:min(ahead, len(rows))]
		rows = rows[len(some):]
		// The rows of a deep leaf lie apart. Reading them first lets their cache misses overlap; among the additions below
		// each would wait for the stores before it.
		for _, r := range some {
			touched += bins[r][0]
		}
		values := gh[:len(some)]
		gh = gh[len(some):]
		for i, r := range some {
			v, b := values[i], &bins[r]
			h[0][b[0]].add(v)
			h[1][b[1]].add(v)
			h[2][b[2]].add(v)
			h[3][b[3]].add(v)
			h[4][b[4]].add(v)
			h[5][b[5]].add(v)
			h[6][b[6]].add(v)
			h[7][b[7]].add(v)
		}
	}
	keep(touched)
}

// keep makes the compiler believe that v is needed.
//
//go:noinline
func keep(uint8) {}

// subtract takes the sums of one child from its parent's; the other child's are left.
func (h *groupHistogram) subtract(child *groupHistogram) {
	for c := range h {
		mine, theirs := &h[c], &child[c]
		for k := range mine {
			mine[k].grad -= theirs[k].grad
			mine[k].hess -= theirs[k].hess
		}
	}
}

// newHistogram takes a histogram from the pool; its contents are old.
func (b *booster) newHistogram() histogram {
	if k := len(b.pool); k > 0 {
		h := b.pool[k-1]
		b.pool = b.pool[:k-1]
		return h
	}
	return make(histogram, len(b.data.groups))
}

func (b *booster) release(h histogram) {
	if h != nil {
		b.pool = append(b.pool, h)
	}
}
