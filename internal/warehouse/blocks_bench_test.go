package warehouse_test

import (
	"strings"
	"testing"

	"retain/internal/warehouse/warehousetest"
)

// BenchmarkBlocks reads a million rows of 60 Float32 columns, the shape of a feature matrix.
func BenchmarkBlocks(b *testing.B) {
	w := warehousetest.Open(b)
	columns := make([]string, 60)
	for i := range columns {
		columns[i] = "toFloat32(number) AS c" + strings.Repeat("x", i)
	}
	sql := "SELECT " + strings.Join(columns, ", ") + " FROM numbers(1000000)"
	for b.Loop() {
		rows := 0
		for block, err := range w.Blocks(b.Context(), sql, nil) {
			if err != nil {
				b.Fatal(err)
			}
			rows += len(block.Float32s("c"))
		}
		if rows != 1_000_000 {
			b.Fatal(rows)
		}
	}
}
