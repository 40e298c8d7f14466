package warehouse

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Commit tells new rows and corrections from what is held already and makes them visible in one step. Imports of one source commit one after another.
// A process that is killed on the way leaves all or nothing: what was not being made visible yet is dropped, the rest rolled forward by RecoverImports.
func (s *Staging) Commit(ctx context.Context) (counts ImportCounts, err error) {
	if s.closed {
		return ImportCounts{}, errors.New("the import is over")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Abort(context.WithoutCancel(ctx)))
		}
	}()
	if err := s.flush(); err != nil {
		return counts, err
	}
	if s.rows > decideKeys {
		debug.FreeOSMemory() // the batches of a big file are garbage now, and the engine in this process needs their room
	}
	release, err := s.w.lockSource(ctx, s.source.Name, s.id)
	if err != nil {
		return counts, err
	}
	defer func() { err = errors.Join(err, release(context.WithoutCancel(ctx))) }()
	if err := s.stamp(ctx); err != nil {
		return counts, err
	}
	if err := s.decide(ctx); err != nil {
		return counts, err
	}
	if err := s.build(ctx); err != nil {
		return counts, err
	}
	dropped, err := s.count(ctx, fmt.Sprintf("SELECT countIf(action = %d) FROM %s", verdictDrop, s.table("verdict")))
	if err != nil {
		return counts, fmt.Errorf("count the new rows: %w", err)
	}
	counts = ImportCounts{Rows: s.rows, New: s.rows - dropped}
	if err := s.commitPoint(ctx, counts); err != nil {
		return counts, err
	}
	// From here on the import goes through: a cancelled context must not leave half of it to be seen.
	ctx = context.WithoutCancel(ctx)
	for _, move := range s.w.importMoves(s.id, s.source) {
		if err := s.w.movePartitions(ctx, move); err != nil {
			return counts, errors.Join(err, s.journal.release(ctx))
		}
	}
	if err := s.journal.end(ctx, importDone); err != nil {
		return counts, err
	}
	return counts, s.w.dropImport(ctx, s.id)
}

// commitPoint notes that the import goes through whatever happens to this process.
func (s *Staging) commitPoint(ctx context.Context, counts ImportCounts) error {
	// A process that was asleep for minutes may have been taken for dead, and its lock for stale.
	held, err := s.count(ctx, fmt.Sprintf("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '%s%s' AND startsWith(comment, '%s ')",
		lockPrefix, s.source.Name, s.id))
	if err != nil {
		return fmt.Errorf("check the lock of %s: %w", s.source.Name, err)
	}
	if held == 0 {
		return fmt.Errorf("another import of %s took over while this one stood still: run it again", s.source.Name)
	}
	s.journal.mu.Lock()
	s.journal.rows, s.journal.new = counts.Rows, counts.New
	s.journal.mu.Unlock()
	if err := s.journal.write(ctx, importCommitting); err != nil {
		return err
	}
	s.closed = true
	return nil
}

// stamp fixes imported_at: now, but later than every import before it, so that it also names the import.
func (s *Staging) stamp(ctx context.Context) error {
	var last time.Time
	if err := s.w.Conn().QueryRow(ctx, "SELECT max(imported_at) FROM imports").Scan(&last); err != nil {
		return fmt.Errorf("read the journal of imports: %w", err)
	}
	at := s.now().UTC().Truncate(time.Millisecond)
	if !at.After(last) {
		at = last.UTC().Add(time.Millisecond)
	}
	s.journal.mu.Lock()
	s.journal.importedAt = at
	s.journal.mu.Unlock()
	return s.journal.write(ctx, importDeciding)
}

// importMove is one table of an import and the one that takes its rows.
type importMove struct{ from, to string }

// importMoves lists them in order: corrections first, since a reader takes every version of an event from the fixes as soon as one is there.
func (w *Warehouse) importMoves(id string, source ImportSource) []importMove {
	moves := []importMove{{importTable(id, "new"), source.Name}}
	if !source.Versions {
		moves = append([]importMove{{importTable(id, "fixes"), source.Name + "_fixes"}}, moves...)
	}
	return moves
}

