package warehouse_test

import (
	"iter"
	"strings"
	"testing"

	"retain/internal/warehouse"
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
	for name, blocks := range map[string]func() iter.Seq2[*warehouse.Block, error]{
		"decoded": func() iter.Seq2[*warehouse.Block, error] { return w.Blocks(b.Context(), sql, nil) },
		"scanned": func() iter.Seq2[*warehouse.Block, error] { return w.ScanBlocks(b.Context(), sql) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rows := 0
				for block, err := range blocks() {
					if err != nil {
						b.Fatal(err)
					}
					rows += len(block.Float32s("c"))
				}
				if rows != 1_000_000 {
					b.Fatal(rows)
				}
			}
		})
	}
}

// BenchmarkInsert writes a million rows of four columns in one batch, whole columns at once and row by row.
func BenchmarkInsert(b *testing.B) {
	w := warehousetest.Open(b)
	if err := w.Conn().Exec(b.Context(), "CREATE TABLE bench (id String, x UInt64, y Float64, z Float32) ENGINE = MergeTree ORDER BY x"); err != nil {
		b.Fatal(err)
	}
	const n = 1_000_000
	id, x, y, z := make([]string, n), make([]uint64, n), make([]float64, n), make([]float32, n)
	for i := range n {
		id[i], x[i] = "customer", uint64(i)
	}
	b.Run("columns", func(b *testing.B) {
		for b.Loop() {
			batch, err := w.Conn().PrepareBatch(b.Context(), "INSERT INTO bench")
			if err != nil {
				b.Fatal(err)
			}
			for i, values := range []any{id, x, y, z} {
				if err := batch.Column(i).Append(values); err != nil {
					b.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("rows", func(b *testing.B) {
		for b.Loop() {
			batch, err := w.Conn().PrepareBatch(b.Context(), "INSERT INTO bench")
			if err != nil {
				b.Fatal(err)
			}
			for i := range n {
				if err := batch.Append(id[i], x[i], y[i], z[i]); err != nil {
					b.Fatal(err)
				}
			}
			if err := batch.Send(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
