package boost

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"retain/features"
	"retain/models"
)

// checkImport says what must hold of any bytes: an error of a known kind, or a model that survives its file and can be used.
func checkImport(t *testing.T, m *Model, err error) {
	t.Helper()
	if err != nil {
		if !errors.Is(err, ErrImport) && !errors.Is(err, models.ErrFeatureMismatch) {
			t.Fatalf("an error of no known kind: %v", err)
		}
		return
	}
	x := &features.Matrix{Schema: m.Schema()}
	nan := float32(math.NaN())
	for _, c := range x.Schema {
		values := []float32{nan, 0, 0, 0, 0}
		if c.Kind == features.Numeric {
			copy(values[1:], []float32{-1, 1e-36, math.MaxFloat32, 3})
		} else {
			values[4] = float32(len(c.Levels) - 1)
		}
		x.X = append(x.X, values)
	}
	again, err := Decode(mustEncode(t, m), m.Schema())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.WriteJSON(new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	if x.Cols() == 0 || x.Cols() > 100 {
		return
	}
	a, b := mustMargin(t, m, x), mustMargin(t, again, x)
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			t.Fatalf("row %d: margin %v, after encoding %v", i, a[i], b[i])
		}
	}
	if _, err := m.Contributions(make([]float64, x.Rows()*x.Cols()), x); err != nil {
		t.Fatal(err)
	}
}

func FuzzImportXGBoost(f *testing.F) {
	f.Add([]byte(`{"learner":{"feature_names":["a","b"],"feature_types":["float","c"],"gradient_booster":{"model":{"trees":[{"left_children":[1,-1,3,-1,-1],
"right_children":[2,-1,4,-1,-1],"split_indices":[0,0,1,0,0],"split_conditions":[1.5,1,0,-2,3],"default_left":[1,0,0,0,0],"loss_changes":[9,0,2,0,0],
"sum_hessian":[9,4,5,2,3],"split_type":[0,0,1,0,0],"categories":[0,2],"categories_nodes":[2],"categories_segments":[0],"categories_sizes":[2],
"tree_param":{"size_leaf_vector":"1"}}],"tree_info":[0],"cats":{"enc":[{"offsets":[],"values":[]},{"offsets":[0,1,2,3],"values":[97,98,99]}]}},"name":"gbtree"},
"learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"binary:logistic"}},"version":[3,2,0]}`))
	f.Add([]byte(`{"learner":{"gradient_booster":{"model":{"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[0,0,0],
"split_conditions":[-Infinity,1,2],"default_left":[true,false,false],"loss_changes":[1,0,0],"sum_hessian":[2,1,0]}]},"name":"gbtree"},
"learner_model_param":{"base_score":"5E-1","num_feature":"1"},"objective":{"name":"binary:logistic"}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ImportXGBoost(b, nil)
		checkImport(t, m, err)
		m, err = ImportXGBoost(b, features.Schema{{Name: "b", Kind: features.Categorical, Levels: []string{"c", "d", "a"}}, {Name: "a"}})
		checkImport(t, m, err)
	})
}

func FuzzImportLightGBM(f *testing.F) {
	f.Add([]byte(`tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1
objective=binary sigmoid:1
feature_names=a b
feature_infos=[-1:2] 2:0:1

Tree=0
num_leaves=4
num_cat=1
split_feature=0 1 0
split_gain=3 2 1
threshold=0.5 0 -1.0000000180025095e-35
decision_type=10 9 6
left_child=1 -1 -2
right_child=2 -3 -4
leaf_value=0.25 -0.5 1 2
leaf_count=5 6 7 8
cat_boundaries=0 1
cat_threshold=5
is_linear=0


end of trees

pandas_categorical:[["x","y","z"]]
`))
	f.Add([]byte("tree\nversion=v3\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=0\nobjective=binary\nfeature_names=Column_0\n\nTree=0\nnum_leaves=1\nleaf_value=-2\n\nend of trees\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ImportLightGBM(b, nil)
		checkImport(t, m, err)
		m, err = ImportLightGBM(b, features.Schema{{Name: "b", Kind: features.Categorical, Levels: []string{"z", "d", "x"}}, {Name: "a"}})
		checkImport(t, m, err)
	})
}
