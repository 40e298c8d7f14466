package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// StageSet is one row of lifecycle_sets: the stages of everyone at one cutoff by one rule set.
type StageSet struct {
	RunID     string
	Cutoff    time.Time
	Rules     string // version
	Document  string
	Customers uint64
	MadeAt    time.Time
}

// StageColumns are the stages of a set, sorted by customer. Previous is "" where none was seen.
type StageColumns struct {
	Customer, Stage, Previous []string
	Since                     []time.Time
}

// stageBatch rows go in one insert: some 20 MB.
const stageBatch = 200_000

// stagesKept is how many months of stages stay, counted back from the newest cutoff, as of decisions.
const stagesKept = decisionsKept

// PutStages writes the stages of a set, unless they are all there. Batches carry tokens, so that what a killed process has written, or two
// at once, is there once.
func (w *Warehouse) PutStages(ctx context.Context, set StageSet, c StageColumns) error {
	var there uint64
	if err := w.Conn().QueryRow(ctx, `SELECT count() FROM lifecycle_sets WHERE run_id = {run:String}`, clickhouse.Named("run", set.RunID)).Scan(&there); err != nil {
		return fmt.Errorf("read lifecycle stages: %w", err)
	}
	if there > 0 {
		return nil
	}
	for lo := 0; lo < len(c.Customer); lo += stageBatch {
		if err := w.putStageBatch(ctx, set, c, lo); err != nil {
			return fmt.Errorf("write lifecycle stages: %w", err)
		}
	}
	token := fmt.Sprintf("stage set %s %d", set.RunID, set.MadeAt.UnixMilli()) // a pruned set that is made again must come back
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO lifecycle_sets (run_id, cutoff, rules, document, customers, made_at)`)
	if err != nil {
		return fmt.Errorf("write lifecycle stages: %w", err)
	}
	if err := batch.Append(set.RunID, set.Cutoff, set.Rules, set.Document, uint64(len(c.Customer)), set.MadeAt); err != nil {
		return fmt.Errorf("write lifecycle stages: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write lifecycle stages: %w", err)
	}
	return nil
}

func (w *Warehouse) putStageBatch(ctx context.Context, set StageSet, c StageColumns, lo int) error {
	hi := min(lo+stageBatch, len(c.Customer))
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": fmt.Sprintf("stages %s %d", set.RunID, lo)}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO lifecycle_stages (run_id, cutoff, customer_id, stage, since, previous, rules)`)
	if err != nil {
		return err
	}
	run, rules, cutoff := make([]string, hi-lo), make([]string, hi-lo), make([]time.Time, hi-lo)
	for i := range run {
		run[i], rules[i], cutoff[i] = set.RunID, set.Rules, set.Cutoff
	}
	for i, column := range []any{run, cutoff, c.Customer[lo:hi], c.Stage[lo:hi], c.Since[lo:hi], c.Previous[lo:hi], rules} {
		if err := batch.Column(i).Append(column); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// StageSets lists the sets of a rule set in force: of each cutoff up to and including until the one made last, oldest first.
func (w *Warehouse) StageSets(ctx context.Context, rules string, until time.Time) ([]StageSet, error) {
	return w.stageSets(ctx, rules, until, "")
}

// MonthStages is StageSets of past month starts alone, which tell the rows behind them; those of scoring runs do not count.
func (w *Warehouse) MonthStages(ctx context.Context, rules string, until time.Time) ([]StageSet, error) {
	return w.stageSets(ctx, rules, until, "AND JSONExtractString(document, 'input') != ''")
}

func (w *Warehouse) stageSets(ctx context.Context, rules string, until time.Time, where string) (sets []StageSet, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, cutoff, rules, document, customers, made_at FROM lifecycle_sets
		WHERE rules = {rules:String} AND cutoff <= {until:DateTime64(3, 'UTC')} `+where+`
		ORDER BY cutoff, made_at DESC, run_id LIMIT 1 BY cutoff`, clickhouse.Named("rules", rules), clickhouse.Named("until", Instant(until)))
	if err != nil {
		return nil, fmt.Errorf("list lifecycle stages: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s StageSet
		if err := rows.Scan(&s.RunID, &s.Cutoff, &s.Rules, &s.Document, &s.Customers, &s.MadeAt); err != nil {
			return nil, fmt.Errorf("list lifecycle stages: %w", err)
		}
		s.Cutoff, s.MadeAt = s.Cutoff.UTC(), s.MadeAt.UTC()
		sets = append(sets, s)
	}
	return sets, rows.Err()
}

// StageSet is the set of a scoring run; ok is false if it has none.
func (w *Warehouse) StageSet(ctx context.Context, runID string) (s StageSet, ok bool, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, cutoff, rules, document, customers, made_at FROM lifecycle_sets
		WHERE run_id = {run:String} ORDER BY made_at LIMIT 1`, clickhouse.Named("run", runID))
	if err != nil {
		return s, false, fmt.Errorf("read lifecycle stages: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if !rows.Next() {
		return s, false, rows.Err()
	}
	if err := rows.Scan(&s.RunID, &s.Cutoff, &s.Rules, &s.Document, &s.Customers, &s.MadeAt); err != nil {
		return s, false, fmt.Errorf("read lifecycle stages: %w", err)
	}
	s.Cutoff, s.MadeAt = s.Cutoff.UTC(), s.MadeAt.UTC()
	return s, true, nil
}

// Stages reads the stages of a set.
func (w *Warehouse) Stages(ctx context.Context, set StageSet) (c StageColumns, err error) {
	c = StageColumns{Customer: make([]string, 0, set.Customers), Stage: make([]string, 0, set.Customers), Previous: make([]string, 0, set.Customers), Since: make([]time.Time, 0, set.Customers)}
	query := `SELECT customer_id, toString(stage) AS stage, toString(previous) AS previous, since FROM lifecycle_stages
WHERE cutoff = toDateTime64('` + set.Cutoff.UTC().Format("2006-01-02 15:04:05.000") + `', 3, 'UTC') AND run_id = '` + set.RunID + `'
ORDER BY customer_id`
	if !hexID(set.RunID) {
		return c, fmt.Errorf("read lifecycle stages: %q is no run id", set.RunID)
	}
	for b, err := range w.Blocks(ctx, query, nil) {
		if err != nil {
			return c, fmt.Errorf("read lifecycle stages: %w", err)
		}
		c.Customer, c.Stage = append(c.Customer, b.Strings("customer_id")...), append(c.Stage, b.Strings("stage")...)
		c.Previous, c.Since = append(c.Previous, b.Strings("previous")...), append(c.Since, b.Times("since")...)
	}
	return c, nil
}

// PruneStages drops the stages of cutoffs in months more than 24 before that of the newest, or before now where that lies in the future.
func (w *Warehouse) PruneStages(ctx context.Context) error {
	var months []uint32
	if err := w.Conn().QueryRow(ctx, `WITH (SELECT least(max(cutoff), now64(3, 'UTC')) FROM lifecycle_sets) AS newest
		SELECT groupUniqArray(toYYYYMM(cutoff)) FROM lifecycle_sets
		WHERE cutoff < toStartOfMonth(newest) - toIntervalMonth({kept:UInt32})`, clickhouse.Named("kept", fmt.Sprint(stagesKept))).Scan(&months); err != nil {
		return fmt.Errorf("list old lifecycle stages: %w", err)
	}
	for _, month := range months {
		if err := w.Conn().Exec(ctx, fmt.Sprintf(`ALTER TABLE lifecycle_stages DROP PARTITION %d`, month)); err != nil {
			return fmt.Errorf("drop old lifecycle stages: %w", err)
		}
		if err := w.Conn().Exec(ctx, `DELETE FROM lifecycle_sets WHERE toYYYYMM(cutoff) = {month:UInt32}`, clickhouse.Named("month", fmt.Sprint(month))); err != nil {
			return fmt.Errorf("drop old lifecycle stages: %w", err)
		}
	}
	return nil
}
