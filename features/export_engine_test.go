package features

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse/warehousetest"
)

// A reader that shares no code with the writer, ClickHouse's own, sees the types, the values and what is missing.
func TestExportParquetForOthers(t *testing.T) {
	nan := float32(math.NaN())
	s := &Snapshot{
		Cutoff: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), Customer: []string{"a", "b", "it's"},
		X: &Matrix{
			Schema: Schema{{Name: "spend"}, {Name: "plan", Kind: Categorical, Levels: []string{"basic", "pro"}}, {Name: "none"}},
			X:      [][]float32{{1.5, nan, -3}, {1, nan, 0}, {nan, nan, nan}},
		},
	}
	path := filepath.Join(t.TempDir(), "features.parquet")
	if err := s.ExportParquet(path, []float64{1, 0, float64(nan)}); err != nil {
		t.Fatal(err)
	}
	db := warehousetest.Open(t)
	ask := func(query string) string {
		t.Helper()
		var got string
		if err := db.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil {
			t.Fatal(err)
		}
		return got
	}
	from := " FROM file(" + QuoteText(path) + ", Parquet)"
	row := "arrayStringConcat([customer_id, ifNull(toString(spend), '∅'), ifNull(plan, '∅'), ifNull(toString(none), '∅'), ifNull(toString(label), '∅')], ' ')"
	if got, want := ask("SELECT arrayStringConcat(groupArray("+row+"), '; ')"+from), "a 1.5 pro ∅ 1; b ∅ ∅ ∅ 0; it's -3 basic ∅ ∅"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	types := ask("SELECT arrayStringConcat([toTypeName(customer_id), toTypeName(spend), toTypeName(plan), toTypeName(label)], ', ')" + from + " LIMIT 1")
	if want := "Float32), Nullable(String), Nullable(Int8)"; !strings.Contains(types, want) {
		t.Errorf("types %s, want %s", types, want)
	}
}
