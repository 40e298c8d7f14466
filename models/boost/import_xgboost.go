package boost

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"retain/features"
)

// ImportXGBoost reads a model that XGBoost 1.6 or later has saved as JSON, for rows of schema s (see below). Its margins are
// those of Booster.predict(output_margin=True) up to the rounding of XGBoost's float32 sums; its contributions are those of
// pred_contribs likewise, since leaves keep the sums of hessians by which XGBoost weighs them.
//
// Read are boosters gbtree with objective binary:logistic, with numeric splits (values below the threshold go left),
// categorical splits (levels of the set go right) and learned directions for missing values. All trees count, also those after
// best_iteration: use Truncate(best_iteration+1) for XGBoost's iteration_range.
//
// Features are matched with the columns of s by name if the file names them, else by place; columns that the file does not
// name are allowed and without effect. Levels are matched by name if the file names them, else by code. A nil s takes the
// columns from the file.
//
// Errors: ErrImport for another booster (dart, gblinear) or objective, several classes or outputs, XGBoost's binary forms
// (save as .json), and damage; models.ErrFeatureMismatch for columns that do not match. It takes room in proportion to b.
func ImportXGBoost(b []byte, s features.Schema) (*Model, error) {
	if t := bytes.TrimLeft(b, " \t\r\n"); len(t) < 2 || t[0] != '{' || bytes.IndexByte([]byte("\" \t\r\n}"), t[1]) < 0 {
		return nil, refuse("it is no JSON: let XGBoost save the model under a name that ends in .json")
	}
	var f xgbFile
	if err := json.Unmarshal(finiteTokens(b), &f); err != nil {
		return nil, refuse("XGBoost's JSON: %v", err)
	}
	l := &f.Learner
	if err := l.supported(); err != nil {
		return nil, err
	}
	base, err := l.base()
	if err != nil {
		return nil, err
	}
	file, err := l.features()
	if err != nil {
		return nil, err
	}
	m, err := newImported(file, s, origin{named: len(l.FeatureNames) > 0, bytes: len(b)})
	if err != nil {
		return nil, err
	}
	m.base = base
	for k := range l.Booster.Model.Trees {
		tree, err := l.Booster.Model.Trees[k].read(m)
		if err != nil {
			return nil, err
		}
		if err := m.grow(tree); err != nil {
			return nil, err
		}
	}
	return m.done()
}

// xgbFile is what is read of XGBoost's JSON (its doc/model.schema).
type xgbFile struct {
	Learner xgbLearner `json:"learner"`
}

type xgbLearner struct {
	FeatureNames []string `json:"feature_names"`
	FeatureTypes []string `json:"feature_types"` // c is categorical
	Booster      struct {
		Name  string `json:"name"`
		Model struct {
			Trees []xgbTree `json:"trees"`
			Info  []int     `json:"tree_info"` // the class of each tree
			Cats  struct {
				Levels []xgbLevels `json:"enc"` // of each feature, since 3.1
			} `json:"cats"`
		} `json:"model"`
	} `json:"gradient_booster"`
	Param struct {
		BaseScore string `json:"base_score"`
		Classes   string `json:"num_class"`
		Features  string `json:"num_feature"`
		Targets   string `json:"num_target"`
	} `json:"learner_model_param"`
	Objective struct {
		Name string `json:"name"`
	} `json:"objective"`
}

func (l *xgbLearner) supported() error {
	switch {
	case l.Booster.Name == "":
		return refuse("no gradient_booster: this is no model of XGBoost")
	case l.Booster.Name != "gbtree":
		return refuse("the booster is %q, only gbtree is read", l.Booster.Name)
	case l.Objective.Name != "binary:logistic":
		return refuse("the objective is %q, only binary:logistic is read", l.Objective.Name)
	case l.Param.Classes != "" && l.Param.Classes != "0" && l.Param.Classes != "1":
		return refuse("it has %s classes", l.Param.Classes)
	case l.Param.Targets != "" && l.Param.Targets != "0" && l.Param.Targets != "1":
		return refuse("it has %s targets", l.Param.Targets)
	}
	for _, class := range l.Booster.Model.Info {
		if class != 0 {
			return refuse("it has a tree of class %d", class)
		}
	}
	return nil
}

// base is the log-odds of base_score, a probability written as 5E-1 or, since 3.1, as [5E-1].
func (l *xgbLearner) base() (float64, error) {
	text := strings.TrimSuffix(strings.TrimPrefix(l.Param.BaseScore, "["), "]")
	p, err := strconv.ParseFloat(text, 32)
	if err != nil || !(p > 0 && p < 1) {
		return 0, refuse("base_score is %q, want a probability", l.Param.BaseScore)
	}
	return math.Log(p) - math.Log1p(-p), nil
}

