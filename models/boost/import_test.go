package boost

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"retain/features"
	"retain/models"
)

// peer is what testdata/import/make.py wrote beside a model: what the library that trained it says of some rows.
type peer struct {
	Columns []struct {
		Name   string   `json:"name"`
		Levels []string `json:"levels"`
	} `json:"columns"`
	Rows          [][]*float32  `json:"rows"`
	Margin        []float64     `json:"margin"`
	Contributions [][]float64   `json:"contributions"` // of the columns, and last the base
	Interactions  [][][]float64 `json:"interactions"`  // of the first rows, or none
}

func readPeer(t *testing.T, name string) (*peer, *features.Matrix) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "import", name+".expect.json"))
	if err != nil {
		t.Fatal(err)
	}
	var p peer
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	var s features.Schema
	for _, c := range p.Columns {
		s = append(s, features.Column{Name: c.Name, Levels: c.Levels})
		if c.Levels != nil {
			s[len(s)-1].Kind = features.Categorical
		}
	}
	return &p, p.matrix(s)
}

// matrix is the rows as columns of s.
func (p *peer) matrix(s features.Schema) *features.Matrix {
	x := &features.Matrix{Schema: s}
	for j := range s {
		values := make([]float32, len(p.Rows))
		for i, row := range p.Rows {
			if values[i] = float32(math.NaN()); row[j] != nil {
				values[i] = *row[j]
			}
		}
		x.X = append(x.X, values)
	}
	return x
}

