package boost

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"retain/features"
	"retain/models"
)

// ErrImport says that a model of another library cannot be read: it is damaged, or it does what this package does not.
var ErrImport = errors.New("boost: cannot import")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrImport, fmt.Sprintf(format, args...))
}

// imported is a model of another library while it is read.
type imported struct {
	*Model
	columns []int      // the place in the schema of each of its features
	codes   [][]uint32 // of each of its features: the code there of each level of the schema, noCode if it has none; nil: the same codes
	room    int        // bytes that may still be spent on levels, which a file can ask for out of proportion to its length
}

// noCode is the code of a level that the other library has never seen.
const noCode = math.MaxUint32

// feature is what a file says about one of its features.
type feature struct {
	name        string
	categorical bool
	levels      []string // level i has code i; nil: not told
	codes       int      // one more than the greatest code of its splits
}

// origin is what matters of the file as a whole.
type origin struct {
	named bool // it names its features
	bytes int  // its length
}

// newImported matches the features of a file with the columns of s: by name if the file names them, else by place. A nil s
// means columns as the file has them; levels that it does not name are called 0, 1, … up to the greatest code of any split.
func newImported(file []feature, s features.Schema, from origin) (*imported, error) {
	m := &imported{columns: make([]int, len(file)), codes: make([][]uint32, len(file)), room: 1<<20 + 16*from.bytes}
	if s == nil {
		for _, f := range file {
			if m.room -= f.codes * 32; m.room < 0 { // a string with its text
				return nil, refuse("its levels have no names and great codes: give a schema that lists them")
			}
		}
		s = schemaOf(file)
	} else {
		s = slices.Clone(s)
	}
	m.Model = &Model{schema: s}
	named := from.named
	if !named && len(file) != len(s) {
		return nil, fmt.Errorf("%w: the file has %d features without names, the schema %d columns", models.ErrFeatureMismatch, len(file), len(s))
	}
	at := make(map[string]int, len(s))
	for j := range s {
		at[s[j].Name] = j
	}
	twice := make(map[string]bool, len(file))
	for k, f := range file {
		j := k
		if named {
			if twice[f.name] {
				return nil, refuse("it has two features %q", f.name)
			}
			twice[f.name] = true
			var ok bool
			if j, ok = at[f.name]; !ok {
				return nil, fmt.Errorf("%w: the file's feature %q is no column of the schema", models.ErrFeatureMismatch, f.name)
			}
		}
		m.columns[k] = j
		switch c := &s[j]; {
		case f.categorical && c.Kind != features.Categorical:
			return nil, fmt.Errorf("%w: column %q is numeric, the file's feature is categorical", models.ErrFeatureMismatch, c.Name)
		case f.categorical && len(c.Levels) == 0:
			return nil, fmt.Errorf("%w: column %q lists no levels, which the file's splits need", models.ErrFeatureMismatch, c.Name)
		case f.categorical && f.levels != nil:
			m.codes[k] = codesOf(c.Levels, f.levels)
		}
	}
	return m, nil
}

func schemaOf(file []feature) features.Schema {
	s := make(features.Schema, len(file))
	for k, f := range file {
		s[k] = features.Column{Name: f.name}
		if !f.categorical {
			continue
		}
		s[k].Kind, s[k].Levels = features.Categorical, slices.Clone(f.levels)
		for code := len(f.levels); code < max(f.codes, 1) && f.levels == nil; code++ {
			s[k].Levels = append(s[k].Levels, strconv.Itoa(code))
		}
	}
	return s
}

// codesOf returns the code in theirs of each level of ours.
func codesOf(ours, theirs []string) []uint32 {
	at := make(map[string]uint32, len(theirs))
	for code, l := range theirs {
		at[l] = uint32(code)
	}
	codes := make([]uint32, len(ours))
	for i, l := range ours {
		code, ok := at[l]
		if !ok {
			code = noCode
		}
		codes[i] = code
	}
	return codes
}

// foreign is a node of another library's tree.
type foreign struct {
	node
	left, right int // places of the children in the tree
	set         levels
}

// split makes a split on feature k of the file.
func (m *imported) split(k, left, right int) (foreign, error) {
	if k < 0 || k >= len(m.columns) {
		return foreign{}, refuse("a split of feature %d of %d", k, len(m.columns))
	}
	return foreign{node: node{column: int32(m.columns[k])}, left: left, right: right}, nil
}

