package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"retain/internal/warehouse"
)

// rangeRows is how many eligible customers one statement serves. Two statements run at once: together they take a third of a gigabyte
// for the default catalogue. Larger ranges save planning and lose as much to memory beyond the caches.
const (
	rangeRows    = 40_000
	rangesAtOnce = 2
	blockRows    = 8_192
)

// Snapshot computes the vectors of p's eligible customers at its cutoff, in the order of p.Eligible(): X has a column per entry
// of c, float32, NaN = missing; a categorical column carries the levels that occur, sorted by bytes. Every read is bounded by the
// cutoff in both clocks. A source without rows gives columns that are all missing. The catalogue must be resolved (ErrUnresolved).
// Rows out that are not the eligible customers, each once, are an error.
func (s *Store) Snapshot(ctx context.Context, c *Catalogue, p *Population) (*Snapshot, error) {
	x, err := s.snapshot(ctx, c, p, rangeRows)
	if err != nil {
		return nil, fmt.Errorf("snapshot at %s: %w", p.Cutoff.UTC().Format(time.RFC3339), err)
	}
	return x, nil
}

func (s *Store) snapshot(ctx context.Context, c *Catalogue, p *Population, rows int) (*Snapshot, error) {
	if !c.Resolved() {
		return nil, ErrUnresolved
	}
	compiler, err := newCompiler(ctx, s, p.Cutoff, c.Entries)
	if err != nil {
		return nil, err
	}
	compiler.lives = p.lives
	customers := p.Eligible()
	r := newSnapshotReader(c.Entries, customers)
	rows = evenRange(len(customers), rows)
	// Statements side by side share the cores: one thread each costs less than two that must be merged.
	// Small blocks keep the arrays that aggregates leave behind small: a tenth of the memory.
	settings := warehouse.LongStatement(clickhouse.Settings{"max_block_size": blockRows})
	if len(customers) > rows {
		settings["max_threads"] = max(runtime.GOMAXPROCS(0)/rangesAtOnce, 1)
	}
	group, running := errgroup.WithContext(clickhouse.Context(ctx, clickhouse.WithSettings(settings)))
	group.SetLimit(rangesAtOnce)
	for lo := 0; lo < len(customers); lo += rows {
		hi := min(lo+rows, len(customers))
		var keys keyRange
		if lo > 0 {
			keys.Low = customers[lo]
		}
		if hi < len(customers) {
			keys.High = customers[hi]
		}
		query, err := compiler.statement(ctx, c.Entries, p.Table, keys)
		if err != nil {
			return nil, errors.Join(err, group.Wait())
		}
		group.Go(func() error { return r.read(running, s, query, lo, hi) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return &Snapshot{Cutoff: p.Cutoff, Customer: customers, X: r.matrix()}, nil
}

// minRangeRows is from how many customers on a second statement is worth its planning.
const minRangeRows = 10_000

// evenRange is how many of n customers a statement serves, at most so many: equal shares that keep all statements that run at once busy.
func evenRange(n, most int) int {
	ranges := (n + most - 1) / most
	if n >= minRangeRows || ranges > 1 {
		ranges = (ranges + rangesAtOnce - 1) / rangesAtOnce * rangesAtOnce
	}
	return (n + ranges - 1) / max(ranges, 1)
}

// snapshotReader gathers the blocks of the statements, each in the rows of its range.
type snapshotReader struct {
	entries   []Entry
	customers []string
	x         [][]float32
	text      [][]string
}

func newSnapshotReader(entries []Entry, customers []string) *snapshotReader {
	r := &snapshotReader{entries: entries, customers: customers, text: make([][]string, len(entries)), x: make([][]float32, len(entries))}
	for j, e := range entries {
		if e.Kind() == Categorical {
			r.text[j] = make([]string, len(customers))
		} else {
			r.x[j] = make([]float32, len(customers))
		}
	}
	return r
}

// read runs the statement of the customers [lo, hi). Rows come in any order, as sorting them by the engine costs a sixth of the whole
// statement: each goes to the row of its customer, most often the next one.
func (r *snapshotReader) read(ctx context.Context, s *Store, query string, lo, hi int) error {
	customers, seen, read := r.customers[lo:hi], make([]bool, hi-lo), 0
	next := 0
	var at []int // of each row of a block: its place in x
	for block, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return err
		}
		at = at[:0]
		for _, id := range block.Strings("customer_id") {
			if next >= len(customers) || customers[next] != id {
				place, ok := slices.BinarySearch(customers, id)
				if !ok {
					return errors.New("a row is of none of the eligible customers")
				}
				next = place
			}
			if seen[next] {
				return errors.New("two rows are of one of the eligible customers")
			}
			seen[next] = true
			at = append(at, lo+next)
			next++
		}
		read += len(at)
		for j, e := range r.entries {
			if e.Kind() == Categorical {
				scatter(r.text[j], at, block.Strings(e.Name))
			} else {
				scatter(r.x[j], at, block.Float32s(e.Name))
			}
		}
	}
	if read != hi-lo {
		return fmt.Errorf("%d rows for %d eligible customers", read, hi-lo)
	}
	return nil
}

// scatter puts value i into place at[i].
func scatter[T any](column []T, at []int, values []T) {
	for i, v := range values {
		column[at[i]] = v
	}
}

func (r *snapshotReader) matrix() *Matrix {
	m := &Matrix{Schema: make(Schema, len(r.entries)), X: r.x}
	for j, e := range r.entries {
		m.Schema[j] = Column{Name: e.Name, Kind: e.Kind(), Definition: e.Definition(), Monotone: int8(e.Monotone)}
		if e.Kind() == Categorical {
			m.Schema[j].Levels, m.X[j] = codes(r.text[j])
			continue
		}
		for i, v := range m.X[j] {
			if math.IsInf(float64(v), 0) {
				m.X[j][i] = float32(math.NaN()) // beyond float32: not a value that a model could use
			}
		}
	}
	return m
}

// codes numbers the different texts in the order of bytes; "" is missing.
func codes(values []string) ([]string, []float32) {
	code := map[string]float32{}
	for _, v := range values {
		if v != "" {
			code[v] = 0
		}
	}
	levels := sortedKeys(code)
	for i, l := range levels {
		code[l] = float32(i)
	}
	code[""] = float32(math.NaN())
	x := make([]float32, len(values))
	for i, v := range values {
		x[i] = code[v]
	}
	return levels, x
}
