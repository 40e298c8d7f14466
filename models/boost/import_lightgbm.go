package boost

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"retain/features"
)

// ImportLightGBM reads a model that LightGBM 3 or 4 has saved as text, for rows of schema s (as ImportXGBoost takes it).
// Its margins are log-odds, sigmoid times Booster.predict(raw_score=True), with leaf values rounded to float32; its
// contributions are those of pred_contrib likewise, weighed by leaf_count.
//
// Read are models of objective binary, with numeric splits (values up to the threshold go left), categorical splits (levels of
// the set go left, all others and missing values right), and the three ways in which LightGBM reads missing values: NaN (a
// learned direction), None (a missing value is 0) and Zero (zeros are missing too).
//
// Levels are matched by name where pandas has named them as text, else by code.
//
// Errors: ErrImport for another objective, several classes, random forests (average_output), linear trees, and damage;
// models.ErrFeatureMismatch for columns that do not match. It takes room in proportion to b.
func ImportLightGBM(b []byte, s features.Schema) (*Model, error) {
	if first, _, _ := bytes.Cut(b, []byte("\n")); string(bytes.TrimSpace(first)) != "tree" {
		return nil, refuse("its first line is not \"tree\": this is no text model of LightGBM")
	}
	text := string(b)
	body, after, whole := strings.Cut(text, "\nend of trees")
	if !whole {
		return nil, refuse("the line \"end of trees\" is missing")
	}
	parts := strings.Split(body, "\nTree=")
	head, err := newLgbHead(newLgbSection(parts[0]))
	if err != nil {
		return nil, err
	}
	trees := make([]lgbTree, len(parts)-1)
	for k, part := range parts[1:] {
		number, rest, _ := strings.Cut(part, "\n")
		if strings.TrimSpace(number) != strconv.Itoa(k) {
			return nil, refuse("tree %q where tree %d should be", number, k)
		}
		if trees[k], err = newLgbTree(newLgbSection(rest)); err != nil {
			return nil, err
		}
	}
	file := head.features(trees, after)
	m, err := newImported(file, s, origin{named: head.named, bytes: len(b)})
	if err != nil {
		return nil, err
	}
	for k := range trees {
		tree, err := trees[k].read(m, head.sigmoid)
		if err != nil {
			return nil, err
		}
		if err := m.grow(tree); err != nil {
			return nil, err
		}
	}
	return m.done()
}

// lgbSection is lines of the form key=value. A line without = is a key.
type lgbSection map[string]string

func newLgbSection(text string) lgbSection {
	s := lgbSection{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		s[key] = value
	}
	return s
}

// numbers reads a list of numbers parted by spaces.
func (s lgbSection) numbers(key string) ([]float64, error) {
	fields := strings.Fields(s[key])
	out := make([]float64, len(fields))
	for i, f := range fields {
		x, err := strconv.ParseFloat(f, 64)
		if err != nil && !math.IsInf(x, 0) || x != x {
			return nil, refuse("%s: %q is no number", key, f)
		}
		out[i] = x
	}
	return out, nil
}

// whole reads a list of whole numbers of 32 bits parted by spaces.
func (s lgbSection) whole(key string) ([]int, error) {
	fields := strings.Fields(s[key])
	out := make([]int, len(fields))
	for i, f := range fields {
		x, err := strconv.ParseInt(f, 10, 64)
		if err != nil || x < math.MinInt32 || x > math.MaxUint32 {
			return nil, refuse("%s: %q is no whole number", key, f)
		}
		out[i] = int(x)
	}
	return out, nil
}

// lgbHead is what is read of a file's first section.
type lgbHead struct {
	names   []string
	named   bool // false if LightGBM made the names: Column_0, Column_1, …
	infos   []string
	sigmoid float64
}

