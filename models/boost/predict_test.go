package boost

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"retain/features"
)

// walked is the margins by a walk from root to leaf: the definition.
func walked(m *Model, x *features.Matrix) []float64 {
	out := slices.Repeat([]float64{m.base}, x.Rows())
	m.walkAll(out, x)
	return out
}

// Scoring by bit slices gives the margins of a walk, bit for bit, for any number of rows.
func TestSlicesAreWalks(t *testing.T) {
	d := sample(3000, 100)
	fresh := sample(700, 101)
	fresh.X.X[4][3] = 5 // the last level
	for _, tr := range []Trainer{
		{Trees: 1, Leaves: 2},
		{Trees: 25, Leaves: 63},
		{Trees: 10, Leaves: 200, MinRows: 1},
		{Trees: 5, Leaves: 700, MinRows: 1}, // more leaves than slices take
		{Trees: 3, LearningRate: 1e-9, MinRows: 3000},
	} {
		m := mustFit(t, tr, d)
		for _, n := range []int{0, 1, 15, 16, 63, 64, 65, 700} {
			x := fresh.X.Slice(0, n)
			want := walked(m, x)
			if got := mustMargin(t, m, x); !slices.Equal(got, want) {
				t.Fatalf("%+v, %d rows: other margins than by walking", tr, n)
			}
			checkRowByRow(t, m, x, want)
		}
	}
}

// Codes that training never saw, zeros that count as missing and columns of many cuts, which only imports have.
func TestSlicesOfOddModels(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	schema := features.Schema{{Name: "x"}, {Name: "city", Kind: features.Categorical}}
	m := &Model{schema: schema, base: 0.25}
	for range 300 {
		set := newLevels(64 * (1 + rng.IntN(3)))
		for range 20 {
			set.put(rng.IntN(64 * len(set)))
		}
		m.sets = append(m.sets, set)
		at := int32(len(m.nodes))
		m.roots = append(m.roots, at)
		m.nodes = append(m.nodes,
			node{column: 0, right: at + 4, cut: float32(rng.NormFloat64()), rule: uint32(rng.IntN(4))},
			node{column: 1, right: at + 3, rule: ruleCategorical | uint32(rng.IntN(2)) | uint32(len(m.sets)-1)<<ruleBits},
			node{column: -1, cut: rng.Float32()}, node{column: -1, cut: rng.Float32()},
			node{column: -1, cut: rng.Float32()})
	}
	n := 1000
	x := &features.Matrix{Schema: schema, X: [][]float32{make([]float32, n), make([]float32, n)}}
	for i := range n {
		x.X[0][i], x.X[1][i] = float32(rng.NormFloat64()), float32(rng.IntN(300))
		switch rng.IntN(6) {
		case 0:
			x.X[0][i] = 0
		case 1:
			x.X[0][i] = m.nodes[m.roots[rng.IntN(300)]].cut
		case 2:
			x.X[0][i], x.X[1][i] = float32(math.NaN()), float32(math.NaN())
		}
	}
	want := walked(m, x)
	if got := mustMargin(t, m, x); !slices.Equal(got, want) {
		t.Fatal("other margins than by walking")
	}
	checkRowByRow(t, m, x, want)
}

func checkRowByRow(t *testing.T, m *Model, x *features.Matrix, want []float64) {
	t.Helper()
	for i := range want {
		got, err := m.MarginOf(rowOf(x, i))
		if err != nil {
			t.Fatal(err)
		}
		if got != want[i] {
			t.Fatalf("row %d alone has the margin %v, among others %v", i, got, want[i])
		}
	}
}

func TestMarginOfRefusesOddRows(t *testing.T) {
	m := mustFit(t, Trainer{Trees: 3}, sample(300, 102))
	for name, row := range map[string][]float32{
		"too short": {1}, "infinite": {1, 2, float32(math.Inf(-1)), 4, 0}, "no code": {1, 2, 3, 4, 6}, "half a code": {1, 2, 3, 4, 0.5},
	} {
		if _, err := m.MarginOf(row); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMarginOfDoesNotAllocate(t *testing.T) {
	d := sample(500, 103)
	m := mustFit(t, Trainer{Trees: 20}, d)
	row := rowOf(d.X, 7)
	if n := testing.AllocsPerRun(200, func() { _, _ = m.MarginOf(row) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMarginOf(b *testing.B) {
	d := wide(20000, 9, 51)
	m := mustFit(b, Trainer{Trees: 200, Leaves: 63}, d)
	b.Run("row", func(b *testing.B) {
		row := rowOf(d.X, 3)
		for b.Loop() {
			if _, err := m.MarginOf(row); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, n := range []int{1, 64, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := d.X.Slice(0, n)
			out := make([]float64, n)
			for b.Loop() {
				if err := m.Margin(out, x); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}
