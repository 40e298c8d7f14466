package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// panel reads labelled snapshots under one churn definition and one catalogue. storePanel reads them out of a warehouse.
type panel interface {
	// Watermark is D: data are complete before it.
	Watermark(ctx context.Context) (time.Time, error)
	// Cutoffs are the grid points with known labels, T + M ≤ D, oldest first.
	Cutoffs(ctx context.Context) ([]time.Time, error)
	// Resolve makes the catalogue's families concrete from what was known at the newest of the cutoffs. It comes before any Snapshot.
	Resolve(ctx context.Context, cutoffs []time.Time) error
	// Catalogue is the resolved catalogue.
	Catalogue() *features.Catalogue
	// Snapshot is the vectors of everyone eligible at the cutoff.
	Snapshot(ctx context.Context, cutoff time.Time) (*features.Snapshot, error)
	// Labels are those of the snapshot's rows (NaN = missing), from rows with ingested_at < knownBefore; the zero time leaves nothing out.
	Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error)
}

// stack joins the labelled rows of the cutoffs, in their order, into one raw Dataset; rows with a missing label are left out.
// Labels are read from rows with ingested_at < knownBefore (zero time: all). The levels of a categorical column are the union over the cutoffs.
func stack(ctx context.Context, p panel, cutoffs []time.Time, knownBefore time.Time) (*features.Dataset, error) {
	var parts []*features.Dataset
	for _, t := range cutoffs {
		s, err := p.Snapshot(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("snapshot at %s: %w", day(t), err)
		}
		y, err := p.Labels(ctx, t, knownBefore)
		if err != nil {
			return nil, fmt.Errorf("labels at %s: %w", day(t), err)
		}
		if len(y) != len(s.Customer) {
			return nil, fmt.Errorf("labels at %s: %d for %d customers", day(t), len(y), len(s.Customer))
		}
		var known []int
		for i, v := range y {
			if !math.IsNaN(v) {
				known = append(known, i)
			}
		}
		if len(known) == 0 {
			continue
		}
		whole := &features.Dataset{X: s.X, Y: y, Customer: s.Customer, Cutoff: slices.Repeat([]time.Time{t.UTC()}, len(y))}
		if whole.Weight, err = weightsOf(ctx, p, t, knownBefore); err != nil {
			return nil, fmt.Errorf("weights at %s: %w", day(t), err)
		}
		if len(known) == len(y) {
			parts = append(parts, whole) // shares the panel's memory; concatenation copies
			continue
		}
		parts = append(parts, whole.Take(known))
	}
	return join(parts)
}

// join puts data sets of the same columns under each other.
func join(parts []*features.Dataset) (*features.Dataset, error) {
	out := &features.Dataset{}
	x := make([]*features.Matrix, len(parts))
	for k, d := range parts {
		x[k] = d.X
		out.Y = append(out.Y, d.Y...)
		out.Customer = append(out.Customer, d.Customer...)
		out.Cutoff = append(out.Cutoff, d.Cutoff...)
	}
	out.Weight = joinWeights(parts)
	var err error
	out.X, err = features.Stack(x...)
	return out, err
}

// storePanel reads snapshots out of a warehouse and keeps them until Close, since the rolling origin needs most of them more than once.
type storePanel struct {
	store     *features.Store
	catalogue *features.Catalogue
	churn     features.ChurnSpec
	grid      features.Grid
	labeller  *features.Labeller
	shelf     *shelf                  // nil before Resolve
	guard     *Guard                  // nil before Resolve
	kept      map[int64]*keptSnapshot // by Unix milliseconds of the cutoff
	progress  func(string)
}

type keptSnapshot struct {
	population *features.Population
	snapshot   *features.Snapshot
}

func newStorePanel(o Options) *storePanel {
	return &storePanel{store: o.Store.Remembering(), catalogue: o.Catalogue.For(o.Churn), churn: o.Churn, grid: o.Grid,
		labeller: o.Store.Labeller(o.Churn), kept: make(map[int64]*keptSnapshot), progress: o.Progress}
}

func (p *storePanel) Watermark(ctx context.Context) (time.Time, error) {
	return p.store.Watermark(ctx, p.churn)
}

func (p *storePanel) Cutoffs(ctx context.Context) ([]time.Time, error) {
	return p.store.Cutoffs(ctx, p.churn, p.grid)
}

func (p *storePanel) Resolve(ctx context.Context, cutoffs []time.Time) (err error) {
	if p.catalogue, err = p.catalogue.Resolve(ctx, p.store, cutoffs); err != nil {
		return err
	}
	if p.guard, err = NewGuard(ctx, p.store); err != nil {
		return err
	}
	p.shelf, err = openShelf(ctx, p, cutoffs)
	return err
}

func (p *storePanel) Catalogue() *features.Catalogue { return p.catalogue }

func (p *storePanel) Snapshot(ctx context.Context, cutoff time.Time) (*features.Snapshot, error) {
	k, err := p.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	return k.snapshot, nil
}

func (p *storePanel) Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	k, err := p.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	labels, err := p.labeller.Labels(ctx, k.population, knownBefore)
	if err != nil {
		return nil, err
	}
	return p.untreated(ctx, k, knownBefore, labels.Y)
}

func (p *storePanel) keep(ctx context.Context, cutoff time.Time) (*keptSnapshot, error) {
	key := cutoff.UnixMilli()
	if k, ok := p.kept[key]; ok {
		return k, nil
	}
	k, err := p.shelf.take(ctx, cutoff)
	if errors.Is(err, warehouse.ErrNoSnapshot) || errors.Is(err, features.ErrDamaged) {
		if k, err = p.compute(ctx, cutoff); err == nil {
			p.shelf.fresh = append(p.shelf.fresh, k)
		}
	}
	if err != nil {
		return nil, err
	}
	p.kept[key] = k
	return k, nil
}

func (p *storePanel) compute(ctx context.Context, cutoff time.Time) (*keptSnapshot, error) {
	population, err := p.grid.Rows(ctx, p.store, p.churn, cutoff)
	if err != nil {
		return nil, err
	}
	snapshot, err := p.store.Snapshot(ctx, p.catalogue, population)
	if err != nil {
		return nil, errors.Join(err, population.Close(ctx))
	}
	return &keptSnapshot{population: population, snapshot: snapshot}, nil
}

// Close stores what was computed, so that the next training need not compute it again, and drops the scratch tables of the populations. What cannot be
// stored is told and is no error: the training stands without it.
func (p *storePanel) Close(ctx context.Context) error {
	if p.shelf != nil && ctx.Err() == nil {
		if err := p.shelf.put(ctx); err != nil {
			p.progress(fmt.Sprintf("the snapshots are not kept for the next training: %v", err))
		}
	}
	var errs []error
	for _, k := range p.kept {
		errs = append(errs, k.population.Close(ctx))
	}
	p.kept = nil
	return errors.Join(errs...)
}
