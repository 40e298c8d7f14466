package pipelines

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"retain/internal/atomicfile"
	"retain/simulation"
)

// appendTruth writes the lines of a customer.
func (s *simulateRun) appendTruth(lines []byte, c *simulation.Customer) []byte {
	for _, cutoff := range s.cutoffs {
		t, ok := s.World.Truth(c, s.World.Day(cutoff), s.label)
		if !ok {
			continue
		}
		s.truth.add(t.Risk)
		lines = append(lines, c.ID...)
		lines = append(lines, ',')
		lines = cutoff.AppendFormat(lines, time.RFC3339)
		for _, v := range append([]float64{t.Risk}, t.Effects...) {
			lines = append(lines, ',')
			lines = strconv.AppendFloat(lines, v, 'g', 10, 64)
		}
		lines = append(lines, '\n')
	}
	return lines
}

// truthFile is the CSV of the truth, which appears whole or not at all. Chunks are written in their order.
type truthFile struct {
	path string
	f    *atomicfile.File

	mu   sync.Mutex
	turn *sync.Cond
	next int64
	dead bool

	rows atomic.Int64
	sum  atomic.Int64 // of p_true, in units of 2^-32
}

func newTruthFile(path string) (*truthFile, error) {
	f, err := atomicfile.Create(path, 0o644)
	if err != nil {
		return nil, fmt.Errorf("truth: %w", err)
	}
	t := &truthFile{path: path, f: f}
	t.turn = sync.NewCond(&t.mu)
	header := "customer_id,cutoff,p_true"
	for _, a := range simulation.Actions() {
		header += ",effect_" + a
	}
	fmt.Fprintln(t.f, header) // the file keeps its first error
	return t, nil
}

func (t *truthFile) add(p float64) {
	t.rows.Add(1)
	t.sum.Add(int64(p * (1 << 32)))
}

// write appends the lines of a chunk after those of all chunks before it.
func (t *truthFile) write(ctx context.Context, chunk int64, lines []byte) error {
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		t.dead = true
		t.mu.Unlock()
		t.turn.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.next != chunk {
		if t.dead {
			return ctx.Err()
		}
		t.turn.Wait()
	}
	t.next++
	t.turn.Broadcast()
	if _, err := t.f.Write(lines); err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	return nil
}

// sync brings the truth to the disk, still without its name.
func (t *truthFile) sync() error {
	if err := t.f.Sync(); err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	return nil
}

// publish gives the file its name.
func (t *truthFile) publish() error {
	if err := t.f.Publish(); err != nil {
		return fmt.Errorf("the simulated rows are in place, but not their truth; simulate again with --force: %w", err)
	}
	return nil
}

func (t *truthFile) report(cutoffs int) *SimulatedTruth {
	r := &SimulatedTruth{File: t.path, Rows: t.rows.Load(), Cutoffs: cutoffs}
	if r.Rows > 0 {
		mean := float64(t.sum.Load()) / (1 << 32) / float64(r.Rows)
		r.MeanRisk = &mean
	}
	return r
}