// features lists the file's features: their names, or f0, f1, …, as XGBoost calls them.
func (l *xgbLearner) features() ([]feature, error) {
	n, err := strconv.Atoi(l.Param.Features)
	names, types, levels := l.FeatureNames, l.FeatureTypes, l.Booster.Model.Cats.Levels
	switch {
	case err != nil || n < 0:
		return nil, refuse("num_feature is %q", l.Param.Features)
	case len(names) > 0 && len(names) != n || len(types) > 0 && len(types) != n || len(levels) > 0 && len(levels) != n:
		return nil, refuse("%d names, %d types and %d lists of levels for %d features", len(names), len(types), len(levels), n)
	}
	// Features without names take no room in the file, so that it could ask for any number of them.
	if n > len(names) && n > 1<<16 {
		return nil, refuse("%d features without names, at most %d are read", n, 1<<16)
	}
	file := make([]feature, n)
	for k := range file {
		file[k].name = "f" + strconv.Itoa(k)
		if len(names) > 0 {
			file[k].name = names[k]
		}
		file[k].categorical = len(types) > 0 && types[k] == "c"
		if len(levels) > 0 {
			file[k].levels = levels[k]
		}
	}
	for _, t := range l.Booster.Model.Trees {
		for i, k := range t.Segments.trimmed(len(t.Nodes)) {
			codes := t.codes(i, int(k))
			feature := t.feature(i)
			if feature < 0 || feature >= n {
				continue // read finds it
			}
			file[feature].categorical = true
			for _, c := range codes {
				file[feature].codes = max(file[feature].codes, min(int(c), maxCode)+1)
			}
		}
	}
	return file, nil
}

