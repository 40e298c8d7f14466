package warehouse

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/cespare/xxhash/v2"
)

// A batch stays in memory until it is sent, so it is sent after so many rows, or bytes of their values.
const (
	stageRows  = 100_000
	stageBytes = 48 << 20
)

// ImportBatch is a run of rows in columns. Texts and Whole are aligned with ImportSource.Columns: by the kind of the column
// one of the two holds Rows values, the other is nil. A batch may be reused after Append.
type ImportBatch struct {
	Rows           int
	Texts          [][]string
	Whole          [][]int64
	IngestedAt     []int64 // knowledge time, in milliseconds since 1970
	IngestedMapped []int64 // 1: it was given, 0: it is the row's own time
}

// columns are the values of the canonical columns behind those that come first, in the order of the source.
func (b ImportBatch) columns(source ImportSource, first ...any) []any {
	for i, c := range source.Columns {
		if c.Kind.Textual() {
			first = append(first, b.Texts[i][:b.Rows])
		} else {
			first = append(first, b.Whole[i][:b.Rows])
		}
	}
	return first
}

// Staging is an import under way: rows gather in a table beside the source until Commit makes them visible in one step.
// It belongs to one goroutine. Abort after Commit does nothing.
type Staging struct {
	w       *Warehouse
	source  ImportSource
	id      string
	now     func() time.Time
	journal *importJournal
	batch   driver.Batch
	pending int // rows in batch
	bytes   int // of their values
	rows    uint64
	closed  bool
	hash    []byte
	ids     []int // columns of the identity
	rowHash []uint64
	idHash  []uint64
	line    []uint64
}

// ImportCounts tells what an import did.
type ImportCounts struct {
	Rows uint64 // rows staged
	New  uint64 // of them not held before: new events and new versions of known ones
}

