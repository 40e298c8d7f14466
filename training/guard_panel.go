package training

import (
	"context"
	"math"
	"slices"
	"time"

	"retain/features"
)

// weigher is a panel whose rows do not all weigh the same.
type weigher interface {
	// Weights are those of the snapshot's rows, treated ones included; nil = 1 each.
	Weights(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error)
	// Guarded is what the guard did to the rows of the cutoffs; nil where no decision falls into their windows.
	Guarded(ctx context.Context, cutoffs []time.Time, knownBefore time.Time) (*Guarded, error)
}

// weightsOf are the weights of a cutoff's rows; nil = 1 each.
func weightsOf(ctx context.Context, p panel, cutoff, knownBefore time.Time) ([]float64, error) {
	if w, ok := p.(weigher); ok {
		return w.Weights(ctx, cutoff, knownBefore)
	}
	return nil, nil
}

// guarded is what a panel's guard did; nil where it has none.
func guarded(ctx context.Context, p panel, cutoffs []time.Time, knownBefore time.Time) (*Guarded, error) {
	if w, ok := p.(weigher); ok {
		return w.Guarded(ctx, cutoffs, knownBefore)
	}
	return nil, nil
}

// joinWeights are the weights of data sets under each other; nil where all weigh 1.
func joinWeights(parts []*features.Dataset) []float64 {
	if !slices.ContainsFunc(parts, func(d *features.Dataset) bool { return d.Weight != nil }) {
		return nil
	}
	var out []float64
	for _, d := range parts {
		if d.Weight == nil {
			out = append(out, slices.Repeat([]float64{1}, d.Rows())...)
		}
		out = append(out, d.Weight...)
	}
	return out
}

// untreated are the labels of a snapshot's rows without those of treated customers: NaN.
func (p *storePanel) untreated(ctx context.Context, k *keptSnapshot, knownBefore time.Time, y []float64) ([]float64, error) {
	u, err := p.guard.Of(ctx, p.churn, k.snapshot.Cutoff, knownBefore)
	if err != nil || u == nil {
		return y, err
	}
	out := slices.Clone(y)
	for i, id := range k.snapshot.Customer {
		if _, ok := u.Weight(id); !ok {
			out[i] = math.NaN()
		}
	}
	return out, nil
}

// Weights are those of Untreated, 1 for the treated, who have no label.
func (p *storePanel) Weights(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	u, err := p.guard.Of(ctx, p.churn, cutoff, knownBefore)
	if err != nil || u == nil {
		return nil, err
	}
	k, err := p.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(k.snapshot.Customer))
	for i, id := range k.snapshot.Customer {
		out[i] = 1
		if w, ok := u.Weight(id); ok {
			out[i] = w
		}
	}
	return out, nil
}

// Guarded counts the labelled rows of the cutoffs into whose windows decisions fall.
func (p *storePanel) Guarded(ctx context.Context, cutoffs []time.Time, knownBefore time.Time) (*Guarded, error) {
	out := &Guarded{Largest: 1}
	for _, t := range cutoffs {
		u, err := p.guard.Of(ctx, p.churn, t, knownBefore)
		if err != nil {
			return nil, err
		}
		if u == nil {
			continue
		}
		k, err := p.keep(ctx, t)
		if err != nil {
			return nil, err
		}
		labels, err := p.labeller.Labels(ctx, k.population, knownBefore)
		if err != nil {
			return nil, err
		}
		out.Cutoffs++
		for i, id := range k.snapshot.Customer {
			if math.IsNaN(labels.Y[i]) {
				continue
			}
			if w, ok := u.Weight(id); ok {
				out.Untreated++
				out.Largest = max(out.Largest, w)
				continue
			}
			out.Treated++
			if u.Unexplained(id) {
				out.Strangers++
			}
		}
	}
	if out.Cutoffs == 0 {
		return nil, nil
	}
	return out, nil
}

// Weights of loyalty are 1: it asks who stays and promotes as things are done.
func (p *storePart) Weights(context.Context, time.Time, time.Time) ([]float64, error) {
	return nil, nil
}