func newLgbHead(s lgbSection) (*lgbHead, error) {
	h := &lgbHead{names: strings.Fields(s["feature_names"]), infos: strings.Fields(s["feature_infos"]), sigmoid: 1}
	objective := strings.Fields(s["objective"])
	_, averaged := s["average_output"]
	switch v := s["version"]; {
	case v != "v3" && v != "v4":
		return nil, refuse("the version is %q, read are v3 and v4", v)
	case averaged:
		return nil, refuse("it averages its trees (a random forest), only sums are read")
	case s["num_class"] != "1" || s["num_tree_per_iteration"] != "1":
		return nil, refuse("it has %s classes and %s trees a round, want 1 and 1", s["num_class"], s["num_tree_per_iteration"])
	case len(objective) == 0 || objective[0] != "binary":
		return nil, refuse("the objective is %q, only binary is read", s["objective"])
	}
	for _, f := range objective[1:] {
		if v, ok := strings.CutPrefix(f, "sigmoid:"); ok {
			x, err := strconv.ParseFloat(v, 64)
			if err != nil || !(x > 0 && x <= math.MaxFloat32) {
				return nil, refuse("sigmoid is %q, want a positive number", v)
			}
			h.sigmoid = x
		}
	}
	if last, err := strconv.Atoi(s["max_feature_idx"]); err != nil || last != len(h.names)-1 {
		return nil, refuse("max_feature_idx is %q, the file names %d features", s["max_feature_idx"], len(h.names))
	}
	for k, name := range h.names {
		h.named = h.named || name != "Column_"+strconv.Itoa(k)
	}
	return h, nil
}

// features lists the file's features. Categorical are those that a tree splits by levels and those whose feature_infos lists
// levels, 3:0:1, where a numeric feature has its range, [-1:2]; pandas' names of levels stand at the end of the file, for one
// categorical feature after the other.
func (h *lgbHead) features(trees []lgbTree, after string) []feature {
	file := make([]feature, len(h.names))
	for k := range file {
		file[k].name = h.names[k]
		if k < len(h.infos) && h.infos[k] != "none" && !strings.HasPrefix(h.infos[k], "[") {
			file[k].categorical = true
			for code := range strings.SplitSeq(h.infos[k], ":") {
				if c, err := strconv.Atoi(code); err == nil {
					file[k].codes = max(file[k].codes, min(c, maxCode)+1)
				}
			}
		}
	}
	for _, t := range trees {
		for i, k := range t.feature {
			if t.decision[i]&lgbCategorical != 0 && k >= 0 && k < len(file) {
				file[k].categorical = true
				file[k].codes = max(file[k].codes, min(32*len(t.set(i)), maxCode+1))
			}
		}
	}
	_, list, ok := strings.Cut(after, "\npandas_categorical:")
	var names [][]any
	if !ok || json.Unmarshal([]byte(strings.TrimSpace(list)), &names) != nil {
		return file
	}
	// A constant categorical column has no levels in feature_infos: then the lists cannot be told apart.
	next, categorical := 0, 0
	for _, f := range file {
		if f.categorical {
			categorical++
		}
	}
	if categorical != len(names) {
		return file
	}
	for k := range file {
		if file[k].categorical {
			file[k].levels = texts(names[next])
			next++
		}
	}
	return file
}

// texts returns the values if all are texts, else nil.
func texts(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		t, ok := v.(string)
		if !ok {
			return nil
		}
		out[i] = t
	}
	return out
}

// The bits of decision_type.
const (
	lgbCategorical = 1
	lgbDefaultLeft = 2
	lgbMissing     = 3 << 2 // one of:
	lgbMissingNone = 0 << 2
	lgbMissingZero = 1 << 2
	lgbMissingNaN  = 2 << 2
)

// lgbTree is a tree as arrays by split, and by leaf; a child below 0 is the leaf ^child.
type lgbTree struct {
	feature, decision, left, right []int
	threshold, gain                []float64
	value, cover                   []float64
	setEnds                        []int // of the categorical splits; the threshold is the place in it
	words                          []int // of 32 bits
}

