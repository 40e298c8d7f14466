package pipelines

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/internal/warehouse"
	"retain/simulation"
)

// SimulateOptions say which world fills the sources.
type SimulateOptions struct {
	Warehouse *warehouse.Warehouse // required
	World     *simulation.World    // required
	Churn     features.ChurnSpec   // horizon, gap, grace and least tenure of the truth
	Replace   bool                 // sources that hold rows are replaced; else they are warehouse.ErrSourcesHoldRows
	Truth     string               // file for the truth, CSV; "" = none
	Producers int                  // customers made at once; 0 = 2
	Progress  func(customers, rows int64)
}

// SimulateReport is the JSON of `retain simulate`.
type SimulateReport struct {
	Customers int               `json:"customers"`
	Rows      map[string]uint64 `json:"rows"`      // per source, further versions included
	BaseRate  *float64          `json:"base_rate"` // of churn in the label window, over the firsts of months whose labels are known; null without any
	FirstAt   time.Time         `json:"first_at"`
	EndAt     time.Time         `json:"end_at"`
	Truth     *SimulatedTruth   `json:"truth"` // null without a file
	Seconds   float64           `json:"seconds"`
}

// SimulatedTruth tells of the file of the truth.
type SimulatedTruth struct {
	File     string   `json:"file"`
	Rows     int64    `json:"rows"`
	Cutoffs  int      `json:"cutoffs"`
	MeanRisk *float64 `json:"mean_p_true"` // null without rows
}

// simulateRun is one filling under way.
type simulateRun struct {
	SimulateOptions
	fill    *warehouse.Fill
	cutoffs []time.Time
	label   simulation.Label
	next    atomic.Int64 // customer chunk to be made
	made    atomic.Int64
	rows    atomic.Int64
	asked   atomic.Int64 // customers and cutoffs with a known label
	left    atomic.Int64 // of them those that left

	mu    sync.Mutex // of the truth file
	truth *truthFile
}

// simulateChunk customers are made by one producer before it looks for the next ones. The truth is written in their order.
const simulateChunk = 64

