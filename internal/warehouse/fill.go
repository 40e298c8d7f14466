package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrSourcesHoldRows tells that sources hold rows which a Fill was not allowed to replace.
var ErrSourcesHoldRows = errors.New("the sources hold rows already")

// fillSource names a fill in the journal of imports, where it stands for all sources.
const fillSource = "*"

// What a row of a feed becomes, as bits: the first version of an event stands in its source, all versions of an event with several in the fixes.
const (
	fillFirst = 1
	fillFix   = 2
)

// fedPrefix begins the names of the feeds' columns.
const fedPrefix = "fed_"

// Fill replaces all sources at once by rows that a program makes, far faster than by importing files: rows are not compared with those held. They gather in
// tables beside the sources until Commit. A process that dies before it leaves the old rows, one that dies within leaves the new ones, once the next process has called
// RecoverImports.
type Fill struct {
	w          *Warehouse
	id         string
	importedAt time.Time
	journal    *importJournal
	rows       map[string]*atomic.Uint64
	closed     bool
}

// BeginFill begins a fill. importedAt stamps the rows, and every later import a later instant.
func (w *Warehouse) BeginFill(ctx context.Context, importedAt time.Time) (*Fill, error) {
	if err := w.RecoverImports(ctx); err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("name the fill: %w", err)
	}
	f := &Fill{w: w, id: hex.EncodeToString(random[:]), importedAt: importedAt.UTC().Truncate(time.Millisecond), rows: map[string]*atomic.Uint64{}}
	var err error
	if f.journal, err = w.beginImportJournal(ctx, f.id, fillSource); err != nil {
		return nil, err
	}
	for _, source := range ImportSources {
		f.rows[source.Name] = new(atomic.Uint64)
		for _, statement := range f.ddl(source) {
			if err := w.Conn().Exec(ctx, statement); err != nil {
				return nil, errors.Join(fmt.Errorf("create the tables of %s: %w", source.Name, err), f.Abort(context.WithoutCancel(ctx)))
			}
		}
	}
	return f, nil
}

// tables are the tables of a source: its own, and that of its fixes if it has one.
func (s ImportSource) tables() []string {
	if s.Versions {
		return []string{s.Name}
	}
	return []string{s.Name, s.Name + "_fixes"}
}

// ddl creates the tables that the sources are replaced by and, in front of them, a feed: a table that keeps nothing but has its rows turned into those
// of the source by the same expressions as an import's.
func (f *Fill) ddl(source ImportSource) []string {
	feed := importTable(f.id, source.Name+"_feed")
	columns := []string{"fill_as UInt8", "fed_ingested_at Int64", "fed_ingested_mapped Int64", "event_hash UInt64", "row_hash UInt64"}
	var values []string
	for _, c := range source.Columns {
		fed := c
		fed.Name = fedPrefix + c.Name // an expression must not read the column that it makes
		columns = append(columns, fed.Name+" "+fed.stagedType())
		values = append(values, fed.expression()+" AS "+c.Name)
	}
	statements := []string{fmt.Sprintf("CREATE TABLE %s (%s) ENGINE = Null", feed, strings.Join(columns, ", "))}
	for i, table := range source.tables() {
		as := fillFirst << i
		statements = append(statements,
			fmt.Sprintf("CREATE TABLE %s AS %s", importTable(f.id, table), table),
			fmt.Sprintf("ALTER TABLE %s MODIFY COMMENT '%s'", importTable(f.id, table), f.id),
			fmt.Sprintf(`CREATE MATERIALIZED VIEW %s TO %s AS
				SELECT %s, fromUnixTimestamp64Milli(fed_ingested_at, 'UTC') AS ingested_at, fed_ingested_mapped != 0 AS ingested_mapped,
					fromUnixTimestamp64Milli(toInt64(%d), 'UTC') AS imported_at, event_hash, row_hash
				FROM %s
				WHERE bitAnd(fill_as, %d) != 0`,
				importTable(f.id, table+"_view"), importTable(f.id, table), strings.Join(values, ", "), f.importedAt.UnixMilli(), feed, as))
	}
	return statements
}

// Feed takes the rows of one source. It belongs to one goroutine; a source may have several.
type Feed struct {
	fill   *Fill
	source ImportSource
	hasher Staging
	as     []uint8
	event  []uint64
	count  *atomic.Uint64
}

