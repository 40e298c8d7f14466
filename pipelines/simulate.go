package pipelines

import (
	"context"
	"errors"
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
	Warehouse *warehouse.Warehouse         // required
	World     *simulation.World            // required
	Churn     features.ChurnSpec           // horizon, gap, grace and least tenure of the truth
	Replace   bool                         // sources that hold rows are replaced; else they are warehouse.ErrSourcesHoldRows
	Truth     string                       // file for the truth, CSV; "" = none
	Producers int                          // customers made at once; 0 = 2
	Progress  func(customers, usage int64) // customers made so far, and rows of usage
}

// SimulateReport is the JSON of `retain simulate`.
type SimulateReport struct {
	Customers int               `json:"customers"`
	Rows      map[string]uint64 `json:"rows"`      // per source, further versions included
	BaseRate  *float64          `json:"base_rate"` // of churn in the label window, over the firsts of months whose labels are known; null without any
	FirstAt   time.Time         `json:"first_at"`
	EndAt     time.Time         `json:"end_at"`
	Truth     *SimulatedTruth   `json:"truth"` // null without a file

	CarriedOut []CarriedOut `json:"carried_out,omitempty"` // of a course: what became of the decisions of each run

	Seconds float64 `json:"seconds"`
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

	mu    sync.Mutex // of Progress: one call at a time
	truth *truthFile // nil without a file
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
		defer func() { err = errors.Join(err, run.truth.f.Discard()) }()
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
	// A truth that is published tells of rows that are in place: all that can fail at it is done before they are, and its name is given after.
	if run.truth != nil {
		if err := run.truth.sync(); err != nil {
			return nil, err
		}
	}
	if report.Rows, err = run.fill.Commit(ctx, o.Replace); err != nil {
		return nil, err
	}
	if run.truth != nil {
		if err := run.truth.publish(); err != nil {
			return nil, err
		}
		report.Truth = run.truth.report(len(run.cutoffs))
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
			s.rows.Add(int64(len(c.Usage)))
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
			if err := to[source.Name].send(ctx, false); err != nil {
				return err
			}
		}
		s.made.Add(int64(last - first))
		if s.Progress != nil {
			s.mu.Lock()
			s.Progress(s.made.Load(), s.rows.Load())
			s.mu.Unlock()
		}
	}
	for _, source := range warehouse.ImportSources {
		if err := to[source.Name].send(ctx, true); err != nil {
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
