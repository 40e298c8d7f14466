package warehouse_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// putVectors writes a run of scored customers with the given vectors and margins, and a few who are not scored.
func putVectors(t testing.TB, w *warehouse.Warehouse, run string, vectors [][]float32, margins []float64) {
	t.Helper()
	err := w.PutScores(t.Context(), run, len(vectors)+3, func(i int) warehouse.ScoreRow {
		if i >= len(vectors) {
			return warehouse.ScoreRow{CustomerID: "z" + string(rune('a'+i-len(vectors))), Status: "already_churned", Margin: math.NaN()}
		}
		return warehouse.ScoreRow{CustomerID: "c" + strings.Repeat("i", i%7) + string(rune('a'+i%26)), Status: "scored", Margin: margins[i], Vector: vectors[i]}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Counts in the warehouse are those of a loop over the same rows.
func TestCountColumns(t *testing.T) {
	w := warehousetest.Open(t)
	rng := rand.New(rand.NewPCG(1, 2))
	const rows, columns = 500, 7
	cuts := [][]float64{{-1, 0, .5}, {}, {0, 1, 2, 3}, {float64(float32(.1))}, {1e-30, 1e30}, {-.25, .25}, {5}}
	marginCuts := []float64{-1.5, 0, 1.5}
	vectors, margins := make([][]float32, rows), make([]float64, rows)
	for i := range vectors {
		margins[i] = rng.NormFloat64()
		vectors[i] = make([]float32, columns)
		for j := range columns {
			switch v := rng.NormFloat64(); {
			case rng.IntN(10) == 0 || j == 6:
				vectors[i][j] = float32(math.NaN())
			case j == 2:
				vectors[i][j] = float32(rng.IntN(5)) // values at the cuts
			case j == 3:
				vectors[i][j] = []float32{.1, .2}[rng.IntN(2)]
			default:
				vectors[i][j] = float32(v)
			}
		}
	}
	const run = "abcdef0123456789"
	putVectors(t, w, run, vectors, margins)
	got, err := w.CountColumns(t.Context(), run, cuts, marginCuts)
	if err != nil {
		t.Fatal(err)
	}
	count := func(cuts []float64, value func(i int) float64) []uint64 {
		bins := make([]uint64, len(cuts)+2)
		for i := range rows {
			v, b := value(i), len(cuts)+1
			if v == v {
				for b = 0; b < len(cuts) && v > cuts[b]; b++ {
				}
			}
			bins[b]++
		}
		return bins
	}
	if got.Rows != rows {
		t.Errorf("%d rows", got.Rows)
	}
	if want := count(marginCuts, func(i int) float64 { return margins[i] }); !slices.Equal(got.Margin, want) {
		t.Errorf("margin %v, want %v", got.Margin, want)
	}
	for j := range columns {
		if want := count(cuts[j], func(i int) float64 { return float64(vectors[i][j]) }); !slices.Equal(got.Columns[j], want) {
			t.Errorf("column %d: %v, want %v", j, got.Columns[j], want)
		}
	}
	if _, err := w.CountColumns(t.Context(), run, cuts[1:], nil); err == nil {
		t.Error("vectors of another model were counted")
	}
	if none, err := w.CountColumns(t.Context(), "0000", cuts, nil); err != nil || none.Rows != 0 || none.Columns[0][0] != 0 {
		t.Errorf("a run without rows: %+v, %v", none, err)
	}
}

func BenchmarkCountColumns(b *testing.B) {
	w := warehousetest.Open(b)
	rng := rand.New(rand.NewPCG(1, 2))
	const rows, columns = 200_000, 100
	if err := w.PutScores(b.Context(), "abcdef", rows, func(int) warehouse.ScoreRow {
		r := warehouse.ScoreRow{CustomerID: "c", Status: "scored", Margin: rng.NormFloat64(), Vector: make([]float32, columns)}
		for j := range r.Vector {
			r.Vector[j] = float32(rng.NormFloat64())
		}
		return r
	}); err != nil {
		b.Fatal(err)
	}
	cuts := make([][]float64, columns)
	for j := range cuts {
		for k := range 9 {
			cuts[j] = append(cuts[j], float64(k-4)*.3)
		}
	}
	for b.Loop() {
		if _, err := w.CountColumns(b.Context(), "abcdef", cuts, cuts[0]); err != nil {
			b.Fatal(err)
		}
	}
}
