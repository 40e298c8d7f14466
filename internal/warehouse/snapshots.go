package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrNoSnapshot says that no such snapshot is stored.
var ErrNoSnapshot = errors.New("warehouse: no such snapshot")

// snapshotsKept is how many snapshots stay: that of the night, and those of the cutoffs before to compare with.
const snapshotsKept = 3

// TrainingSnapshots begins the fingerprint of the snapshots that trainings keep. They are pruned by PruneTrainingSnapshots, all others by PruneSnapshots.
const TrainingSnapshots = "training "

// Bounds of what trainings keep: ten years of weeks, and what a laptop's disk has to spare.
const (
	trainingSnapshotsKept = 520
	trainingBytesKept     = 4 << 30 // on disk
)

// SnapshotRow is one row of snapshots. Its presence makes the snapshot visible.
type SnapshotRow struct {
	ID          string // hex
	Cutoff      time.Time
	Fingerprint string // of the definitions
	Input       string // digest of the rows known at the cutoff
	Customers   uint64
	Eligible    uint64
	Header      string // JSON, the writer's
	CreatedAt   time.Time
}

// SnapshotChunk is a piece of one column.
type SnapshotChunk struct {
	Position, Chunk uint32
	Bytes           []byte
}

// snapshotBatchBytes go in one insert.
const snapshotBatchBytes = 32 << 20