func newLgbTree(s lgbSection) (t lgbTree, err error) {
	leaves, err := strconv.Atoi(s["num_leaves"])
	if err != nil || leaves < 1 {
		return t, refuse("num_leaves is %q", s["num_leaves"])
	}
	if v := s["is_linear"]; v != "" && v != "0" {
		return t, refuse("it has linear trees")
	}
	read := func(key string, want int, into *[]int) {
		if err == nil {
			if *into, err = s.whole(key); err == nil && want >= 0 && len(*into) != want {
				err = refuse("%s has %d values, want %d", key, len(*into), want)
			}
		}
	}
	measure := func(key string, want int, into *[]float64) {
		if err == nil {
			if *into, err = s.numbers(key); err == nil && len(*into) != want {
				err = refuse("%s has %d values, want %d", key, len(*into), want)
			}
		}
	}
	read("split_feature", leaves-1, &t.feature)
	read("decision_type", leaves-1, &t.decision)
	read("left_child", leaves-1, &t.left)
	read("right_child", leaves-1, &t.right)
	measure("threshold", leaves-1, &t.threshold)
	measure("split_gain", leaves-1, &t.gain)
	measure("leaf_value", leaves, &t.value)
	if leaves == 1 && strings.TrimSpace(s["leaf_count"]) == "" {
		t.cover = []float64{1} // a constant tree weighs nothing
	} else {
		measure("leaf_count", leaves, &t.cover)
	}
	read("cat_boundaries", -1, &t.setEnds)
	read("cat_threshold", -1, &t.words)
	return t, err
}

// set returns the words of the i-th split's levels, nil if they lie outside.
func (t *lgbTree) set(i int) []int {
	k := t.threshold[i]
	if !(k >= 0 && k < float64(len(t.setEnds)-1)) {
		return nil
	}
	lo, hi := t.setEnds[int(k)], t.setEnds[int(k)+1]
	if lo < 0 || lo > hi || hi > len(t.words) {
		return nil
	}
	return t.words[lo:hi]
}

func (t *lgbTree) read(m *imported, sigmoid float64) ([]foreign, error) {
	splits := len(t.feature)
	tree := make([]foreign, 0, 2*splits+1)
	place := func(child int) int { // leaves follow the splits
		if child < 0 {
			return splits + ^child
		}
		return child
	}
	for i := range splits {
		f, err := m.split(t.feature[i], place(t.left[i]), place(t.right[i]))
		if err != nil {
			return nil, err
		}
		f.weight = float32(t.gain[i])
		if err := t.rule(m, &f, i); err != nil {
			return nil, err
		}
		tree = append(tree, f)
	}
	for i, v := range t.value {
		f, err := m.leaf(sigmoid*v, t.cover[i])
		if err != nil {
			return nil, err
		}
		tree = append(tree, f)
	}
	return tree, nil
}

// rule gives f what the i-th split asks.
func (t *lgbTree) rule(m *imported, f *foreign, i int) error {
	d := t.decision[i]
	if d&lgbCategorical != 0 {
		words := t.set(i)
		if words == nil {
			return refuse("the levels of a split lie outside the list")
		}
		in := func(code int) bool { return code>>5 < len(words) && words[code>>5]>>(code&31)&1 == 1 }
		return m.levels(f, t.feature[i], in, false)
	}
	if d < 0 || d > lgbCategorical|lgbDefaultLeft|lgbMissing {
		return refuse("decision_type %d", d)
	}
	missingLeft, cut := d&lgbDefaultLeft != 0, atMost(t.threshold[i])
	switch d & lgbMissing {
	case lgbMissingNone:
		missingLeft = t.threshold[i] >= 0 // a missing value is 0
	case lgbMissingZero, lgbMissingNaN:
	default:
		return refuse("decision_type %d", d)
	}
	if err := m.threshold(f, cut, missingLeft); err != nil {
		return err
	}
	if d&lgbMissing == lgbMissingZero {
		f.rule |= ruleZeroMissing
	}
	return nil
}
