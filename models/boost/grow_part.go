package boost

import "retain/features"

// part applies the best split of a leaf: it becomes an inner node, and its rows are parted in place. It returns nil if a side has too
// few of them; the rows are then in another order, which nothing depends on.
func (g *grower) part(l *leaf) (left, right *leaf) {
	s := l.best
	n := g.inner(s, len(g.tree.nodes), l.rows())
	nl := g.partRows(&n, g.sampled[l.lo:l.hi], g.spare[l.lo:l.hi])
	nr := l.rows() - nl
	if nl < g.MinRows || nr < g.MinRows {
		return nil, nil
	}
	g.tree.nodes = append(g.tree.nodes, grownNode{rows: nl}, grownNode{rows: nr})
	g.tree.nodes[l.node] = n
	left = &leaf{node: n.left, lo: l.lo, hi: l.lo + nl, depth: l.depth + 1, sum: s.sum, reach: l.reach}
	right = &leaf{node: n.right, lo: l.lo + nl, hi: l.hi, depth: l.depth + 1, sum: l.sum - s.sum, reach: l.reach}
	way := g.way(s.column)
	if s.bin >= g.rows.columns[s.column].bins-1 {
		way = 0 // all values against missing: no order
	}
	left.within, right.within = l.within.part(g.weigh(left.sum, l.within), g.weigh(right.sum, l.within), way)
	return left, right
}

// partRows puts the rows that go left before the others and returns how many they are. Many rows are parted in pieces, one a
// goroutine, which are then put together.
func (g *grower) partRows(n *grownNode, rows, spare []uint32) int {
	const rowsEach = 8192
	parts := min(g.crew.size(), len(rows)/rowsEach)
	if parts < 2 {
		nl := g.partPiece(n, rows, spare)
		copy(rows[nl:], spare[:len(rows)-nl])
		return nl
	}
	from := func(k int) int { return k * len(rows) / parts }
	left := make([]int, parts)
	g.crew.parallel(parts, func(k int) {
		left[k] = g.partPiece(n, rows[from(k):from(k+1)], spare[from(k):from(k+1)])
	})
	nl := 0
	for k := range parts {
		nl += copy(rows[nl:], rows[from(k):from(k)+left[k]])
	}
	at := nl
	for k := range parts {
		at += copy(rows[at:], spare[from(k):from(k+1)-left[k]])
	}
	return nl
}

// partPiece moves the rows that go left to the front, in their order, and writes the others to spare. It asks the values themselves,
// which lie closer together than the bins of a row. No branch depends on where a row goes: both places are written, and one of them counts.
func (g *grower) partPiece(n *grownNode, rows, spare []uint32) (left int) {
	values := g.x.X[n.column]
	spare = spare[:len(rows)]
	nl, nr := 0, 0
	switch c := &g.rows.columns[n.column]; {
	case c.kind == features.Categorical:
		goes := make([]uint8, len(c.of)+1) // the last one is missing
		for code, bin := range c.of {
			goes[code] = bit(n.toLeft.has(int(bin)))
		}
		goes[len(c.of)] = bit(n.missingLeft)
		for _, r := range rows {
			code := len(c.of)
			if v := values[r]; v == v {
				code = int(v)
			}
			rows[nl], spare[nr] = r, r
			k := int(goes[code])
			nl += k
			nr += 1 - k
		}
	case n.missingLeft:
		for _, r := range rows {
			rows[nl], spare[nr] = r, r
			k := int(bit(values[r] > n.cut))
			nl += 1 - k
			nr += k
		}
	default:
		for _, r := range rows {
			rows[nl], spare[nr] = r, r
			k := int(bit(values[r] <= n.cut))
			nl += k
			nr += 1 - k
		}
	}
	return nl
}

// bit is 1 for true; the compiler makes it a flag, not a branch.
func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
