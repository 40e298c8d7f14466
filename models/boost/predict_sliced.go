package boost

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"

	"retain/features"
)

// Scoring by bit slices: 64 rows are the 64 bits of a word. For each test that some split makes, one word says which rows pass it; a
// tree is then one AND and one XOR a split, for all 64 rows at once and without a branch that depends on them (in the manner of QuickScorer,
// Lucchese et al., SIGIR 2015, turned by 90 degrees). Leaves are numbered from left to right; the bits of a row's leaf number stand in as
// many words, each the union of a few subtrees, and a table of bytes turns them back into numbers. Values are added tree by tree in
// boosting order, so that margins are, bit for bit, those of a walk from root to leaf.

// sliceRows is the number of rows that are scored at once.
const sliceRows = 64

// slicedLeaves is the largest number of leaves of a tree that is scored so. Larger ones, which only imports have, are walked.
const slicedLeaves = 256

// sliced is a model prepared for scoring many rows.
type sliced struct {
	columns []slicedColumn
	tests   int // of all columns
	trees   []slicedTree
	codes   int // room that the codes of a column need
}

// slicedColumn is the tests on one column; their words stand at first, first+1, ...
type slicedColumn struct {
	column int
	first  int
	ladder *ladder   // numeric, at most 255 cuts
	cuts   []float32 // numeric: the cuts that occur, ascending
	tests  []slicedTest
	zeros  bool // numeric: some test takes zeros for missing
	words  int  // categorical: of the longest set
}

// slicedTest is what a split asks of a value.
type slicedTest struct {
	cut  int    // numeric: values up to this one of the cuts pass
	set  levels // categorical: the codes that pass
	rule uint32 // flags of node.rule
}

// slicedTree is a tree of at most 256 leaves, or the number of one that must be walked.
type slicedTree struct {
	splits []slicedSplit // parents first
	planes [][]int32     // planes[b]: the nodes below which all leaf numbers have bit b, without the nodes below those
	values []float32     // of the leaves
	walk   bool
}

// slicedSplit says where the rows at a node go: those that pass to the next node, the others to right.
type slicedSplit struct{ at, right, test int32 }

// newSliced prepares a model.
func newSliced(m *Model) *sliced {
	s := &sliced{trees: make([]slicedTree, len(m.roots))}
	place := s.collect(m)
	for t := range m.roots {
		nodes, first := m.tree(t)
		s.trees[t] = newSlicedTree(nodes, first, place[first:])
	}
	return s
}

// collect makes the tests of all splits and returns which one each node of the model asks.
func (s *sliced) collect(m *Model) (place []int32) {
	place = make([]int32, len(m.nodes))
	byColumn := make([][]int32, len(m.schema))
	for i := range m.nodes {
		if n := &m.nodes[i]; !n.leaf() {
			byColumn[n.column] = append(byColumn[n.column], int32(i))
		}
	}
	for j, nodes := range byColumn {
		if len(nodes) == 0 {
			continue
		}
		c := slicedColumn{column: j, first: s.tests}
		if m.schema[j].Kind == features.Categorical {
			c.categorical(m, nodes, place)
			s.codes = max(s.codes, 64*c.words)
		} else {
			c.numeric(m, nodes, place)
			s.codes = max(s.codes, len(c.cuts)+2)
		}
		s.tests += len(c.tests)
		s.columns = append(s.columns, c)
	}
	return place
}