// PutSnapshot writes the chunks and then the row. The same snapshot written again, or by two at once, is read once.
func (w *Warehouse) PutSnapshot(ctx context.Context, r SnapshotRow, chunks func(yield func(SnapshotChunk) bool)) error {
	if !hexID(r.ID) {
		return fmt.Errorf("write snapshot: %q is no id", r.ID)
	}
	var pending []SnapshotChunk
	size, batches := 0, 0
	var failed error
	flush := func() error {
		if len(pending) == 0 {
			return nil
		}
		err := w.putSnapshotChunks(ctx, r.ID, batches, pending)
		pending, size, batches = pending[:0], 0, batches+1
		return err
	}
	for c := range chunks {
		pending = append(pending, c)
		if size += len(c.Bytes); size >= snapshotBatchBytes {
			if failed = flush(); failed != nil {
				break
			}
		}
	}
	if failed == nil {
		failed = flush()
	}
	if failed != nil {
		return fmt.Errorf("write snapshot: %w", failed)
	}
	ctx = withToken(ctx, "snapshot "+r.ID+" "+r.CreatedAt.String())
	batch, err := w.Conn().PrepareBatch(ctx, "INSERT INTO snapshots (snapshot_id, cutoff, fingerprint, input, customers, eligible, header, created_at)")
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	if err := batch.Append(r.ID, r.Cutoff, r.Fingerprint, r.Input, r.Customers, r.Eligible, r.Header, r.CreatedAt); err != nil {
		return fmt.Errorf("write snapshot: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (w *Warehouse) putSnapshotChunks(ctx context.Context, id string, n int, chunks []SnapshotChunk) error {
	batch, err := w.Conn().PrepareBatch(withToken(ctx, fmt.Sprintf("snapshot %s %d", id, n)), "INSERT INTO snapshot_columns (snapshot_id, position, chunk, bytes)")
	if err != nil {
		return err
	}
	for _, c := range chunks {
		if err := batch.Append(id, c.Position, c.Chunk, string(c.Bytes)); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// withToken makes an insert that is sent twice land once.
func withToken(ctx context.Context, token string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
}

const selectSnapshot = `SELECT snapshot_id, cutoff, fingerprint, input, customers, eligible, header, created_at FROM snapshots `

// fields are the scan targets in the order of selectSnapshot.
func (r *SnapshotRow) fields() []any {
	return []any{&r.ID, &r.Cutoff, &r.Fingerprint, &r.Input, &r.Customers, &r.Eligible, &r.Header, &r.CreatedAt}
}

// FindSnapshot is the latest stored snapshot of a cutoff and definitions; ErrNoSnapshot if there is none.
func (w *Warehouse) FindSnapshot(ctx context.Context, cutoff time.Time, fingerprint string) (r SnapshotRow, err error) {
	err = w.Conn().QueryRow(ctx, selectSnapshot+`WHERE cutoff = fromUnixTimestamp64Milli({cutoff:Int64}) AND fingerprint = {fingerprint:String} ORDER BY created_at DESC, snapshot_id LIMIT 1`,
		clickhouse.Named("cutoff", fmt.Sprint(cutoff.UnixMilli())), clickhouse.Named("fingerprint", fingerprint)).
		Scan(r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoSnapshot
	}
	if err != nil {
		return r, fmt.Errorf("find snapshot: %w", err)
	}
	r.Cutoff = r.Cutoff.UTC()
	return r, nil
}

// FindSnapshots are all stored snapshots of the same definitions, newest first.
func (w *Warehouse) FindSnapshots(ctx context.Context, fingerprint string) (found []SnapshotRow, err error) {
	rows, err := w.Conn().Query(ctx, selectSnapshot+`WHERE fingerprint = {fingerprint:String} ORDER BY created_at DESC, snapshot_id`, clickhouse.Named("fingerprint", fingerprint))
	if err != nil {
		return nil, fmt.Errorf("find snapshots: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r SnapshotRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, fmt.Errorf("find snapshots: %w", err)
		}
		r.Cutoff = r.Cutoff.UTC()
		found = append(found, r)
	}
	return found, rows.Err()
}

// SnapshotChunks calls take with every chunk of a snapshot, by position and then chunk, each once.
func (w *Warehouse) SnapshotChunks(ctx context.Context, id string, take func(SnapshotChunk) error) (err error) {
	rows, err := w.Conn().Query(ctx, `SELECT position, chunk, bytes FROM snapshot_columns WHERE snapshot_id = {id:String}
		ORDER BY position, chunk LIMIT 1 BY position, chunk SETTINGS max_block_size = 16`, clickhouse.Named("id", id))
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c SnapshotChunk
		var bytes string
		if err := rows.Scan(&c.Position, &c.Chunk, &bytes); err != nil {
			return fmt.Errorf("read snapshot: %w", err)
		}
		c.Bytes = []byte(bytes)
		if err := take(c); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	return nil
}

// PruneSnapshots drops all snapshots but the latest few, and what killed writers have left. Those of trainings stay.
func (w *Warehouse) PruneSnapshots(ctx context.Context) error {
	var old []string
	if err := w.Conn().QueryRow(ctx, `SELECT groupArray(snapshot_id) FROM (SELECT snapshot_id FROM snapshots WHERE NOT startsWith(fingerprint, {training:String}) GROUP BY snapshot_id
		ORDER BY max(created_at) DESC, snapshot_id LIMIT 1000 OFFSET {kept:UInt32})`,
		clickhouse.Named("training", TrainingSnapshots), clickhouse.Named("kept", fmt.Sprint(snapshotsKept))).Scan(&old); err != nil {
		return fmt.Errorf("list old snapshots: %w", err)
	}
	var left []string
	// No snapshot takes two days to write.
	if err := w.Conn().QueryRow(ctx, `SELECT groupArray(partition) FROM (SELECT partition FROM system.parts
		WHERE database = currentDatabase() AND table = 'snapshot_columns' AND active AND partition NOT IN (SELECT snapshot_id FROM snapshots)
		GROUP BY partition HAVING max(modification_time) < now() - INTERVAL 2 DAY LIMIT 1000)`).Scan(&left); err != nil {
		return fmt.Errorf("list unfinished snapshots: %w", err)
	}
	return w.dropSnapshots(ctx, append(old, left...))
}

// PruneTrainingSnapshots drops snapshots of trainings until what stays is bounded in number and bytes on disk: first those that the last
// training did not use (oldest first), then those it did.
func (w *Warehouse) PruneTrainingSnapshots(ctx context.Context, used []string) error {
	return w.pruneTrainingSnapshots(ctx, used, trainingSnapshotsKept, trainingBytesKept)
}

func (w *Warehouse) pruneTrainingSnapshots(ctx context.Context, used []string, kept, bytes int) error {
	var old []string
	if err := w.Conn().QueryRow(ctx, `SELECT groupArray(id) FROM (
		SELECT id, row_number() OVER turn AS place, sum(bytes) OVER turn AS held FROM (
			SELECT snapshot_id AS id, max(created_at) AS written, has(splitByChar(',', {used:String}), id) AS in_use FROM snapshots WHERE startsWith(fingerprint, {training:String}) GROUP BY id
		) AS s LEFT JOIN (
			SELECT partition, sum(bytes_on_disk) AS bytes FROM system.parts WHERE database = currentDatabase() AND table = 'snapshot_columns' AND active GROUP BY partition
		) AS p ON p.partition = s.id
		WINDOW turn AS (ORDER BY in_use DESC, written DESC, id ROWS UNBOUNDED PRECEDING)
		) WHERE place > {kept:UInt32} OR held > {bytes:UInt64}`,
		clickhouse.Named("training", TrainingSnapshots), clickhouse.Named("kept", fmt.Sprint(kept)),
		clickhouse.Named("bytes", fmt.Sprint(bytes)), clickhouse.Named("used", strings.Join(used, ","))).Scan(&old); err != nil {
		return fmt.Errorf("list old snapshots of trainings: %w", err)
	}
	return w.dropSnapshots(ctx, old)
}

func (w *Warehouse) dropSnapshots(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if !hexID(id) {
			continue
		}
		// The row first: a snapshot without its columns must not be seen.
		if err := w.Conn().Exec(ctx, `DELETE FROM snapshots WHERE snapshot_id = {id:String}`, clickhouse.Named("id", id)); err != nil {
			return fmt.Errorf("drop old snapshot: %w", err)
		}
		if err := w.Conn().Exec(ctx, `ALTER TABLE snapshot_columns DROP PARTITION '`+id+`'`); err != nil {
			return fmt.Errorf("drop old snapshot: %w", err)
		}
	}
	return nil
}
