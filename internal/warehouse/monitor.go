package warehouse

import (
	"context"
	"errors"
	"fmt"

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
		if err := rows.Scan(&r.RunID, &r.Kind, &r.Cutoff, &r.Artifact, &r.ModelName, &r.ModelVersion, &r.HorizonDays, &r.Customers, &r.Scored,
			&r.ByStatus, &r.Hindsight, &r.StartedAt, &r.FinishedAt, &r.Seconds); err != nil {
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

// MissingCounts counts, for each encoded feature of a run in the order of its model's schema, the scored customers without a value.
func (w *Warehouse) MissingCounts(ctx context.Context, runID string) (missing []uint64, rows uint64, err error) {
	if err := w.Conn().QueryRow(ctx, `SELECT sumForEach(arrayMap(x -> toUInt64(isNaN(x)), vector)), count() FROM scores
		WHERE run_id = {run:String} AND status = 'scored'`, clickhouse.Named("run", runID)).Scan(&missing, &rows); err != nil {
		return nil, 0, fmt.Errorf("count missing values: %w", err)
	}
	return missing, rows, nil
}
