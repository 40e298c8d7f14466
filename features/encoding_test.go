package features

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var nan32 = float32(math.NaN())

// repeat makes a column out of (code, rows) pairs.
func repeat(pairs ...float32) []float32 {
	var x []float32
	for i := 0; i < len(pairs); i += 2 {
		x = append(x, slices.Repeat([]float32{pairs[i]}, int(pairs[i+1]))...)
	}
	return x
}

func TestFitEncoding(t *testing.T) {
	m := &Matrix{
		Schema: Schema{
			{Name: "numbers", Definition: "d"}, {Name: "nothing"}, {Name: "constant"}, {Name: "constant_or_missing"},
			{Name: "levels", Kind: Categorical, Levels: []string{"a", "b", "other", "rare"}},
			{Name: "ids", Kind: Categorical, Levels: []string{"x", "y", "z"}},
			{Name: "one_level", Kind: Categorical, Levels: []string{"only"}},
		},
		X: [][]float32{
			repeat(1, 20, 2, 20), repeat(nan32, 40), repeat(3, 40), repeat(3, 20, nan32, 20),
			repeat(1, 10, 0, 11, 3, 9, 2, 9, nan32, 1), repeat(0, 9, 1, 9, 2, 9, nan32, 13), repeat(0, 40),
		},
	}
	e, dropped := FitEncoding(m)
	want := Schema{
		{Name: "numbers", Definition: "d"}, {Name: "constant_or_missing"},
		{Name: "levels", Kind: Categorical, Levels: []string{"a", "b", "other"}},
	}
	if d := cmp.Diff(want, e.Schema()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Dropped{
		{"nothing", "every value is missing"}, {"constant", "every row has the same value"},
		{"ids", "no level has 10 rows"}, {"one_level", "every row has the same value"},
	}, dropped); d != "" {
		t.Error(d)
	}
	x, err := e.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(x.X[2]), fmt.Sprint(repeat(1, 10, 0, 11, 2, 9, 2, 9, nan32, 1)); got != want {
		t.Errorf("codes %s, want %s", got, want)
	}
}

func TestFitEncodingDropsTwins(t *testing.T) {
	m := &Matrix{
		Schema: Schema{{Name: "first"}, {Name: "twin"}, {Name: "missing_elsewhere"}, {Name: "code", Kind: Categorical, Levels: []string{"a", "b", "c"}}},
		X: [][]float32{
			repeat(1, 20, 2, 19, nan32, 1), repeat(1, 20, 2, 19, nan32, 1), repeat(1, 20, 2, 20),
			repeat(1, 20, 2, 19, nan32, 1), // a level is no number: equal codes are no twin
		},
	}
	e, dropped := FitEncoding(m)
	if d := cmp.Diff([]Dropped{{"twin", "the same as first in every row"}}, dropped); d != "" {
		t.Error(d)
	}
	if len(e.Schema()) != 3 {
		t.Errorf("kept %v", e.Schema())
	}
}

func TestFitEncodingKeepsTheMostFrequentLevels(t *testing.T) {
	c := Column{Name: "c", Kind: Categorical}
	var x []float32
	for i := range 80 {
		c.Levels = append(c.Levels, fmt.Sprintf("l%02d", i))
		x = append(x, repeat(float32(i), float32(10+i%7))...)
	}
	e, _ := FitEncoding(&Matrix{Schema: Schema{c}, X: [][]float32{x}})
	kept := e.Schema()[0].Levels
	if len(kept) != 64 || kept[63] != OtherLevel || !slices.IsSorted(kept[:63]) {
		t.Fatalf("%d levels: %q", len(kept), kept)
	}
	if slices.Contains(kept, "l77") || !slices.Contains(kept, "l76") { // l77 has 10 rows, l76 has 16
		t.Errorf("kept %q", kept)
	}
}

func TestEncodingApply(t *testing.T) {
	train := &Matrix{Schema: Schema{{Name: "n", Definition: "d"}, {Name: "c", Kind: Categorical, Levels: []string{"a", "b"}}}, X: [][]float32{repeat(1, 10, 2, 10), repeat(0, 10, 1, 10)}}
	e, _ := FitEncoding(train)
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Encoding)
	if err := json.Unmarshal(b, again); err != nil {
		t.Fatal(err)
	}
	if again.Schema().Fingerprint() != e.Schema().Fingerprint() {
		t.Error("the fingerprint did not survive JSON")
	}
	x, err := again.Apply(&Matrix{Schema: Schema{{Name: "unknown"}, {Name: "c", Kind: Categorical, Levels: []string{"b", "new"}}}, X: [][]float32{{9, 9, 9}, {0, 1, nan32}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(x.X); got != "[[NaN NaN NaN] [1 2 NaN]]" {
		t.Error(got)
	}
	for name, column := range map[string]Column{
		"another definition": {Name: "n", Definition: "e"}, "another kind": {Name: "n", Definition: "d", Kind: Categorical},
	} {
		if _, err := e.Apply(&Matrix{Schema: Schema{column}, X: [][]float32{{1}}}); !errors.Is(err, ErrDefinition) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"columns":[{"name":"c","kind":1,"levels":["a"]}]}`), again); err == nil {
		t.Error("levels without other passed")
	}
}

func TestStack(t *testing.T) {
	c := func(levels ...string) Schema {
		return Schema{{Name: "n"}, {Name: "c", Kind: Categorical, Levels: levels}}
	}
	a := &Matrix{Schema: c("b", "d"), X: [][]float32{{1, 2}, {1, nan32}}}
	b := &Matrix{Schema: c("a", "b"), X: [][]float32{{3}, {0}}}
	got, err := Stack(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(got.Schema[1].Levels, got.X); s != "[a b d] [[1 2 3] [2 NaN 0]]" {
		t.Error(s)
	}
	if _, err := Stack(a, &Matrix{Schema: Schema{{Name: "n"}, {Name: "c"}}, X: [][]float32{{3}, {0}}}); !errors.Is(err, ErrDefinition) {
		t.Error(err)
	}
}

func TestExportCSV(t *testing.T) {
	s := &Snapshot{Cutoff: time.Unix(0, 0), Customer: []string{"a", "b,\"c\""}, X: &Matrix{
		Schema: Schema{{Name: "n"}, {Name: "c", Kind: Categorical, Levels: []string{"red"}}}, X: [][]float32{{1.5, nan32}, {nan32, 0}}}}
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := s.ExportCSV(path, []float64{1, math.NaN()}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "customer_id,n,c,label\na,1.5,,1\n\"b,\"\"c\"\"\",,red,\n"; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	var b bytes.Buffer
	if err := s.WriteCSV(&b, nil); err != nil || b.String() != "customer_id,n,c\na,1.5,\n\"b,\"\"c\"\"\",,red\n" {
		t.Error(err, b.String())
	}
	if err := s.ExportCSV(path, []float64{1}); err == nil {
		t.Error("one label for two customers passed")
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".x.csv.*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
