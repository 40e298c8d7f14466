package training

import (
	"encoding/json"
	"slices"
	"testing"

	"retain/features"
)

// Lists without elements are [] in JSON, never null: the reader of a document may go through them unasked.
func TestEmptyListsAreNotNull(t *testing.T) {
	o := testOptions(t)
	w := newWorld(100, 8)
	w.effect = 0 // no column tells more than the recency: nothing to warn of
	trained, err := train(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	tested, err := backtest(t.Context(), w, o, w.cutoffs[:3], w.cutoffs[6:7])
	if err != nil {
		t.Fatal(err)
	}
	s, y := w.rows(w.cutoffs[0])
	flat := (&features.Dataset{X: s.X, Y: y, Customer: s.Customer}).Take(slices.DeleteFunc(all(len(y)), func(i int) bool { return y[i] != y[i] }))
	crossed, err := crossValidate(t.Context(), flat, nil, FlatOptions{Folds: 2, Progress: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	for name, report := range map[string]any{"train": trained, "backtest": tested, "crossval": crossed} {
		blob, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(blob, &fields); err != nil {
			t.Fatal(err)
		}
		for key, value := range fields {
			if string(value) == "null" {
				t.Errorf("%s: %s is null", name, key)
			}
		}
	}
}

// all are the row numbers 0..n-1.
func all(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}
