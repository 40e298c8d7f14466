package boost

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"retain/features"
)

// walkDump adds up what a reader of the dump would, for one row.
func walkDump(t *testing.T, d *Dump, s features.Schema, row []float32) float64 {
	t.Helper()
	sum := d.Base
	for _, tree := range d.Trees {
		n := &tree[0]
		for n.Value == nil {
			j := 0
			for s[j].Name != n.Column {
				j++
			}
			v, left := row[j], n.Missing == "left"
			switch {
			case v != v || n.ZeroIsMissing && v == 0:
			case n.Levels != nil:
				left = false
				for _, l := range n.Levels {
					left = left || l == s[j].Levels[int(v)]
				}
			case n.AtMost == nil:
				left = true
			default:
				left = v <= *n.AtMost
			}
			if left {
				n = &tree[n.Left]
			} else {
				n = &tree[n.Right]
			}
		}
		sum += float64(*n.Value)
	}
	return sum
}

func TestDumpSaysWhatTheModelDoes(t *testing.T) {
	d := sample(2000, 70)
	found := map[string]*Model{"ours": mustFit(t, small, d)}
	rows := map[string]*features.Matrix{"ours": d.X.Slice(0, 100)}
	for _, name := range []string{"xgboost-levels", "lightgbm-zero"} {
		file := name + ".json"
		if strings.HasPrefix(name, "lightgbm") {
			file = name + ".txt"
		}
		_, x := readPeer(t, name)
		m, err := importer(file)(mustRead(t, file), x.Schema)
		if err != nil {
			t.Fatal(err)
		}
		found[name], rows[name] = m, x
	}
	for name, m := range found {
		var text bytes.Buffer
		if err := m.WriteJSON(&text); err != nil {
			t.Fatal(err)
		}
		var read Dump
		if err := json.Unmarshal(text.Bytes(), &read); err != nil {
			t.Fatal(err)
		}
		if want := m.Dump(); !reflect.DeepEqual(read, want) {
			t.Fatalf("%s: the JSON is not that of Dump", name)
		}
		x := rows[name]
		for i, want := range mustMargin(t, m, x) {
			if got := walkDump(t, &read, m.schema, rowOf(x, i)); math.Abs(got-want) > 1e-12 {
				t.Fatalf("%s, row %d: %v by the dump, %v by the model", name, i, got, want)
			}
		}
	}
}

func TestDumpIsLegible(t *testing.T) {
	m := &Model{
		schema: features.Schema{{Name: "recency_days"}, {Name: "plan", Kind: features.Categorical, Levels: []string{"basic", "plus", "team"}}},
		base:   -1.5, roots: []int32{0}, sets: []levels{{0b101}},
		nodes: []node{
			{column: 0, right: 4, cut: 30.5, weight: 12.25, rule: ruleMissingLeft},
			{column: 1, right: 3, weight: 2, rule: ruleCategorical},
			{column: -1, cut: -0.25, weight: 60}, {column: -1, cut: 0.1, weight: 20},
			{column: 0, right: 6, cut: math.MaxFloat32, weight: 1}, {column: -1, cut: 0.5, weight: 10}, {column: -1, cut: 0.75, weight: 10},
		},
	}
	var got bytes.Buffer
	if err := m.WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"base":-1.5,"columns":["recency_days","plan"],"trees":[
[
{"node":0,"depth":0,"rule":"recency_days <= 30.5","column":"recency_days","at_most":30.5,"missing":"left","left":1,"right":4,"gain":12.25,"rows":100},
{"node":1,"depth":1,"rule":"plan is basic or team","column":"plan","levels":["basic","team"],"missing":"right","left":2,"right":3,"gain":2,"rows":80},
{"node":2,"depth":2,"value":-0.25,"rows":60},
{"node":3,"depth":2,"value":0.1,"rows":20},
{"node":4,"depth":1,"rule":"recency_days is known","column":"recency_days","missing":"right","left":5,"right":6,"gain":1,"rows":20},
{"node":5,"depth":2,"value":0.5,"rows":10},
{"node":6,"depth":2,"value":0.75,"rows":10}]]}
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