// threshold makes f a numeric split: values up to cut go left. A cut below all numbers sends them right, that is, its
// children change sides.
func (m *imported) threshold(f *foreign, cut float32, missingLeft bool) error {
	if c := &m.schema[f.column]; c.Kind != features.Numeric {
		return fmt.Errorf("%w: column %q is categorical, the file splits it by a threshold", models.ErrFeatureMismatch, c.Name)
	}
	switch {
	case cut != cut:
		return refuse("a threshold is not a number")
	case cut < -math.MaxFloat32:
		f.left, f.right = f.right, f.left
		missingLeft, cut = !missingLeft, math.MaxFloat32
	case cut > math.MaxFloat32:
		cut = math.MaxFloat32
	}
	f.cut = cut
	if missingLeft {
		f.rule = ruleMissingLeft
	}
	return nil
}

// levels makes f a categorical split: of feature k of the file, the codes for which in is true go left.
func (m *imported) levels(f *foreign, k int, in func(code int) bool, missingLeft bool) error {
	c := &m.schema[f.column]
	if c.Kind != features.Categorical || len(c.Levels) == 0 {
		return fmt.Errorf("%w: the file splits column %q by levels, of which the schema lists none", models.ErrFeatureMismatch, c.Name)
	}
	f.rule = ruleCategorical
	if missingLeft {
		f.rule |= ruleMissingLeft
	}
	f.set = newLevels(len(c.Levels))
	if m.room -= 8 * len(f.set); m.room < 0 {
		return refuse("its splits by the %d levels of column %q take more room than the file can ask for", len(c.Levels), c.Name)
	}
	for code := range c.Levels {
		theirs := code
		if m.codes[k] != nil {
			theirs = int(m.codes[k][code])
		}
		if theirs != noCode && in(theirs) {
			f.set.put(code)
		}
	}
	return nil
}

// leastCover stands for the weight of a leaf that no training row reached: the explanations divide by it.
const leastCover = 1e-9

// leaf makes a leaf of a value in log-odds, with the weight of the training rows that reached it.
func (m *imported) leaf(value, cover float64) (foreign, error) {
	f := foreign{node: node{column: -1, cut: float32(value), weight: float32(max(cover, leastCover))}, left: -1, right: -1}
	if f.cut-f.cut != 0 || f.weight-f.weight != 0 || cover < 0 {
		return foreign{}, refuse("a leaf of value %v and weight %v", value, cover)
	}
	return f, nil
}

// grow adds a tree whose root is its first node, in preorder. Nodes that cannot be reached are left out.
func (m *imported) grow(tree []foreign) error {
	if len(tree) == 0 {
		return refuse("a tree without nodes")
	}
	if len(m.nodes)+len(tree) > math.MaxInt32 || len(m.sets)+len(tree) > math.MaxUint32>>ruleBits {
		return refuse("too many nodes")
	}
	m.roots = append(m.roots, int32(len(m.nodes)))
	type step struct{ at, parent int } // parent: the place in m.nodes whose right child it is, or -1
	met := make([]bool, len(tree))
	for todo := []step{{0, -1}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.at < 0 || s.at >= len(tree) || met[s.at] {
			return refuse("a tree whose nodes form none")
		}
		met[s.at] = true
		if s.parent >= 0 {
			m.nodes[s.parent].right = int32(len(m.nodes))
		}
		f, n := &tree[s.at], tree[s.at].node
		if n.categorical() && !n.leaf() {
			n.rule |= uint32(len(m.sets)) << ruleBits
			m.sets = append(m.sets, f.set)
		}
		m.nodes = append(m.nodes, n)
		if !n.leaf() {
			todo = append(todo, step{f.right, len(m.nodes) - 1}, step{f.left, -1})
		}
	}
	return nil
}

// done returns the model if it is one.
func (m *imported) done() (*Model, error) {
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrImport, err)
	}
	return m.Model, nil
}

// atMost returns the greatest float32 that is not above v, so that x <= v and x <= atMost(v) are the same for every float32 x.
func atMost(v float64) float32 {
	c := float32(v)
	if float64(c) > v {
		c = math.Nextafter32(c, float32(math.Inf(-1)))
	}
	return c
}
