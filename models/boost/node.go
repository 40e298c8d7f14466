package boost

// node is a split, or a leaf if column is negative. It is 20 bytes without padding, so that a file holds nodes as memory does.
type node struct {
	column int32   // of the split
	right  int32   // split: place of the right child in Model.nodes; the left one is the next node
	cut    float32 // numeric split: values up to it go left; leaf: its value in log-odds
	weight float32 // split: its gain; leaf: the training rows that reached it (import: what the other library weighs leaves by)
	rule   uint32  // split: the flags below, and above them the place of the levels in Model.sets
}

// The flags of node.rule.
const (
	ruleMissingLeft uint32 = 1 << iota // missing values go left
	ruleZeroMissing                    // numeric: values within zeroRange of 0 are missing (LightGBM's zero_as_missing)
	ruleCategorical                    // the values are codes; those in the set go left
	ruleBits        = 3
	ruleFlags       = 1<<ruleBits - 1
)

// zeroRange is LightGBM's kZeroThreshold.
const zeroRange float32 = 1e-35

func (n *node) leaf() bool        { return n.column < 0 }
func (n *node) missingLeft() bool { return n.rule&ruleMissingLeft != 0 }
func (n *node) categorical() bool { return n.rule&ruleCategorical != 0 }
func (n *node) zeroMissing() bool { return n.rule&ruleZeroMissing != 0 }
func (n *node) set() int          { return int(n.rule >> ruleBits) }

// levels is a set of codes of a categorical column, one bit each.
type levels []uint64

// newLevels is an empty set with room for n codes.
func newLevels(n int) levels { return make(levels, (n+63)/64) }

func (s levels) put(code int)      { s[code>>6] |= 1 << (code & 63) }
func (s levels) has(code int) bool { return code>>6 < len(s) && s[code>>6]>>(code&63)&1 == 1 }

// goesLeft says to which child a value goes. Codes beyond the set, never seen in training, go with missing values.
func (m *Model) goesLeft(n *node, v float32) bool {
	if v != v {
		return n.missingLeft()
	}
	if !n.categorical() {
		if n.zeroMissing() && v >= -zeroRange && v <= zeroRange {
			return n.missingLeft()
		}
		return v <= n.cut
	}
	s, code := m.sets[n.set()], int(v)
	if code>>6 >= len(s) {
		return n.missingLeft()
	}
	return s[code>>6]>>(code&63)&1 == 1
}

// covers returns the training rows that reached each node of a tree whose first node is Model.nodes[first]: those of its leaves.
func covers(nodes []node, first int32) []float64 {
	rows := make([]float64, len(nodes))
	for i := len(nodes) - 1; i >= 0; i-- {
		if n := &nodes[i]; n.leaf() {
			rows[i] = float64(n.weight)
		} else {
			rows[i] = rows[i+1] + rows[n.right-first]
		}
	}
	return rows
}
