package boost

import (
	"fmt"

	"retain/features"
)

// validate says what is wrong with trees that were read: whatever passes can be walked and explained without a fault.
func (m *Model) validate() error {
	corrupt := func(why string) error { return fmt.Errorf("%w: %s", ErrCorrupt, why) }
	if m.base-m.base != 0 {
		return corrupt("the base margin is not finite")
	}
	if len(m.roots) == 0 && len(m.nodes) > 0 {
		return corrupt("nodes of no tree")
	}
	sets, at := 0, 0
	var open []int // splits whose right subtree is still to come
	for _, root := range m.roots {
		if int(root) != at {
			return corrupt("a tree begins inside another")
		}
		for whole := false; !whole; at++ {
			if at == len(m.nodes) {
				return corrupt("a tree ends too early")
			}
			n := &m.nodes[at]
			if why := m.wrong(n, sets); why != "" {
				return corrupt(why)
			}
			if !n.leaf() {
				if n.categorical() {
					sets++
				}
				open = append(open, at)
				continue
			}
			if whole = len(open) == 0; !whole {
				last := len(open) - 1
				if int(m.nodes[open[last]].right) != at+1 {
					return corrupt("a right child is not where its subtree begins")
				}
				open = open[:last]
			}
		}
	}
	if at != len(m.nodes) || sets != len(m.sets) {
		return corrupt("nodes or levels are left over")
	}
	return nil
}

// wrong says what is wrong with a node by itself, or nothing; set is the place that its levels must have.
func (m *Model) wrong(n *node, set int) string {
	if n.cut-n.cut != 0 || n.weight-n.weight != 0 {
		return "a number is not finite"
	}
	if n.leaf() {
		switch {
		case n.column != -1 || n.right != 0 || n.rule != 0:
			return "a leaf like a split"
		case n.weight <= 0:
			return "a leaf without rows"
		}
		return ""
	}
	if int(n.column) >= len(m.schema) {
		return "a column beyond the schema"
	}
	categorical := m.schema[n.column].Kind == features.Categorical
	switch {
	case n.categorical() != categorical:
		return "a split of the other kind than its column"
	case categorical && (n.zeroMissing() || n.cut != 0):
		return "a categorical split like a numeric one"
	case categorical && (n.set() != set || set >= len(m.sets)):
		return "levels out of order"
	case categorical && len(m.sets[set]) > (maxCode+64)/64:
		return "levels beyond the largest code"
	case !categorical && n.set() != 0:
		return "levels of a numeric column"
	}
	return ""
}
