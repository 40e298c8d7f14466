package warehouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// The states of an import, see migrations/0004_imports.sql.
const (
	importStaging    = "staging"
	importDeciding   = "deciding"
	importCommitting = "committing"
	importDone       = "done"
	importAbandoned  = "abandoned"
)

// An import whose process cannot be looked at (another machine) counts as dead when its journal has been silent for importSilence.
const (
	importBeat    = 30 * time.Second
	importSilence = 5 * time.Minute
)

// importJournal writes the journal rows of one import, and one every importBeat as a sign of life.
type importJournal struct {
	w      *Warehouse
	id     string
	source string
	owner  string
	stop   context.CancelFunc
	beats  sync.WaitGroup

	mu         sync.Mutex
	state      string
	last       time.Time
	importedAt time.Time
	rows, new  uint64
}

func (w *Warehouse) beginImportJournal(ctx context.Context, id, source string) (*importJournal, error) {
	j := &importJournal{w: w, id: id, source: source, owner: processName(), importedAt: time.UnixMilli(0).UTC()}
	if err := j.write(ctx, importStaging); err != nil {
		return nil, err
	}
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.stop = stop
	j.beats.Go(func() {
		t := time.NewTicker(importBeat)
		defer t.Stop()
		for {
			select {
			case <-beat.Done():
				return
			case <-t.C:
				// A missed beat is no reason to stop: the import itself meets the same fault and tells it.
				_ = j.write(beat, "")
			}
		}
	})
	return j, nil
}

// write appends a row; state "" repeats the last one.
func (j *importJournal) write(ctx context.Context, state string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if state == "" {
		state = j.state
	}
	at := time.Now().UTC().Truncate(time.Microsecond) // signs of life are told by the real clock, whatever the import's one says
	if !at.After(j.last) {
		at = j.last.Add(time.Microsecond)
	}
	batch, err := j.w.Conn().PrepareBatch(ctx, "INSERT INTO imports (import_id, source, state, at, owner, imported_at, rows, new_rows)")
	if err == nil {
		if err = batch.Append(j.id, j.source, state, at, j.owner, j.importedAt, j.rows, j.new); err != nil {
			err = errors.Join(err, batch.Abort())
		} else {
			err = batch.Send()
		}
	}
	if err != nil {
		return fmt.Errorf("write the journal of imports: %w", err)
	}
	j.state, j.last = state, at
	return nil
}

// end stops the signs of life and writes the last state.
func (j *importJournal) end(ctx context.Context, state string) error {
	j.stop()
	j.beats.Wait()
	return j.write(ctx, state)
}

// release leaves an import that met an error while its rows were becoming visible to whoever recovers next.
func (j *importJournal) release(ctx context.Context) error {
	j.stop()
	j.beats.Wait()
	j.owner = ""
	return j.write(ctx, "")
}

// processName names this process so that a namesake after it is not taken for it: host:pid:start.
func processName() string { return processNameOf(os.Getpid()) }

func processNameOf(pid int) string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s:%d:%s", strings.ReplaceAll(host, ":", "_"), pid, processStart(pid))
}

// processStart is the start time of a process in clock ticks since boot, "" where /proc does not tell.
func processStart(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(b), ") ") // the command in brackets may hold blanks
	if fields := strings.Fields(rest); ok && len(fields) > 19 {
		return fields[19]
	}
	return ""
}

// ownerDead reports whether the process that owner names is gone, or has let go of its import.
func ownerDead(owner string, lastSign, now time.Time) bool {
	if owner == "" {
		return true
	}
	parts := strings.Split(owner, ":")
	self := strings.Split(processName(), ":")
	if len(parts) == 3 && parts[0] == self[0] && self[2] != "" {
		pid, err := strconv.Atoi(parts[1])
		if start := processStart(pid); err != nil || start == "" || start != parts[2] {
			return true
		}
	}
	return now.Sub(lastSign) > importSilence
}

// journaled is the latest row of one import.
type journaled struct {
	ID, Source, State, Owner string
	At, ImportedAt           time.Time
}

const selectJournal = `SELECT import_id, argMax(source, at), argMax(state, at), argMax(owner, at), max(at), argMax(imports.imported_at, at)
	FROM imports
	GROUP BY import_id
	HAVING argMax(state, at) NOT IN ('done', 'abandoned')`

func (w *Warehouse) openImports(ctx context.Context) ([]journaled, error) {
	rows, err := w.Conn().Query(ctx, selectJournal)
	if err != nil {
		return nil, fmt.Errorf("read the journal of imports: %w", err)
	}
	defer rows.Close()
	var out []journaled
	for rows.Next() {
		var j journaled
		if err := rows.Scan(&j.ID, &j.Source, &j.State, &j.Owner, &j.At, &j.ImportedAt); err != nil {
			return nil, fmt.Errorf("read the journal of imports: %w", err)
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// dropImport drops the tables of an import.
func (w *Warehouse) dropImport(ctx context.Context, id string) error {
	names, err := w.importTables(ctx, importTable(id, ""))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := w.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+name+" SYNC"); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
	}
	return nil
}

// importTables lists the tables whose name begins with prefix.
func (w *Warehouse) importTables(ctx context.Context, prefix string) ([]string, error) {
	rows, err := w.Conn().Query(ctx, "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String}) ORDER BY name",
		clickhouse.Named("prefix", prefix))
	if err != nil {
		return nil, fmt.Errorf("list the tables of imports: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list the tables of imports: %w", err)
		}
		out = append(out, name)
	}
	return out, rows.Err()
}
