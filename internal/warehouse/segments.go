package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// SegmentSet is one row of segment_sets: the groups that were found among the customers of a cutoff.
type SegmentSet struct {
	ID        string
	Cutoff    time.Time
	Document  string
	Customers uint64
	MadeAt    time.Time
}

// segmentBatch rows go in one insert: some 20 MB.
const segmentBatch = 200_000

// PutSegments writes the segment of each customer, unless the set is there, and drops sets of months more than 24 before it. Batches carry
// tokens, so that what a killed process has written, or two at once, is there once.
func (w *Warehouse) PutSegments(ctx context.Context, set SegmentSet, customer, segment []string) error {
	var there uint64
	if err := w.Conn().QueryRow(ctx, `SELECT count() FROM segment_sets WHERE set_id = {set:String}`, clickhouse.Named("set", set.ID)).Scan(&there); err != nil {
		return fmt.Errorf("read segments: %w", err)
	}
	if there > 0 {
		return nil
	}
	for lo := 0; lo < len(customer); lo += segmentBatch {
		hi := min(lo+segmentBatch, len(customer))
		if err := w.putSegmentBatch(ctx, set, lo, customer[lo:hi], segment[lo:hi]); err != nil {
			return fmt.Errorf("write segments: %w", err)
		}
	}
	token := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "segment set " + set.ID}))
	batch, err := w.Conn().PrepareBatch(token, `INSERT INTO segment_sets (set_id, cutoff, document, customers, made_at)`)
	if err != nil {
		return fmt.Errorf("write segments: %w", err)
	}
	if err := batch.Append(set.ID, set.Cutoff, set.Document, uint64(len(customer)), set.MadeAt); err != nil {
		return fmt.Errorf("write segments: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write segments: %w", err)
	}
	return w.pruneSegments(ctx, set.Cutoff)
}

func (w *Warehouse) putSegmentBatch(ctx context.Context, set SegmentSet, lo int, customer, segment []string) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": fmt.Sprintf("segments %s %d", set.ID, lo)}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO segments (set_id, cutoff, customer_id, segment)`)
	if err != nil {
		return err
	}
	ids, cutoffs := make([]string, len(customer)), make([]time.Time, len(customer))
	for i := range ids {
		ids[i], cutoffs[i] = set.ID, set.Cutoff
	}
	for i, column := range []any{ids, cutoffs, customer, segment} {
		if err := batch.Column(i).Append(column); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// SegmentSet is the set of the greatest cutoff up to and including until, of several the one made last; ok is false without any.
func (w *Warehouse) SegmentSet(ctx context.Context, until time.Time) (s SegmentSet, ok bool, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT set_id, cutoff, document, customers, made_at FROM segment_sets
		WHERE cutoff <= {until:DateTime64(3, 'UTC')} ORDER BY cutoff DESC, made_at DESC, set_id LIMIT 1`, clickhouse.Named("until", Instant(until)))
	if err != nil {
		return s, false, fmt.Errorf("read segments: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return s, false, rows.Err()
	}
	if err := rows.Scan(&s.ID, &s.Cutoff, &s.Document, &s.Customers, &s.MadeAt); err != nil {
		return s, false, fmt.Errorf("read segments: %w", err)
	}
	s.Cutoff, s.MadeAt = s.Cutoff.UTC(), s.MadeAt.UTC()
	return s, true, nil
}

// Segments reads the customers of a set, sorted by id, and their segments.
func (w *Warehouse) Segments(ctx context.Context, set SegmentSet) (customer, segment []string, err error) {
	params := clickhouse.Parameters{"set": Text(set.ID), "cutoff": Instant(set.Cutoff)}
	for b, err := range w.Blocks(ctx, `SELECT customer_id, toString(segment) AS segment FROM segments
		WHERE toYYYYMM(cutoff) = toYYYYMM({cutoff:DateTime64(3, 'UTC')}) AND set_id = {set:String} ORDER BY customer_id`, params) {
		if err != nil {
			return nil, nil, fmt.Errorf("read segments: %w", err)
		}
		customer, segment = append(customer, b.Strings("customer_id")...), append(segment, b.Strings("segment")...)
	}
	return customer, segment, nil
}

// pruneSegments drops sets of months more than 24 before that of a cutoff, or before now where that lies in the future.
func (w *Warehouse) pruneSegments(ctx context.Context, newest time.Time) error {
	newest = newest.UTC()
	if now := time.Now().UTC(); newest.After(now) {
		newest = now
	}
	before := time.Date(newest.Year(), newest.Month()-decisionsKept, 1, 0, 0, 0, 0, time.UTC)
	var months []uint32
	if err := w.Conn().QueryRow(ctx, `SELECT groupUniqArray(toYYYYMM(cutoff)) FROM segment_sets WHERE cutoff < {before:DateTime64(3, 'UTC')}`,
		clickhouse.Named("before", Instant(before))).Scan(&months); err != nil {
		return fmt.Errorf("list old segments: %w", err)
	}
	for _, month := range months {
		if err := w.Conn().Exec(ctx, fmt.Sprintf(`ALTER TABLE segments DROP PARTITION %d`, month)); err != nil {
			return fmt.Errorf("drop old segments: %w", err)
		}
		if err := w.Conn().Exec(ctx, `DELETE FROM segment_sets WHERE toYYYYMM(cutoff) = {month:UInt32}`, clickhouse.Named("month", fmt.Sprint(month))); err != nil {
			return fmt.Errorf("drop old segments: %w", err)
		}
	}
	return nil
}