// Feed opens a feed of a source.
func (f *Fill) Feed(source string) (*Feed, error) {
	s, ok := ImportSourceNamed(source)
	if !ok {
		return nil, fmt.Errorf("fill %s: no such source", source)
	}
	feed := &Feed{fill: f, source: s, hasher: Staging{source: s}, count: f.rows[source]}
	for _, name := range s.ID {
		feed.hasher.ids = append(feed.hasher.ids, s.Column(name))
	}
	return feed, nil
}

// Append sends the rows of b, which make one part per partition: some 100,000 a batch are worth it. The versions of an event stand in one batch, one after another as they
// became known; one that repeats the version before it is dropped, as an import would. Rows of a source without identity are all different.
func (d *Feed) Append(ctx context.Context, b *ImportBatch) (err error) {
	if b.Rows == 0 {
		return nil
	}
	var names []string
	for _, c := range d.source.Columns {
		names = append(names, fedPrefix+c.Name)
	}
	batch, err := d.fill.w.Conn().PrepareBatch(fillContext(ctx), fmt.Sprintf("INSERT INTO %s (fill_as, fed_ingested_at, fed_ingested_mapped, event_hash, row_hash, %s)",
		importTable(d.fill.id, d.source.Name+"_feed"), strings.Join(names, ", ")))
	if err != nil {
		return fmt.Errorf("fill %s: %w", d.source.Name, err)
	}
	kept := d.judge(b)
	columns := b.columns(d.source, d.as, b.IngestedAt[:b.Rows], b.IngestedMapped[:b.Rows], d.event, d.hasher.rowHash)
	for i, values := range columns {
		if err := batch.Column(i).Append(values); err != nil {
			return errors.Join(fmt.Errorf("fill %s: %w", d.source.Name, err), batch.Abort())
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("fill %s: %w", d.source.Name, err)
	}
	d.count.Add(kept)
	return nil
}

// judge hashes the rows of b, tells what becomes of each, and counts those that stay.
func (d *Feed) judge(b *ImportBatch) (kept uint64) {
	d.hasher.hashRows(b)
	d.as, d.event = d.as[:0], d.event[:0]
	for r := range b.Rows {
		id := d.hasher.idHash[r]
		if id == 0 {
			id = d.hasher.rowHash[r]
		}
		d.event = append(d.event, id)
		d.as = append(d.as, fillFirst)
	}
	for r, first := 1, 0; r < b.Rows; r++ {
		if d.event[r] != d.event[r-1] || d.hasher.idHash[r] == 0 {
			first = r
			continue
		}
		last := r - 1
		for d.as[last] == 0 {
			last--
		}
		if d.hasher.rowHash[r] == d.hasher.rowHash[last] {
			d.as[r] = 0
			continue
		}
		d.as[r] = fillFix
		d.as[first] = fillFirst | fillFix
	}
	if d.source.Versions { // every version stays in the source itself
		for r := range d.as {
			d.as[r] = min(d.as[r], fillFirst)
		}
	}
	for _, as := range d.as {
		if as != 0 {
			kept++
		}
	}
	return kept
}

// HeldRows are the rows that each source holds; sources without any are absent.
func (w *Warehouse) HeldRows(ctx context.Context) (map[string]uint64, error) {
	held := map[string]uint64{}
	for _, source := range ImportSources {
		var n uint64
		if err := w.Conn().QueryRow(ctx, "SELECT count() FROM "+source.Name).Scan(&n); err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", source.Name, err)
		}
		if n > 0 {
			held[source.Name] = n
		}
	}
	return held, nil
}

// LatestFill is the id of the fill that the rows of the sources began with, "" if none did: what was imported before it is gone.
func (w *Warehouse) LatestFill(ctx context.Context) (id string, err error) {
	err = w.Conn().QueryRow(ctx, "SELECT argMax(import_id, at) FROM imports WHERE source = {source:String} AND state = {state:String}",
		clickhouse.Named("source", fillSource), clickhouse.Named("state", importDone)).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("read the journal of imports: %w", err)
	}
	return id, nil
}

