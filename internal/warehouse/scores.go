package warehouse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ScoreRow is one row of scores. Figures that are undefined are NaN (percentile: 0).
type ScoreRow struct {
	CustomerID          string
	Status, StatusCode  string
	Stage               string // of the lifecycle; "" in runs of programs that had none
	Margin, Probability float64
	Percentile          uint8
	Band                string
	Value, Loss         float64
	PRepeat, PPromotes  float64 // of loyalty; NaN where no loyalty model scored
	ReasonFeatures      []string
	ReasonTexts         []string
	ReasonValues        []float64
	ReasonReferences    []float64
	ReasonContributions []float64
	Vector              []float32 // the encoded features; empty unless scored
}

// scoreBatch rows go in one insert: about 30 MB.
const scoreBatch = 50_000

// PutScores writes the rows of a run, which stay invisible until PutRun. Batches carry tokens, so that the same run written
// again, or by two at once, is there once.
func (w *Warehouse) PutScores(ctx context.Context, runID string, n int, row func(i int) ScoreRow) error {
	for lo := 0; lo < n; lo += scoreBatch {
		token := fmt.Sprintf("scores %s %d", runID, lo)
		if err := w.putScoreBatch(ctx, runID, token, lo, min(lo+scoreBatch, n), row); err != nil {
			return fmt.Errorf("write scores: %w", err)
		}
	}
	return nil
}

func (w *Warehouse) putScoreBatch(ctx context.Context, runID, token string, lo, hi int, row func(i int) ScoreRow) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO scores (run_id, customer_id, status, status_code, margin, churn_probability,
		percentile, band, expected_value, expected_loss, reason_features, reason_texts, reason_values, reason_references,
		reason_contributions, vector, p_repeat, p_promotes, stage)`)
	if err != nil {
		return err
	}
	for i := lo; i < hi; i++ {
		r := row(i)
		if err := batch.Append(runID, r.CustomerID, r.Status, r.StatusCode, r.Margin, r.Probability, r.Percentile, r.Band, r.Value,
			r.Loss, r.ReasonFeatures, r.ReasonTexts, r.ReasonValues, r.ReasonReferences, r.ReasonContributions, r.Vector, r.PRepeat, r.PPromotes, r.Stage); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// dropScores drops the rows of one run.
func (w *Warehouse) dropScores(ctx context.Context, runID string) error {
	if !hexID(runID) { // a partition is named by a literal: no parameter can stand there
		return fmt.Errorf("drop scores: %q is no run id", runID)
	}
	if err := w.Conn().Exec(ctx, `ALTER TABLE scores DROP PARTITION '`+runID+`'`); err != nil {
		return fmt.Errorf("drop scores of run %s: %w", runID, err)
	}
	return nil
}

func hexID(id string) bool {
	return id != "" && strings.Trim(id, "0123456789abcdef") == ""
}

const selectScore = `SELECT customer_id, status, status_code, stage, margin, churn_probability, percentile, band, expected_value,
	expected_loss, p_repeat, p_promotes, reason_features, reason_texts, reason_values, reason_references, reason_contributions `

// Scores streams all rows of a run in the order of customer_id, without their vectors.
func (w *Warehouse) Scores(ctx context.Context, runID string) iter.Seq2[ScoreRow, error] {
	return w.scanScores(ctx, selectScore+`FROM scores WHERE run_id = {run:String} ORDER BY customer_id`, clickhouse.Named("run", runID))
}

// Score is one customer's row of a run with its vector; ok is false if the run has no such customer.
func (w *Warehouse) Score(ctx context.Context, runID, customer string) (row ScoreRow, ok bool, err error) {
	rows, err := w.Conn().Query(ctx, selectScore+`, vector FROM scores WHERE run_id = {run:String} AND customer_id = {id:String} LIMIT 1`,
		clickhouse.Named("run", runID), clickhouse.Named("id", customer))
	if err != nil {
		return row, false, fmt.Errorf("read score: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return row, false, rows.Err()
	}
	return row, true, rows.Scan(append(row.fields(), &row.Vector)...)
}

// AtRisk says which scored customers to list, and in what order.
type AtRisk struct {
	Band          string  // empty = every band
	Stage         string  // of the lifecycle; empty = every stage
	MinValue      float64 // least expected value; NaN = any, known or not
	ByProbability bool    // order by margin, else by expected loss
	Limit         int
}

// AtRisk lists scored customers of a run, most expected loss first (unknown last), then margin, then id; and how many there are.
func (w *Warehouse) AtRisk(ctx context.Context, runID string, q AtRisk) (rows []ScoreRow, total uint64, err error) {
	where := ` FROM scores WHERE run_id = {run:String} AND status = 'scored'`
	args := []any{clickhouse.Named("run", runID)}
	if q.Band != "" {
		where += ` AND band = {band:String}`
		args = append(args, clickhouse.Named("band", q.Band))
	}
	if q.Stage != "" {
		where += ` AND stage = {stage:String}`
		args = append(args, clickhouse.Named("stage", q.Stage))
	}
	if !math.IsNaN(q.MinValue) {
		where += ` AND expected_value >= {min_value:Float64}`
		args = append(args, clickhouse.Named("min_value", fmt.Sprint(q.MinValue)))
	}
	if err := w.Conn().QueryRow(ctx, `SELECT count()`+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count at-risk customers: %w", err)
	}
	order := ` ORDER BY isNaN(expected_loss), expected_loss DESC, margin DESC, customer_id`
	if q.ByProbability {
		order = ` ORDER BY margin DESC, customer_id`
	}
	args = append(args, clickhouse.Named("limit", fmt.Sprint(q.Limit)))
	for row, err := range w.scanScores(ctx, selectScore+where+order+` LIMIT {limit:UInt64}`, args...) {
		if err != nil {
			return nil, 0, err
		}
		rows = append(rows, row)
	}
	return rows, total, nil
}

func (w *Warehouse) scanScores(ctx context.Context, query string, args ...any) iter.Seq2[ScoreRow, error] {
	return func(yield func(ScoreRow, error) bool) {
		rows, err := w.Conn().Query(ctx, query, args...)
		if err != nil {
			yield(ScoreRow{}, fmt.Errorf("read scores: %w", err))
			return
		}
		if err := yieldScores(rows, yield); err != nil {
			yield(ScoreRow{}, fmt.Errorf("read scores: %w", err))
		}
	}
}

// yieldScores returns an error that the consumer has not seen; none once the consumer has stopped.
func yieldScores(rows driver.Rows, yield func(ScoreRow, error) bool) error {
	for rows.Next() {
		var row ScoreRow
		if err := rows.Scan(row.fields()...); err != nil {
			return errors.Join(err, rows.Close())
		}
		if !yield(row, nil) {
			_ = rows.Close() // the consumer has what it wanted
			return nil
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// fields are the scan targets in the order of selectScore.
func (r *ScoreRow) fields() []any {
	return []any{&r.CustomerID, &r.Status, &r.StatusCode, &r.Stage, &r.Margin, &r.Probability, &r.Percentile, &r.Band, &r.Value, &r.Loss, &r.PRepeat, &r.PPromotes,
		&r.ReasonFeatures, &r.ReasonTexts, &r.ReasonValues, &r.ReasonReferences, &r.ReasonContributions}
}
