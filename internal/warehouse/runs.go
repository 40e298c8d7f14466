package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrNoRun says that nothing has been scored yet.
var ErrNoRun = errors.New("warehouse: no run")

// runsKept is how many runs of a kind stay; of older ones the last of each month does, for monthsKept months: the labels of a run are
// known only months after its cutoff, and then its scores are compared with them.
const (
	runsKept   = 30
	monthsKept = 15
)

// RunRow is one row of runs. Its presence makes the run visible.
type RunRow struct {
	RunID        string
	Kind         string
	Cutoff       time.Time
	Artifact     string
	ModelName    string
	ModelVersion uint32
	HorizonDays  uint16
	Customers    uint64
	Scored       uint64
	ByStatus     map[string]uint64
	Hindsight    bool
	StartedAt    time.Time
	FinishedAt   time.Time
	Seconds      map[string]float64

	LoyaltyArtifact string // of the loyalty model beside; "" = none
	LoyaltyVersion  uint32
}

// PutRun makes the run visible. Of several rows of one id the first finished counts, so a run that is there already stays in force.
func (w *Warehouse) PutRun(ctx context.Context, r RunRow) error {
	// The token makes a repeated send harmless. It names the finish too: a pruned run that is scored again must come back.
	token := fmt.Sprintf("run %s %d", r.RunID, r.FinishedAt.UnixMilli())
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO runs (run_id, kind, cutoff, artifact, model_name, model_version,
		horizon_days, customers, scored, by_status, hindsight, started_at, finished_at, seconds, loyalty_artifact, loyalty_version)`)
	if err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	if err := batch.Append(r.RunID, r.Kind, r.Cutoff, r.Artifact, r.ModelName, r.ModelVersion,
		r.HorizonDays, r.Customers, r.Scored, r.ByStatus, r.Hindsight, r.StartedAt, r.FinishedAt, r.Seconds, r.LoyaltyArtifact, r.LoyaltyVersion); err != nil {
		return fmt.Errorf("write run: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write run: %w", err)
	}
	return nil
}

const selectRun = `SELECT run_id, kind, cutoff, artifact, model_name, model_version, horizon_days, customers, scored,
	by_status, hindsight, started_at, finished_at, seconds, loyalty_artifact, loyalty_version FROM runs `

// RunInForce is the run of a kind with the greatest cutoff, then the latest finish; ErrNoRun if there is none.
func (w *Warehouse) RunInForce(ctx context.Context, kind string) (RunRow, error) {
	return w.scanRun(ctx, selectRun+`WHERE kind = {kind:String} AND (run_id, finished_at) IN (SELECT run_id, min(finished_at) FROM runs GROUP BY run_id)
		ORDER BY cutoff DESC, finished_at DESC, run_id LIMIT 1`, clickhouse.Named("kind", kind))
}

// Run is the run of an id; ErrNoRun if there is none.
func (w *Warehouse) Run(ctx context.Context, id string) (RunRow, error) {
	return w.scanRun(ctx, selectRun+`WHERE run_id = {id:String} ORDER BY finished_at LIMIT 1`, clickhouse.Named("id", id))
}

func (w *Warehouse) scanRun(ctx context.Context, query string, args ...any) (RunRow, error) {
	var r RunRow
	err := w.Conn().QueryRow(ctx, query, args...).Scan(r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoRun
	}
	if err != nil {
		return r, fmt.Errorf("read run: %w", err)
	}
	return r, nil
}

// fields are the scan targets in the order of selectRun.
func (r *RunRow) fields() []any {
	return []any{&r.RunID, &r.Kind, &r.Cutoff, &r.Artifact, &r.ModelName, &r.ModelVersion, &r.HorizonDays, &r.Customers, &r.Scored,
		&r.ByStatus, &r.Hindsight, &r.StartedAt, &r.FinishedAt, &r.Seconds, &r.LoyaltyArtifact, &r.LoyaltyVersion}
}

// PruneRuns drops the rows and then the scores, shadows' too, of all runs of a kind but the runsKept of the greatest cutoffs, the last of each of the
// latest monthsKept months that has one, and the one named. Readers of a dropped run have long moved on: it lies 30 runs back.
func (w *Warehouse) PruneRuns(ctx context.Context, kind, keep string) error {
	var old []string
	if err := w.Conn().QueryRow(ctx, `SELECT groupArray(run_id) FROM (SELECT run_id FROM runs WHERE kind = {kind:String}
		ORDER BY cutoff DESC, finished_at DESC, run_id LIMIT 1000 OFFSET {kept:UInt32}) WHERE run_id != {keep:String} AND run_id NOT IN (
			SELECT run_id FROM (SELECT run_id, cutoff FROM runs WHERE kind = {kind:String}
				ORDER BY cutoff DESC, finished_at DESC, run_id LIMIT 1 BY toStartOfMonth(cutoff)) ORDER BY cutoff DESC LIMIT {months:UInt32})`,
		clickhouse.Named("kind", kind), clickhouse.Named("keep", keep), clickhouse.Named("kept", fmt.Sprint(runsKept)),
		clickhouse.Named("months", fmt.Sprint(monthsKept))).Scan(&old); err != nil {
		return fmt.Errorf("list old runs: %w", err)
	}
	for _, id := range old {
		if err := w.Conn().Exec(ctx, `DELETE FROM runs WHERE run_id = {id:String}`, clickhouse.Named("id", id)); err != nil {
			return fmt.Errorf("drop old run: %w", err)
		}
		if err := errors.Join(w.dropScores(ctx, id), w.dropShadows(ctx, id)); err != nil {
			return err
		}
	}
	return nil
}
