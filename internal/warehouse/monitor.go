package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Runs lists the visible runs of a kind, greatest cutoff first, then latest finish: the first one is in force.
func (w *Warehouse) Runs(ctx context.Context, kind string) (list []RunRow, err error) {
	rows, err := w.Conn().Query(ctx, selectRun+`WHERE kind = {kind:String} AND (run_id, finished_at) IN (SELECT run_id, min(finished_at) FROM runs GROUP BY run_id)
		ORDER BY cutoff DESC, finished_at DESC, run_id LIMIT 1 BY run_id`, clickhouse.Named("kind", kind))
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r RunRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		r.Cutoff, r.FinishedAt = r.Cutoff.UTC(), r.FinishedAt.UTC()
		list = append(list, r)
	}
	return list, rows.Err()
}

// Scored are the scored customers of a run: ids in the order of bytes, margins and calibrated probabilities.
func (w *Warehouse) Scored(ctx context.Context, runID string) (customer []string, margin, probability []float64, err error) {
	for b, err := range w.Blocks(ctx, `SELECT customer_id, margin, churn_probability FROM scores WHERE run_id = {run:String} AND status = 'scored' ORDER BY customer_id`,
		clickhouse.Parameters{"run": Text(runID)}) {
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read scores: %w", err)
		}
		customer = append(customer, b.Strings("customer_id")...)
		margin = append(margin, b.Float64s("margin")...)
		probability = append(probability, b.Float64s("churn_probability")...)
	}
	return customer, margin, probability, nil
}

// ScoredColumns are columns of the stored vectors of the scored customers of a run, by their positions from 0: ids in the order of bytes, and the values by column.
func (w *Warehouse) ScoredColumns(ctx context.Context, runID string, positions []int) (customer []string, columns [][]float32, err error) {
	names := make([]string, len(positions))
	var q strings.Builder
	q.WriteString("SELECT customer_id")
	for k, at := range positions {
		names[k] = "x" + strconv.Itoa(k)
		fmt.Fprintf(&q, ", vector[%d] AS %s", at+1, names[k])
	}
	q.WriteString("\nFROM scores\nWHERE run_id = {run:String} AND status = 'scored'\nORDER BY customer_id")
	columns = make([][]float32, len(positions))
	for b, err := range w.Blocks(ctx, q.String(), clickhouse.Parameters{"run": Text(runID)}) {
		if err != nil {
			return nil, nil, fmt.Errorf("read vectors: %w", err)
		}
		customer = append(customer, b.Strings("customer_id")...)
		for k, name := range names {
			columns[k] = append(columns[k], b.Float32s(name)...)
		}
	}
	return customer, columns, nil
}

// ColumnCounts are the scored customers of a run counted by bins: per encoded feature in the order of its model's schema, and by margin. Bin b of a column holds
// cuts[b-1] < x ≤ cuts[b], the last but one what lies beyond the last cut, the last one missing values.
type ColumnCounts struct {
	Rows    uint64
	Columns [][]uint64 // len(cuts)+2 each
	Margin  []uint64
}

// CountColumns counts the scored customers of a run between the cuts of each column, rising and finite, and of the margin, in one pass over its rows. A column without
// cuts is counted by having a value or none.
func (w *Warehouse) CountColumns(ctx context.Context, runID string, cuts [][]float64, margin []float64) (c ColumnCounts, err error) {
	c.Columns = make([][]uint64, len(cuts))
	var q strings.Builder
	q.WriteString("SELECT count(), countIf(length(vector) != " + strconv.Itoa(len(cuts)) + "), [countIf(isNaN(margin))")
	above := func(column string, cuts []float64) {
		for _, cut := range cuts {
			q.WriteString(", countIf(" + column + " > " + strconv.FormatFloat(cut, 'g', -1, 64) + ")")
		}
	}
	above("margin", margin)
	for j, own := range cuts {
		column := "vector[" + strconv.Itoa(j+1) + "]"
		q.WriteString(",\ncountIf(isNaN(" + column + "))")
		above(column, own)
	}
	q.WriteString("]\nFROM scores\nWHERE run_id = {run:String} AND status = 'scored'")
	// A hundred features of ten bins are a thousand counts: more words than a query usually has, and compiling them takes longer than running them.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(LongStatement(clickhouse.Settings{"compile_expressions": 0, "compile_aggregate_expressions": 0})))
	var others uint64
	var counts []uint64
	if err := w.Conn().QueryRow(ctx, q.String(), clickhouse.Named("run", runID)).Scan(&c.Rows, &others, &counts); err != nil {
		return c, fmt.Errorf("count values of run %s: %w", runID, err)
	}
	if others > 0 {
		return c, fmt.Errorf("count values of run %s: %d customers have not the %d values of the model that scored them", runID, others, len(cuts))
	}
	take := func(n int) []uint64 { // from "missing, beyond the first cut, beyond the second, …" to bins
		bins := make([]uint64, n+2)
		bins[n+1] = counts[0]
		left := c.Rows - counts[0]
		for b, beyond := range counts[1 : n+1] {
			bins[b] = left - beyond
			left = beyond
		}
		bins[n] = left
		counts = counts[n+1:]
		return bins
	}
	c.Margin = take(len(margin))
	for j := range cuts {
		c.Columns[j] = take(len(cuts[j]))
	}
	return c, nil
}