// Simulate fills the sources with a world. Customers are made and written one after another, so that memory does not grow with their number.
func Simulate(ctx context.Context, o SimulateOptions) (report *SimulateReport, err error) {
	started := time.Now()
	if !o.Replace {
		held, err := o.Warehouse.HeldRows(ctx)
		if err != nil {
			return nil, err
		}
		if len(held) > 0 {
			return nil, warehouse.ErrSourcesHoldRows
		}
	}
	if o.Producers == 0 {
		o.Producers = 2
	}
	run := &simulateRun{SimulateOptions: o, label: simulation.Label{GapDays: o.Churn.GapDays, HorizonDays: o.Churn.HorizonDays, MinTenureDays: o.Churn.MinTenureDays}}
	run.cutoffs = monthsWithin(o.World.Start(), o.World.End())
	if o.Truth != "" {
		if run.truth, err = newTruthFile(o.Truth); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, run.truth.drop()) }()
	}
	if run.fill, err = o.Warehouse.BeginFill(ctx, o.World.End()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, run.fill.Abort(context.WithoutCancel(ctx)))
		}
	}()
	group, inner := errgroup.WithContext(ctx)
	for range o.Producers {
		group.Go(func() error { return run.produce(inner) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	report = &SimulateReport{Customers: o.World.Customers(), FirstAt: o.World.Start(), EndAt: o.World.End()}
	if run.truth != nil {
		if err := run.truth.publish(); err != nil {
			return nil, err
		}
		report.Truth = run.truth.report(len(run.cutoffs))
	}
	if report.Rows, err = run.fill.Commit(ctx, o.Replace); err != nil {
		return nil, err
	}
	if n := run.asked.Load(); n > 0 {
		rate := float64(run.left.Load()) / float64(n)
		report.BaseRate = &rate
	}
	report.Seconds = time.Since(started).Seconds()
	return report, nil
}

// monthsWithin are the firsts of the months, 00:00 UTC, in (from, until].
func monthsWithin(from, until time.Time) []time.Time {
	var months []time.Time
	for t := time.Date(from.Year(), from.Month()+1, 1, 0, 0, 0, 0, time.UTC); !t.After(until); t = t.AddDate(0, 1, 0) {
		months = append(months, t)
	}
	return months
}

// produce makes customers until there are none left.
func (s *simulateRun) produce(ctx context.Context) error {
	to := map[string]*simulatedRows{}
	for _, source := range warehouse.ImportSources {
		rows, err := newSimulatedRows(s.fill, source)
		if err != nil {
			return err
		}
		to[source.Name] = rows
	}
	c := new(simulation.Customer)
	chunks := int64((s.World.Customers() + simulateChunk - 1) / simulateChunk)
	for {
		chunk := s.next.Add(1) - 1
		if chunk >= chunks {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		first := int(chunk) * simulateChunk
		last := min(first+simulateChunk, s.World.Customers())
		var truth []byte
		for i := first; i < last; i++ {
			s.World.Customer(i, c)
			simulatedCustomer(to, c)
			s.countLeavers(c)
			if s.truth != nil {
				truth = s.appendTruth(truth, c)
			}
		}
		if s.truth != nil {
			if err := s.truth.write(ctx, chunk, truth); err != nil {
				return err
			}
		}
		for _, source := range warehouse.ImportSources {
			rows := to[source.Name]
			s.rows.Add(int64(rows.batch.Rows))
			if err := rows.feed.Append(ctx, &rows.batch); err != nil {
				return err
			}
			rows.clear()
		}
		s.made.Add(int64(last - first))
		if s.Progress != nil {
			s.mu.Lock()
			s.Progress(s.made.Load(), s.rows.Load())
			s.mu.Unlock()
		}
	}
	for _, source := range warehouse.ImportSources {
		if err := to[source.Name].feed.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// countLeavers adds a customer to the base rate.
func (s *simulateRun) countLeavers(c *simulation.Customer) {
	for _, cutoff := range s.cutoffs {
		if s.Churn.Matures(cutoff).After(s.World.End()) {
			break
		}
		if left, ok := s.World.Left(c, s.World.Day(cutoff), s.label); ok {
			s.asked.Add(1)
			if left {
				s.left.Add(1)
			}
		}
	}
}

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
	f    *os.File
	w    *bufio.Writer
	done bool

	mu   sync.Mutex
	turn *sync.Cond
	next int64
	dead bool

	rows atomic.Int64
	sum  atomic.Int64 // of p_true, in units of 2^-32
}

func newTruthFile(path string) (*truthFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("write the truth: %w", err)
	}
	t := &truthFile{path: path, f: f, w: bufio.NewWriterSize(f, 1<<20)}
	t.turn = sync.NewCond(&t.mu)
	header := "customer_id,cutoff,p_true"
	for _, a := range simulation.Actions() {
		header += ",effect_" + a
	}
	_, err = io.WriteString(t.w, header+"\n")
	return t, err
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
	if _, err := t.w.Write(lines); err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	return nil
}

func (t *truthFile) publish() error {
	if err := errors.Join(t.w.Flush(), t.f.Chmod(0o644), t.f.Sync(), t.f.Close()); err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	t.done = true
	if err := os.Rename(t.f.Name(), t.path); err != nil {
		return fmt.Errorf("write the truth: %w", err)
	}
	return nil
}

// drop removes an unfinished file.
func (t *truthFile) drop() error {
	if t.done {
		return nil
	}
	return errors.Join(t.f.Close(), os.Remove(t.f.Name()))
}

func (t *truthFile) report(cutoffs int) *SimulatedTruth {
	r := &SimulatedTruth{File: t.path, Rows: t.rows.Load(), Cutoffs: cutoffs}
	if r.Rows > 0 {
		mean := float64(t.sum.Load()) / (1 << 32) / float64(r.Rows)
		r.MeanRisk = &mean
	}
	return r
}
