package boost

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"retain/features"
)

// DumpVersion is the version of the schema that WriteJSON follows.
const DumpVersion = 1

// Dump is a model for people to read. The margin of a row, in log-odds, is Base plus the value of the leaf that it reaches in
// each tree. A row goes left at a split if its rule holds; a missing value, and a level that training has not seen, goes where
// Missing says.
type Dump struct {
	Version int          `json:"version"` // DumpVersion
	Base    float64      `json:"base"`    // log-odds of a row without any tree
	Columns []string     `json:"columns"` // names, in the model's order
	Trees   []DumpedTree `json:"trees"`
}

// DumpedTree is the nodes of a tree in preorder: the root is the first, a left child follows its parent.
type DumpedTree []DumpedNode

// DumpedNode is a leaf if Value is not nil, else a split.
type DumpedNode struct {
	Node          int      `json:"node"`              // its place in the tree
	Depth         int      `json:"depth"`             // splits above it
	Value         *float32 `json:"value,omitempty"`   // leaf: added to the margin, in log-odds
	Rule          string   `json:"rule,omitempty"`    // split, in words: what goes left
	Column        string   `json:"column,omitempty"`  // split: the name of its column
	AtMost        *float32 `json:"at_most,omitempty"` // numeric split: values up to it go left, in the column's unit; absent if every number does
	Levels        []string `json:"levels,omitzero"`   // categorical split: the levels that go left, perhaps none; codes where the schema names none
	Missing       string   `json:"missing,omitempty"` // split: left or right
	ZeroIsMissing bool     `json:"zero_is_missing,omitempty"`
	Left          int      `json:"left,omitempty"` // split: the places of its children
	Right         int      `json:"right,omitempty"`
	Gain          *float32 `json:"gain,omitempty"` // split: the training loss that it saved
	Rows          float64  `json:"rows"`           // training rows that reached it; of an import, the weight that its library gives them
}

// Dump returns the model for people to read.
func (m *Model) Dump() Dump {
	d := m.dumpHead()
	d.Trees = make([]DumpedTree, len(m.roots))
	for t := range m.roots {
		d.Trees[t] = m.dumpTree(t)
	}
	return d
}

// dumpHead is Dump without the trees.
func (m *Model) dumpHead() Dump {
	d := Dump{Version: DumpVersion, Base: m.base, Columns: make([]string, len(m.schema))}
	for j := range m.schema {
		d.Columns[j] = m.schema[j].Name
	}
	return d
}

// WriteJSON writes Dump as JSON, one node a line. The same model gives the same bytes.
func (m *Model) WriteJSON(w io.Writer) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // rules are to be legible
	if err := encoder.Encode(m.dumpHead()); err != nil {
		return fmt.Errorf("boost: dump: %w", err)
	}
	out := bufio.NewWriter(w)
	out.WriteString(strings.TrimSuffix(text.String(), "null}\n"))
	out.WriteString("[")
	for t := range m.roots {
		if t > 0 {
			out.WriteString(",")
		}
		out.WriteString("\n[")
		for i, n := range m.dumpTree(t) {
			text.Reset()
			if err := encoder.Encode(n); err != nil {
				return fmt.Errorf("boost: dump tree %d: %w", t, err)
			}
			if i > 0 {
				out.WriteString(",")
			}
			out.WriteString("\n")
			out.WriteString(strings.TrimSuffix(text.String(), "\n"))
		}
		out.WriteString("]")
	}
	out.WriteString("]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("boost: dump: %w", err)
	}
	return nil
}

func (m *Model) dumpTree(t int) DumpedTree {
	nodes, first := m.tree(t)
	rows := covers(nodes, first)
	tree := make(DumpedTree, len(nodes))
	for i := range nodes {
		n, d := &nodes[i], &tree[i]
		d.Node, d.Rows = i, rows[i]
		if n.leaf() {
			d.Value = new(n.cut)
			continue
		}
		d.Left, d.Right = i+1, int(n.right-first)
		tree[d.Left].Depth, tree[d.Right].Depth = d.Depth+1, d.Depth+1
		d.Gain, d.ZeroIsMissing = new(n.weight), n.zeroMissing()
		d.Missing = "right"
		if n.missingLeft() {
			d.Missing = "left"
		}
		c := &m.schema[n.column]
		d.Column = c.Name
		switch {
		case n.categorical():
			d.Levels = m.levelNames(c, n)
			d.Rule = fmt.Sprintf("%s is %s", c.Name, strings.Join(d.Levels, " or "))
			if len(d.Levels) == 0 {
				d.Rule = c.Name + " is no known level"
			}
		case n.cut == math.MaxFloat32:
			d.Rule = c.Name + " is known"
		default:
			d.AtMost = new(n.cut)
			d.Rule = fmt.Sprintf("%s <= %v", c.Name, n.cut)
		}
	}
	return tree
}

// levelNames lists the levels that go left at n.
func (m *Model) levelNames(c *features.Column, n *node) []string {
	names := []string{}
	set := m.sets[n.set()]
	for code := range 64 * len(set) {
		switch {
		case !set.has(code):
		case len(c.Levels) == 0:
			names = append(names, strconv.Itoa(code))
		case code < len(c.Levels):
			names = append(names, c.Levels[code])
		}
	}
	return names
}