// categorical makes the tests of a categorical column, without repetition.
func (c *slicedColumn) categorical(m *Model, nodes, place []int32) {
	seen := map[string]int{}
	for _, i := range nodes {
		n := &m.nodes[i]
		t := slicedTest{set: m.sets[n.set()], rule: n.rule & ruleFlags}
		key := []byte{byte(t.rule)}
		for _, w := range t.set {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
		at, ok := seen[string(key)]
		if !ok {
			at = len(c.tests)
			seen[string(key)] = at
			c.tests = append(c.tests, t)
			c.words = max(c.words, len(t.set))
		}
		place[i] = int32(c.first + at)
	}
}

// numeric makes the tests of a numeric column, in the order of their cuts and without repetition.
func (c *slicedColumn) numeric(m *Model, nodes, place []int32) {
	slices.SortStableFunc(nodes, func(a, b int32) int {
		p, q := &m.nodes[a], &m.nodes[b]
		return cmp.Or(cmp.Compare(p.cut, q.cut), cmp.Compare(p.rule&ruleFlags, q.rule&ruleFlags))
	})
	for _, i := range nodes {
		n := &m.nodes[i]
		if len(c.cuts) == 0 || c.cuts[len(c.cuts)-1] != n.cut {
			c.cuts = append(c.cuts, n.cut)
		}
		t := slicedTest{cut: len(c.cuts) - 1, rule: n.rule & ruleFlags}
		if k := len(c.tests) - 1; k < 0 || c.tests[k].cut != t.cut || c.tests[k].rule != t.rule {
			c.tests = append(c.tests, t)
		}
		place[i] = int32(c.first + len(c.tests) - 1)
		c.zeros = c.zeros || n.zeroMissing()
	}
	if len(c.cuts) < groupedBins {
		c.ladder = newLadder(c.cuts)
	}
}

func newSlicedTree(nodes []node, first int32, place []int32) slicedTree {
	var t slicedTree
	number := make([]int, len(nodes)+1) // leaves before each node
	for i := range nodes {
		number[i+1] = number[i]
		if n := &nodes[i]; n.leaf() {
			number[i+1]++
			t.values = append(t.values, n.cut)
		} else {
			t.splits = append(t.splits, slicedSplit{int32(i), n.right - first, place[i]})
		}
	}
	if len(t.values) > slicedLeaves {
		return slicedTree{walk: true}
	}
	for b := range bits.Len(uint(len(t.values) - 1)) {
		var plane []int32
		var cover func(i, end int32)
		cover = func(i, end int32) { // the nodes of [i, end) are those of a subtree
			lo, hi := number[i], number[end]-1 // its leaves
			switch {
			case lo>>b == hi>>b && lo>>b&1 == 1:
				plane = append(plane, i)
			case lo>>b == hi>>b:
			default:
				right := nodes[i].right - first
				cover(i+1, right)
				cover(right, end)
			}
		}
		cover(0, int32(len(nodes)))
		t.planes = append(t.planes, plane)
	}
	return t
}

// sliceRoom is room for scoring 64 rows.
type sliceRoom struct {
	pass   []uint64 // of each test, the rows that pass
	with   []uint64 // of each bin or code of a column, the rows that have it
	bins   [sliceRows]uint8
	reach  [2 * slicedLeaves]uint64 // of each node of a tree, the rows that come by
	margin [sliceRows]float64
}

// margins adds the trees' values to the margins of the rows from lo on; at most 64, as many as margin is long.
func (s *sliced) margins(margin []float64, m *Model, x *features.Matrix, lo int, r *sliceRoom) {
	n := len(margin)
	if r.pass == nil {
		r.pass = make([]uint64, s.tests)
	}
	s.passAll(r.pass, 1, m, x, lo, n, r)
	copy(r.margin[:], margin)
	walk := treeWalker{m: m, x: x, lo: lo, n: n}
	for t := range s.trees {
		if s.trees[t].walk {
			walk.add(r.margin[:n], t)
		} else {
			s.trees[t].add(r)
		}
	}
	copy(margin, r.margin[:])
}

// treeWalker adds trees to n rows from lo on by walking; the rows are laid out when the first tree asks.
type treeWalker struct {
	m     *Model
	x     *features.Matrix
	lo, n int
	rows  []float32
}

func (w *treeWalker) add(margin []float64, t int) {
	p := w.x.Cols()
	if w.rows == nil {
		w.rows = rowByRow(w.x, w.lo, w.lo+w.n)
	}
	for k := range margin {
		margin[k] += w.m.walkTree(t, w.rows[k*p:(k+1)*p])
	}
}

// passAll finds which of n rows from lo on, at most 64, pass each test: pass[stride*test] is its word.
func (s *sliced) passAll(pass []uint64, stride int, m *Model, x *features.Matrix, lo, n int, r *sliceRoom) {
	if r.with == nil {
		r.with = make([]uint64, s.codes)
	}
	for k := range s.columns {
		c := &s.columns[k]
		values := x.X[c.column][lo : lo+n]
		if m.schema[c.column].Kind == features.Categorical {
			c.passLevels(pass[stride*c.first:], stride, values, r)
		} else {
			c.passNumbers(pass[stride*c.first:], stride, values, r)
		}
	}
}

// passNumbers finds which rows pass the tests of a numeric column.
func (c *slicedColumn) passNumbers(pass []uint64, stride int, values []float32, r *sliceRoom) {
	with := r.with[:len(c.cuts)+2] // 0: missing; k: above k-1 of the cuts
	clear(with)
	var zero uint64
	if c.zeros {
		for k, v := range values {
			if v >= -zeroRange && v <= zeroRange {
				zero |= 1 << (k & 63)
			}
		}
	}
	if c.ladder != nil {
		c.ladder.binAll(r.bins[:len(values)], values)
		for k, b := range r.bins[:len(values)] {
			with[b] |= 1 << (k & 63)
		}
	} else {
		for k, v := range values {
			b := 0
			if v == v {
				b, _ = slices.BinarySearch(c.cuts, v)
				b++
			}
			with[b] |= 1 << (k & 63)
		}
	}
	missing, below, next := with[0], uint64(0), 0
	for i := range c.tests {
		t := &c.tests[i]
		for ; next <= t.cut; next++ {
			below |= with[next+1]
		}
		p, gone := below, missing
		if t.rule&ruleZeroMissing != 0 {
			p, gone = p&^zero, gone|zero
		}
		if t.rule&ruleMissingLeft != 0 {
			p |= gone
		}
		pass[stride*i] = p
	}
}

// passLevels finds which rows pass the tests of a categorical column.
func (c *slicedColumn) passLevels(pass []uint64, stride int, values []float32, r *sliceRoom) {
	with := r.with[:64*c.words]
	clear(with)
	var all uint64
	for k, v := range values {
		one := uint64(1) << (k & 63)
		all |= one
		if v == v && int(v) < len(with) {
			with[int(v)] |= one
		}
	}
	known, words := uint64(0), -1 // the rows whose code fits sets of so many words
	for i := range c.tests {
		t := &c.tests[i]
		if words != len(t.set) {
			known, words = 0, len(t.set)
			for _, rows := range with[:64*words] {
				known |= rows
			}
		}
		var in uint64
		for w, word := range t.set {
			for ; word != 0; word &= word - 1 {
				in |= with[64*w+bits.TrailingZeros64(word)]
			}
		}
		if t.rule&ruleMissingLeft != 0 {
			in |= all &^ known // missing, or a code beyond the set
		}
		pass[stride*i] = in
	}
}

// byteBits[b] has bit k of b as its byte k.
var byteBits = func() (s [256]uint64) {
	for b := range s {
		for k := range 8 {
			s[b] |= uint64(b) >> k & 1 << (8 * k)
		}
	}
	return s
}()

// add adds the values of the tree to the margins of the 64 rows.
func (t *slicedTree) add(r *sliceRoom) {
	const last = 2*slicedLeaves - 1
	reach := &r.reach
	reach[0] = ^uint64(0)
	pass := r.pass
	for i := range t.splits {
		s := &t.splits[i]
		here := reach[s.at&last]
		left := here & pass[s.test]
		reach[(s.at+1)&last] = left
		reach[s.right&last] = here ^ left
	}
	var number [8]uint64 // leaf numbers, 8 rows in each word
	for b, nodes := range t.planes {
		var plane uint64
		for _, k := range nodes {
			plane |= reach[k&last]
		}
		for g := range number {
			number[g] |= byteBits[uint8(plane>>(8*g))] << (b & 7)
		}
	}
	values := t.values
	for g, word := range number {
		margin := (*[8]float64)(r.margin[8*g:])
		for k := range margin {
			margin[k] += float64(values[uint8(word>>(8*k))])
		}
	}
}