// Commit replaces what the sources hold by what was fed, and returns the rows of each source, versions counted. Unless replace is set, a source that holds rows is
// ErrSourcesHoldRows, and then nothing changes. All feeds have been flushed.
func (f *Fill) Commit(ctx context.Context, replace bool) (rows map[string]uint64, err error) {
	if f.closed {
		return nil, errors.New("the fill is over")
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Abort(context.WithoutCancel(ctx)))
		}
	}()
	for _, source := range ImportSources {
		release, err := f.w.lockSource(ctx, source.Name, f.id)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, release(context.WithoutCancel(ctx))) }()
	}
	held, err := f.w.HeldRows(ctx)
	if err != nil {
		return nil, err
	}
	if len(held) > 0 && !replace {
		return nil, ErrSourcesHoldRows
	}
	f.journal.mu.Lock()
	f.journal.importedAt = f.importedAt
	f.journal.mu.Unlock()
	if err := f.journal.write(ctx, importCommitting); err != nil {
		return nil, err
	}
	// From here on the fill goes through: a cancelled context must not leave half of it to be seen.
	f.closed = true
	ctx = context.WithoutCancel(ctx)
	if err := f.w.exchangeFilled(ctx, f.id); err != nil {
		return nil, errors.Join(err, f.journal.release(ctx))
	}
	rows = map[string]uint64{}
	for name, n := range f.rows {
		rows[name] = n.Load()
	}
	return rows, errors.Join(f.journal.end(ctx, importDone), f.w.dropImport(ctx, f.id))
}

// exchangeFilled puts the filled tables in the places of the sources, those that are not there yet.
func (w *Warehouse) exchangeFilled(ctx context.Context, id string) error {
	for _, source := range ImportSources {
		for _, table := range source.tables() {
			if err := w.exchange(ctx, id, table); err != nil {
				return fmt.Errorf("replace %s: %w", table, err)
			}
		}
	}
	for _, source := range ImportSources {
		for _, table := range source.tables() {
			if err := w.Conn().Exec(ctx, fmt.Sprintf("ALTER TABLE %s MODIFY COMMENT ''", table)); err != nil {
				return fmt.Errorf("replace %s: %w", table, err)
			}
		}
	}
	return nil
}

// exchange puts one filled table in its place, unless it is there already: the comment that names the fill moves with the rows.
func (w *Warehouse) exchange(ctx context.Context, id, table string) error {
	filled := importTable(id, table)
	var waits uint64
	err := w.Conn().QueryRow(ctx, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {filled:String} AND comment = {id:String}",
		clickhouse.Named("filled", filled), clickhouse.Named("id", id)).Scan(&waits)
	if err != nil || waits == 0 {
		return err
	}
	// A view follows its table's name, so it goes first.
	if err := w.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+importTable(id, table+"_view")+" SYNC"); err != nil {
		return err
	}
	return w.Conn().Exec(ctx, fmt.Sprintf("EXCHANGE TABLES %s AND %s", table, filled))
}

// recoverFill settles a fill whose process died.
func (w *Warehouse) recoverFill(ctx context.Context, j journaled) error {
	state := importAbandoned
	if j.State == importCommitting {
		if err := w.exchangeFilled(ctx, j.ID); err != nil {
			return err
		}
		state = importDone
	}
	end := &importJournal{w: w, id: j.ID, source: j.Source, owner: processName(), last: j.At, importedAt: j.ImportedAt}
	if err := end.write(ctx, state); err != nil {
		return err
	}
	return w.dropImport(ctx, j.ID)
}

// Abort gives the fill up: the sources stay as they are. After Commit it does nothing.
func (f *Fill) Abort(ctx context.Context) error {
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.w.dropImport(ctx, f.id), f.journal.end(ctx, importAbandoned))
}

// fillSettings make one part per partition of each batch, whatever its size.
var fillSettings = clickhouse.Settings{
	"max_insert_threads":                                 1,
	"max_threads":                                        1,
	"min_insert_block_size_rows":                         1 << 22,
	"min_insert_block_size_bytes":                        1 << 30,
	"max_partitions_per_insert_block":                    0,
	"insert_deduplicate":                                 0,
	"deduplicate_blocks_in_dependent_materialized_views": 0,
}

func fillContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(fillSettings))
}