// movePartitions hands all partitions over; the files are linked, not copied.
func (w *Warehouse) movePartitions(ctx context.Context, m importMove) error {
	ids, err := w.partitions(ctx, m.from)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := w.Conn().Exec(ctx, fmt.Sprintf("ALTER TABLE %s MOVE PARTITION ID '%s' TO TABLE %s", m.from, id, m.to)); err != nil {
			return fmt.Errorf("make the rows of %s visible: %w", m.to, err)
		}
	}
	return nil
}

func (w *Warehouse) partitions(ctx context.Context, table string) ([]string, error) {
	rows, err := w.Conn().Query(ctx, `SELECT DISTINCT partition_id FROM system.parts
		WHERE database = currentDatabase() AND table = {table:String} AND active AND rows > 0
		ORDER BY partition_id`, clickhouse.Named("table", table))
	if err != nil {
		return nil, fmt.Errorf("list the partitions of %s: %w", table, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list the partitions of %s: %w", table, err)
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// RecoverImports settles what imports of dead processes have left: those that were becoming visible are rolled forward, the others dropped.
// It may run at any time and by several processes at once. A holder of an embedded warehouse calls it when it opens, every import when it begins.
func (w *Warehouse) RecoverImports(ctx context.Context) error {
	open, err := w.openImports(ctx)
	if err != nil {
		return err
	}
	live := map[string]bool{}
	for _, j := range open {
		if !ownerDead(j.Owner, j.At, time.Now()) {
			live[j.ID] = true
			continue
		}
		if err := w.recoverImport(ctx, j); err != nil {
			return fmt.Errorf("recover the import of %s begun by a process that died: %w", j.Source, err)
		}
	}
	// What is left belongs to imports that were over when their process died while clearing up. A lock goes by its own rule.
	tables, err := w.importTables(ctx, "import_")
	if err != nil {
		return err
	}
	for _, table := range tables {
		if source, ok := strings.CutPrefix(table, lockPrefix); ok {
			if err := w.breakStaleLock(ctx, lockPrefix+source); err != nil {
				return err
			}
			continue
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(table, "import_"), "_")
		if live[id] || !w.importOver(ctx, id) {
			continue
		}
		if err := w.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+table+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", table, err)
		}
	}
	return nil
}

// importOver reports whether the journal says that an import is over; one begun since the journal was read is not.
func (w *Warehouse) importOver(ctx context.Context, id string) bool {
	var over bool
	err := w.Conn().QueryRow(ctx, "SELECT count() > 0 AND argMax(state, at) IN ('done', 'abandoned') FROM imports WHERE import_id = {id:String}", clickhouse.Named("id", id)).Scan(&over)
	return err == nil && over
}

// lockPrefix begins the names of locks, the source follows.
const lockPrefix = "import_lock_"

func (w *Warehouse) recoverImport(ctx context.Context, j journaled) error {
	if j.Source == fillSource {
		return w.recoverFill(ctx, j)
	}
	source, ok := ImportSourceNamed(j.Source)
	if !ok {
		return fmt.Errorf("unknown source %q: a newer version of retain wrote it", j.Source)
	}
	if j.State == importCommitting {
		// Rows may be handed over in part; whoever takes the lock first finishes it, a second one finds nothing left to do.
		release, err := w.lockSource(ctx, j.Source, j.ID+"-recovery")
		if err != nil {
			return err
		}
		for _, m := range w.importMoves(j.ID, source) {
			if err := w.rollForward(ctx, m); err != nil {
				return errors.Join(err, release(ctx))
			}
		}
		if err := release(ctx); err != nil {
			return err
		}
	}
	state := importAbandoned
	if j.State == importCommitting {
		state = importDone
	}
	end := &importJournal{w: w, id: j.ID, source: j.Source, owner: processName(), last: j.At, importedAt: j.ImportedAt}
	if err := end.write(ctx, state); err != nil {
		return err
	}
	return w.dropImport(ctx, j.ID)
}

// rollForward adds those rows of an import that its source lacks. A killed hand-over may have left a partition in both tables, or some of its parts, so rows are compared, not partitions.
func (w *Warehouse) rollForward(ctx context.Context, m importMove) error {
	names, err := w.importTables(ctx, m.from)
	if err != nil || len(names) == 0 {
		return err
	}
	ids, err := w.partitions(ctx, m.from)
	if err != nil {
		return err
	}
	for _, id := range ids {
		// imported_at alone does not name the rows of a table of fixes: it repeats first versions of earlier imports.
		key := "(event_hash, row_hash, ingested_at, imported_at)"
		query := fmt.Sprintf(`INSERT INTO %[1]s
			SELECT * FROM %[2]s
			WHERE _partition_id = '%[3]s' AND %[4]s NOT IN (
				SELECT %[4]s FROM %[1]s WHERE _partition_id = '%[3]s' AND event_hash IN (SELECT event_hash FROM %[2]s WHERE _partition_id = '%[3]s'))`,
			m.to, m.from, id, key)
		if err := w.Conn().Exec(importContext(ctx), query); err != nil {
			return fmt.Errorf("make the rows of %s visible: %w", m.to, err)
		}
		if err := w.Conn().Exec(ctx, fmt.Sprintf("ALTER TABLE %s DROP PARTITION ID '%s'", m.from, id)); err != nil {
			return fmt.Errorf("drop what is visible from %s: %w", m.from, err)
		}
	}
	return nil
}

// lockSource waits until no other import of the source commits. The lock is a table: only one CREATE succeeds.
func (w *Warehouse) lockSource(ctx context.Context, source, id string) (release func(context.Context) error, err error) {
	table := lockPrefix + source
	comment := id + " " + processName()
	for {
		err := w.Conn().Exec(ctx, fmt.Sprintf("CREATE TABLE %s (id String) ENGINE = Memory COMMENT '%s'", table, strings.ReplaceAll(comment, "'", "")))
		if err == nil {
			break
		}
		var ex *clickhouse.Exception
		if !errors.As(err, &ex) || ex.Code != tableAlreadyExists {
			return nil, fmt.Errorf("lock the source %s: %w", source, err)
		}
		if err := w.breakStaleLock(ctx, table); err != nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another import of %s: %w", source, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
	return func(ctx context.Context) error {
		if err := w.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+table+" SYNC"); err != nil {
			return fmt.Errorf("unlock the source %s: %w", source, err)
		}
		return nil
	}, nil
}

const tableAlreadyExists = 57 // error code of ClickHouse

// breakStaleLock drops the lock of a process that died.
func (w *Warehouse) breakStaleLock(ctx context.Context, table string) error {
	var comment string
	var silent time.Time
	row := w.Conn().QueryRow(ctx, `SELECT max(comment), max(metadata_modification_time) FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`,
		clickhouse.Named("table", table))
	if err := row.Scan(&comment, &silent); err != nil {
		return fmt.Errorf("read the lock %s: %w", table, err)
	}
	id, owner, ok := strings.Cut(comment, " ")
	if !ok {
		return nil // released in between
	}
	// The lock has no signs of life of its own, those of its import count.
	var last time.Time
	if err := w.Conn().QueryRow(ctx, "SELECT max(at) FROM imports WHERE import_id = {id:String}", clickhouse.Named("id", strings.TrimSuffix(id, "-recovery"))).Scan(&last); err != nil {
		return fmt.Errorf("read the journal of imports: %w", err)
	}
	if silent.After(last) {
		last = silent
	}
	if !ownerDead(owner, last, time.Now()) {
		return nil
	}
	// Renamed first: of several that find it stale one succeeds.
	stale := importTable(strings.TrimSuffix(id, "-recovery"), "stale")
	if err := w.Conn().Exec(ctx, fmt.Sprintf("RENAME TABLE %s TO %s", table, stale)); err != nil {
		return nil //nolint:nilerr // another one was faster, or there is a fault that CREATE meets next
	}
	if err := w.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+stale+" SYNC"); err != nil {
		return fmt.Errorf("drop the stale lock %s: %w", stale, err)
	}
	return nil
}

// HeldCurrency returns the currency of the rows that a source holds, "" if none names one.
func (w *Warehouse) HeldCurrency(ctx context.Context, source string) (string, error) {
	var currency string
	if err := w.Conn().QueryRow(ctx, "SELECT toString(max(currency)) FROM "+source).Scan(&currency); err != nil {
		return "", fmt.Errorf("read the currency of %s: %w", source, err)
	}
	return currency, nil
}
