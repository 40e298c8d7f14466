package features

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// rangeRows is how many eligible customers one statement serves: about half a gigabyte for the default catalogue.
const rangeRows = 125_000

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
	customers := p.Eligible()
	r := newSnapshotReader(c.Entries, len(customers))
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
			return nil, err
		}
		if err := r.read(ctx, s, query, customers[:hi]); err != nil {
			return nil, err
		}
	}
	return &Snapshot{Cutoff: p.Cutoff, Customer: customers, X: r.matrix()}, nil
}

// snapshotReader gathers the blocks of the statements.
type snapshotReader struct {
	entries []Entry
	rows    int
	x       [][]float32
	text    [][]string
}

func newSnapshotReader(entries []Entry, customers int) *snapshotReader {
	r := &snapshotReader{entries: entries, text: make([][]string, len(entries)), x: make([][]float32, len(entries))}
	for j, e := range entries {
		if e.Kind() == Categorical {
			r.text[j] = make([]string, 0, customers)
		} else {
			r.x[j] = make([]float32, 0, customers)
		}
	}
	return r
}

func (r *snapshotReader) read(ctx context.Context, s *Store, query string, customers []string) error {
	for block, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return err
		}
		ids := block.Strings("customer_id")
		if r.rows+len(ids) > len(customers) || !slices.Equal(ids, customers[r.rows:r.rows+len(ids)]) {
			return fmt.Errorf("the rows from %d on are not the eligible customers in order", r.rows)
		}
		r.rows += len(ids)
		for j, e := range r.entries {
			if e.Kind() == Categorical {
				r.text[j] = append(r.text[j], block.Strings(e.Name)...)
			} else {
				r.x[j] = append(r.x[j], block.Float32s(e.Name)...)
			}
		}
	}
	if r.rows != len(customers) {
		return fmt.Errorf("%d rows for %d eligible customers", r.rows, len(customers))
	}
	return nil
}

func (r *snapshotReader) matrix() *Matrix {
	m := &Matrix{Schema: make(Schema, len(r.entries)), X: r.x}
	for j, e := range r.entries {
		m.Schema[j] = Column{Name: e.Name, Kind: e.Kind(), Definition: e.Definition()}
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