// StageImport begins an import of a source. It first settles what died imports have left (RecoverImports). now is the clock; nil means time.Now.
func (w *Warehouse) StageImport(ctx context.Context, source ImportSource, now func() time.Time) (*Staging, error) {
	if now == nil {
		now = time.Now
	}
	if err := w.RecoverImports(ctx); err != nil {
		return nil, err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, fmt.Errorf("name the import: %w", err)
	}
	s := &Staging{w: w, source: source, id: hex.EncodeToString(random[:]), now: now}
	for _, name := range source.ID {
		s.ids = append(s.ids, source.Column(name))
	}
	var err error
	if s.journal, err = w.beginImportJournal(ctx, s.id, source.Name); err != nil {
		return nil, err
	}
	if err := s.exec(ctx, s.stageDDL()); err != nil {
		return nil, errors.Join(fmt.Errorf("create the staging table: %w", err), s.Abort(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// table names a table of this import.
func (s *Staging) table(part string) string { return importTable(s.id, part) }

func importTable(id, part string) string { return "import_" + id + "_" + part }

func (s *Staging) stageDDL() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (line UInt64, id_hash UInt64, row_hash UInt64, ingested_at Int64, ingested_mapped Int64", s.table("stage"))
	for _, c := range s.source.Columns {
		fmt.Fprintf(&b, ", %s %s", c.Name, c.stagedType())
	}
	b.WriteString(") ENGINE = MergeTree ORDER BY line")
	b.WriteString(unmerged)
	return b.String()
}

// unmerged keeps the parts of a short-lived table as they were written.
const unmerged = ` SETTINGS max_bytes_to_merge_at_max_space_in_pool = 1, parts_to_throw_insert = 1000000, parts_to_delay_insert = 1000000`

// Append stages the rows of b, which follow those staged before.
func (s *Staging) Append(ctx context.Context, b *ImportBatch) error {
	if b.Rows == 0 {
		return nil
	}
	if s.batch == nil {
		batch, err := s.w.Conn().PrepareBatch(ctx, fmt.Sprintf("INSERT INTO %s (line, id_hash, row_hash, ingested_at, ingested_mapped, %s)",
			s.table("stage"), s.source.names()))
		if err != nil {
			return fmt.Errorf("stage rows: %w", err)
		}
		s.batch = batch
	}
	s.hashRows(b)
	columns := b.columns(s.source, s.line, s.idHash, s.rowHash, b.IngestedAt[:b.Rows], b.IngestedMapped[:b.Rows])
	for i, values := range columns {
		if err := s.batch.Column(i).Append(values); err != nil {
			return fmt.Errorf("stage rows: %w", err)
		}
	}
	s.rows += uint64(b.Rows)
	if s.pending += b.Rows; s.pending >= stageRows || s.bytes >= stageBytes {
		return s.flush()
	}
	return nil
}

func (s *Staging) flush() error {
	if s.batch == nil {
		return nil
	}
	batch := s.batch
	s.batch, s.pending, s.bytes = nil, 0, 0
	if err := batch.Send(); err != nil {
		return fmt.Errorf("stage rows: %w", err)
	}
	return nil
}

// hashRows fills line, idHash and rowHash for the rows of b.
func (s *Staging) hashRows(b *ImportBatch) {
	s.line, s.idHash, s.rowHash = s.line[:0], s.idHash[:0], s.rowHash[:0]
	customer := s.source.Column("customer_id")
	for r := range b.Rows {
		s.line = append(s.line, s.rows+uint64(r))
		// The content: position and value of each column that is not missing, so that columns can be added to a source without changing known hashes.
		h := s.hash[:0]
		h = append(h, 'r')
		for i, c := range s.source.Columns {
			h = s.hashValue(h, b, i, c, r)
		}
		s.rowHash = append(s.rowHash, nonZero(xxhash.Sum64(h)))
		s.bytes += len(h)
		id := uint64(0)
		if s.source.ID == nil || len(s.ids) > 0 && b.Texts[s.ids[0]][r] != "" {
			h = append(h[:0], 'i')
			h = s.hashValue(h, b, customer, s.source.Columns[customer], r)
			for _, i := range s.ids {
				h = s.hashValue(h, b, i, s.source.Columns[i], r)
			}
			id = nonZero(xxhash.Sum64(h))
		}
		s.idHash = append(s.idHash, id)
		s.hash = h
	}
}

func (s *Staging) hashValue(h []byte, b *ImportBatch, i int, c ImportColumn, r int) []byte {
	if c.Kind.Textual() {
		v := b.Texts[i][r]
		if v == "" {
			return h
		}
		h = append(h, byte(i))
		h = binary.AppendUvarint(h, uint64(len(v)))
		return append(h, v...)
	}
	v := b.Whole[i][r]
	if v == ImportNull {
		return h
	}
	h = append(h, byte(i))
	return binary.LittleEndian.AppendUint64(h, uint64(v))
}

// nonZero keeps 0 for "no identity".
func nonZero(h uint64) uint64 {
	if h == 0 {
		return 1
	}
	return h
}

// Abort gives the import up: nothing of it stays.
func (s *Staging) Abort(ctx context.Context) error {
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.batch != nil {
		err = s.batch.Abort()
		s.batch = nil
	}
	return errors.Join(err, s.w.dropImport(ctx, s.id), s.journal.end(ctx, importAbandoned))
}

// importSettings bound the memory of one statement: blocks are small, big groups and sorts go to disk.
var importSettings = clickhouse.Settings{
	"max_threads":                        2,
	"max_insert_threads":                 1,
	"max_block_size":                     32_768,
	"min_insert_block_size_rows":         131_072,
	"min_insert_block_size_bytes":        64 << 20,
	"max_partitions_per_insert_block":    0,
	"insert_deduplicate":                 0,
	"max_bytes_before_external_group_by": 256 << 20,
	"max_bytes_before_external_sort":     256 << 20,
	"join_use_nulls":                     0,
	"use_index_for_in_with_subqueries":   0, // sets of hashes prune nothing, and the attempt costs 600 MB and 8 s a million
}

func importContext(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(importSettings))
}

func (s *Staging) exec(ctx context.Context, query string) error {
	return s.w.Conn().Exec(importContext(ctx), query)
}

func (s *Staging) count(ctx context.Context, query string) (uint64, error) {
	var n uint64
	err := s.w.Conn().QueryRow(importContext(ctx), query).Scan(&n)
	return n, err
}