// xgbTree is a tree as arrays by node; leaves have no left child and their value for a threshold.
type xgbTree struct {
	Left        numbers `json:"left_children"`
	Right       numbers `json:"right_children"`
	Feature     numbers `json:"split_indices"`
	Threshold   numbers `json:"split_conditions"`
	DefaultLeft numbers `json:"default_left"`
	Gain        numbers `json:"loss_changes"`
	Hessian     numbers `json:"sum_hessian"`
	Type        numbers `json:"split_type"` // 1 is categorical; absent before 1.3
	Codes       numbers `json:"categories"`
	Nodes       numbers `json:"categories_nodes"`
	Segments    numbers `json:"categories_segments"`
	Sizes       numbers `json:"categories_sizes"`
	Param       struct {
		LeafSize string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// trimmed returns the first n numbers, or all if there are fewer.
func (v numbers) trimmed(n int) numbers { return v[:min(n, len(v))] }

// at returns v[i], or -1 beyond its end.
func (v numbers) at(i int) float64 {
	if i < 0 || i >= len(v) {
		return -1
	}
	return v[i]
}

// whole says whether all are whole numbers of 32 bits.
func (v numbers) whole() bool {
	for _, x := range v {
		if x != math.Trunc(x) || math.Abs(x) > math.MaxInt32 {
			return false
		}
	}
	return true
}

// feature returns the feature of the i-th categorical split, or -1.
func (t *xgbTree) feature(i int) int { return int(t.Feature.at(int(t.Nodes.at(i)))) }

// codes returns the codes of the i-th categorical split, which begin at a place of t.Codes; nil if they lie outside.
func (t *xgbTree) codes(i, from int) numbers {
	size := int(t.Sizes.at(i))
	if from < 0 || size < 0 || from > len(t.Codes) || size > len(t.Codes)-from {
		return nil
	}
	return t.Codes[from : from+size]
}

func (t *xgbTree) read(m *imported) ([]foreign, error) {
	n := len(t.Left)
	for _, v := range []numbers{t.Right, t.Feature, t.Threshold, t.DefaultLeft, t.Gain, t.Hessian} {
		if len(v) != n {
			return nil, refuse("a tree's arrays differ in length")
		}
	}
	if len(t.Type) != 0 && len(t.Type) != n || len(t.Segments) != len(t.Nodes) || len(t.Sizes) != len(t.Nodes) {
		return nil, refuse("a tree's arrays differ in length")
	}
	if s := t.Param.LeafSize; s != "" && s != "0" && s != "1" {
		return nil, refuse("leaves of %s values", s)
	}
	for _, v := range []numbers{t.Left, t.Right, t.Feature, t.Codes, t.Nodes, t.Segments, t.Sizes} {
		if !v.whole() {
			return nil, refuse("a place in a tree is no whole number")
		}
	}
	sets := make(map[int]numbers, len(t.Nodes))
	for i, node := range t.Nodes {
		codes := t.codes(i, int(t.Segments[i]))
		if codes == nil {
			return nil, refuse("the levels of a split lie outside the list")
		}
		sets[int(node)] = codes
	}
	tree := make([]foreign, n)
	for i := range tree {
		var err error
		if t.Left[i] < 0 {
			if tree[i], err = m.leaf(t.Threshold[i], t.Hessian[i]); err != nil {
				return nil, err
			}
			continue
		}
		if tree[i], err = m.split(int(t.Feature[i]), int(t.Left[i]), int(t.Right[i])); err != nil {
			return nil, err
		}
		tree[i].weight = float32(t.Gain[i])
		missingLeft := t.DefaultLeft[i] != 0
		if len(t.Type) == 0 || t.Type[i] == 0 {
			below := math.Nextafter32(float32(t.Threshold[i]), float32(math.Inf(-1))) // x < c is x <= the number before c
			if t.Threshold[i] > math.MaxFloat32 {
				below = math.MaxFloat32
			}
			if err := m.threshold(&tree[i], below, missingLeft); err != nil {
				return nil, err
			}
			continue
		}
		in := make(map[int]bool, len(sets[i]))
		for _, c := range sets[i] {
			in[int(c)] = true
		}
		tree[i].left, tree[i].right = tree[i].right, tree[i].left // the set goes right there, left here
		if err := m.levels(&tree[i], int(t.Feature[i]), func(code int) bool { return in[code] }, !missingLeft); err != nil {
			return nil, err
		}
	}
	return tree, nil
}

// numbers is a JSON array of numbers of float32 precision, of null, read as NaN, or of booleans, read as 0 and 1.
type numbers []float64

// UnmarshalJSON reads the array.
func (v *numbers) UnmarshalJSON(b []byte) error {
	text := bytes.TrimSpace(b)
	if bytes.Equal(text, []byte("null")) {
		return nil
	}
	if len(text) < 2 || text[0] != '[' {
		return refuse("an array of numbers is none")
	}
	text = bytes.TrimSpace(text[1 : len(text)-1])
	out := make(numbers, 0, bytes.Count(text, []byte(","))+1)
	for len(text) > 0 {
		token, rest, _ := bytes.Cut(text, []byte(","))
		text = rest
		switch s := string(bytes.TrimSpace(token)); s {
		case "true":
			out = append(out, 1)
		case "false":
			out = append(out, 0)
		case "null":
			out = append(out, math.NaN())
		default:
			x, err := strconv.ParseFloat(s, 32)
			if err != nil && math.Abs(x) <= math.MaxFloat32 { // beyond its range it is infinite
				return refuse("%q is no number", s)
			}
			out = append(out, x)
		}
	}
	*v = out
	return nil
}

// xgbLevels is the names of a categorical feature's levels: a string for each, cut from one list of bytes, or numbers.
type xgbLevels []string

// UnmarshalJSON reads {"offsets": […], "values": [bytes]} or {"type": …, "values": [numbers]}.
func (v *xgbLevels) UnmarshalJSON(b []byte) error {
	var enc struct {
		Offsets []uint32 `json:"offsets"`
		Values  numbers  `json:"values"`
	}
	if err := json.Unmarshal(b, &enc); err != nil {
		return err
	}
	if enc.Offsets == nil {
		for _, x := range enc.Values {
			*v = append(*v, strconv.FormatFloat(x, 'g', -1, 32))
		}
		return nil
	}
	text := make([]byte, len(enc.Values))
	for i, c := range enc.Values {
		text[i] = byte(int(c))
	}
	for i := 1; i < len(enc.Offsets); i++ {
		lo, hi := enc.Offsets[i-1], enc.Offsets[i]
		if lo > hi || int(hi) > len(text) {
			return refuse("the names of levels lie outside the list")
		}
		*v = append(*v, string(text[lo:hi]))
	}
	return nil
}

// finiteTokens replaces the words that XGBoost writes and JSON has not: Infinity by a number beyond all ranges, NaN by null.
// XGBoost 1 writes NaN for the thresholds that categorical splits have not.
func finiteTokens(b []byte) []byte {
	words := map[string]string{"Infinity": "1e999", "NaN": "null"}
	if !bytes.Contains(b, []byte("Infinity")) && !bytes.Contains(b, []byte("NaN")) {
		return b
	}
	out := make([]byte, 0, len(b)+len(b)/2)
	inString := false
next:
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case inString && c == '\\' && i+1 < len(b):
			out = append(out, c)
			i++
		case c == '"':
			inString = !inString
		case !inString && (c == 'I' || c == 'N'):
			for word, instead := range words {
				if bytes.HasPrefix(b[i:], []byte(word)) {
					out = append(out, instead...)
					i += len(word) - 1
					continue next
				}
			}
		}
		out = append(out, b[i])
	}
	return out
}