func mustRead(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "import", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// importer reads a file by its name's ending.
func importer(name string) func([]byte, features.Schema) (*Model, error) {
	if strings.HasSuffix(name, ".txt") {
		return ImportLightGBM
	}
	return ImportXGBoost
}

var peers = []string{
	"xgboost-numeric.json", "xgboost-exact.json", "xgboost-lossguide.json", "xgboost-levels.json", "xgboost-onehot.json", "xgboost-missing-alone.json",
	"xgboost1-numeric.json", "xgboost1-levels.json",
	"lightgbm-nan.txt", "lightgbm-levels.txt", "lightgbm-sigmoid.txt", "lightgbm-none.txt", "lightgbm-zero.txt",
}

// Trees sum in float32 there, in float64 here: XGBoost 1.7 and 3.2 and LightGBM 4.7 agree with us to some 1e-6.
func TestImportedModelsSayWhatTheirLibrariesSay(t *testing.T) {
	for _, name := range peers {
		t.Run(name, func(t *testing.T) {
			p, x := readPeer(t, strings.TrimSuffix(strings.TrimSuffix(name, ".json"), ".txt"))
			for _, s := range []features.Schema{x.Schema, nil} {
				m, err := importer(name)(mustRead(t, name), s)
				if err != nil {
					t.Fatal(err)
				}
				if s == nil && name == "xgboost1-levels.json" { // the file has codes only
					for k := range x.Schema[4].Levels {
						x.Schema[4].Levels[k] = strconv.Itoa(k)
					}
				}
				if !sameSchema(m.Schema(), x.Schema) {
					t.Fatalf("columns %v, want %v", m.Schema(), x.Schema)
				}
				again, err := Decode(mustEncode(t, m), m.Schema())
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range []*Model{m, again} {
					comparePeer(t, m, x, p)
				}
			}
		})
	}
}

func comparePeer(t *testing.T, m *Model, x *features.Matrix, p *peer) {
	t.Helper()
	const tolerance = 3e-6
	for i, v := range mustMargin(t, m, x) {
		if math.Abs(v-p.Margin[i]) > tolerance {
			t.Errorf("row %d: margin %v, there %v", i, v, p.Margin[i])
		}
	}
	phi := make([]float64, x.Rows()*x.Cols())
	base, err := m.Contributions(phi, x)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range p.Contributions {
		if math.Abs(base-want[x.Cols()]) > tolerance {
			t.Fatalf("base %v, there %v", base, want[x.Cols()])
		}
		for j := range x.Cols() {
			if got := phi[i*x.Cols()+j]; math.Abs(got-want[j]) > tolerance {
				t.Errorf("row %d, %s: contribution %v, there %v", i, x.Schema[j].Name, got, want[j])
			}
		}
	}
	checkAdditive(t, m, x)
}

func TestImportMatchesColumnsByName(t *testing.T) {
	for _, name := range []string{"xgboost-levels", "lightgbm-levels"} {
		file := name + ".json"
		if strings.HasPrefix(name, "lightgbm") {
			file = name + ".txt"
		}
		p, x := readPeer(t, name)
		// The same rows with their columns turned around, one more column, and the levels in another order with one unknown.
		other := &features.Matrix{Schema: features.Schema{{Name: "more"}}, X: [][]float32{make([]float32, x.Rows())}}
		for j := x.Cols() - 1; j >= 0; j-- {
			c, values := x.Schema[j], append([]float32(nil), x.X[j]...)
			if n := len(c.Levels); n > 0 {
				levels := []string{"unheard of"}
				for k := n - 1; k >= 0; k-- {
					levels = append(levels, c.Levels[k])
				}
				c.Levels = levels
				for i := range values {
					values[i] = float32(n) - values[i]
				}
			}
			other.Schema, other.X = append(other.Schema, c), append(other.X, values)
		}
		m, err := importer(file)(mustRead(t, file), other.Schema)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range mustMargin(t, m, other) {
			if math.Abs(v-p.Margin[i]) > 3e-6 {
				t.Errorf("%s, row %d: margin %v, there %v", name, i, v, p.Margin[i])
			}
		}
		lacking := other.Schema[:3]
		if _, err := importer(file)(mustRead(t, file), lacking); !errors.Is(err, models.ErrFeatureMismatch) {
			t.Errorf("%s: error %v for a schema without its columns, want ErrFeatureMismatch", name, err)
		}
	}
}

func TestImportRefusesWhatItCannotDo(t *testing.T) {
	xgb, lgb := "xgboost-numeric.json", "lightgbm-nan.txt"
	for _, c := range []struct{ name, file, old, new, want string }{
		{"a name twice", xgb, `"recency_days","usage"`, `"usage","usage"`, "two features"},
		{"dart", xgb, `"name":"gbtree"`, `"name":"dart"`, "gbtree"},
		{"another objective", xgb, `"binary:logistic"`, `"reg:squarederror"`, "binary:logistic"},
		{"classes", xgb, `"num_class":"0"`, `"num_class":"3"`, "3 classes"},
		{"targets", xgb, `"num_target":"1"`, `"num_target":"2"`, "2 targets"},
		{"vector leaves", xgb, `"size_leaf_vector":"1"`, `"size_leaf_vector":"2"`, "2 values"},
		{"a base of 1", xgb, `"base_score":"[5.96E-1]"`, `"base_score":"1E0"`, "base_score"},
		{"a circle", xgb, `"left_children":[1,3`, `"left_children":[1,0`, "nodes form none"},
		{"an infinite number of features", xgb, `"num_feature":"5","num_target"`, `"num_feature":"5000000000","num_target"`, "features"},
		{"half a node", xgb, `"left_children":[1,3`, `"left_children":[1,3.5`, "whole"},
		{"levels out of proportion", "xgboost1-levels.json", `"categories":[0`, `"categories":[65535`, "great codes"},
		{"binary", xgb, `{"learner"`, "{L\x00", "ends in .json"},
		{"an infinite leaf", lgb, "leaf_value=0.", "leaf_value=inf 0.", "leaf_value"},
		{"a forest", lgb, "objective=", "average_output\nobjective=", "random forest"},
		{"classes", lgb, "num_class=1", "num_class=3", "3 classes"},
		{"another objective", lgb, "objective=binary", "objective=regression", "binary"},
		{"linear trees", lgb, "is_linear=0", "is_linear=1", "linear"},
		{"an old version", lgb, "version=v4", "version=v2", "v3 and v4"},
		{"cut short", lgb, "end of trees", "", "end of trees"},
		{"a lost tree", lgb, "Tree=1", "Tree=2", "tree 1"},
		{"no text", lgb, "tree\n", "trees\n", "first line"},
		{"a circle", lgb, "left_child=1", "left_child=0", "nodes form none"},
		{"a missing type", lgb, "decision_type=2", "decision_type=14", "decision_type"},
	} {
		b := mustRead(t, c.file)
		if !bytes.Contains(b, []byte(c.old)) {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		_, err := importer(c.file)(bytes.Replace(b, []byte(c.old), []byte(c.new), 1), nil)
		if !errors.Is(err, ErrImport) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: error %v, want ErrImport with %q", c.name, c.file, err, c.want)
		}
	}
}

func TestImportOfInfiniteThresholds(t *testing.T) {
	// By hand: missing goes left to 1, every number right to 2; the other tree sends all numbers left.
	file := func(threshold string) string {
		return `{"learner":{"feature_names":["a \"Infinity\""],"feature_types":["float"],"gradient_booster":{"model":{"trees":[{"left_children":[1,-1,-1],
			"right_children":[2,-1,-1],"split_indices":[0,0,0],"split_conditions":[` + threshold + `,1,2],"default_left":[true,false,false],"loss_changes":[1,0,0],
			"sum_hessian":[2,1,1]}],"tree_info":[0]},"name":"gbtree"},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"1"},
			"objective":{"name":"binary:logistic"}},"version":[1,7,4]}`
	}
	nan := float32(math.NaN())
	for threshold, want := range map[string][3]float64{"-Infinity": {1, 2, 2}, "Infinity": {1, 1, 1}, "-3.4028235e38": {1, 2, 2}, "0": {1, 1, 2}} {
		m, err := ImportXGBoost([]byte(file(threshold)), nil)
		if err != nil {
			t.Fatal(err)
		}
		x := &features.Matrix{Schema: m.Schema(), X: [][]float32{{nan, -math.MaxFloat32, 0}}}
		if got := mustMargin(t, m, x); [3]float64(got) != want {
			t.Errorf("threshold %s: margins %v, want %v", threshold, got, want)
		}
	}
}
