package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// NewestStageSet is the set that was made last for the greatest cutoff up to and including until; ok is false where there is none.
func (w *Warehouse) NewestStageSet(ctx context.Context, until time.Time) (s StageSet, ok bool, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, cutoff, rules, document, customers, made_at FROM lifecycle_sets
		WHERE cutoff <= {until:DateTime64(3, 'UTC')} ORDER BY cutoff DESC, made_at DESC, run_id LIMIT 1`, clickhouse.Named("until", Instant(until)))
	if err != nil {
		return s, false, fmt.Errorf("find the newest lifecycle stages: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return s, false, rows.Err()
	}
	if err := rows.Scan(&s.RunID, &s.Cutoff, &s.Rules, &s.Document, &s.Customers, &s.MadeAt); err != nil {
		return s, false, fmt.Errorf("find the newest lifecycle stages: %w", err)
	}
	s.Cutoff, s.MadeAt = s.Cutoff.UTC(), s.MadeAt.UTC()
	return s, true, nil
}
