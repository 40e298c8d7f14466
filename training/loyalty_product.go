package training

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/training/metrics"
)

// LoyaltyProduct are the figures of P(repeat) · P(promotes | repeat) on the test cutoffs that both parts share, over the rows of which it is
// known whether the customer repeated and promoted. Where it is known of some who repeated only, each of them stands for as many as
// there are at the cutoff; else those who did not repeat, of whom all is known, would be too many.
type LoyaltyProduct struct {
	Cutoffs          []time.Time       `json:"cutoffs"`
	Rows             int               `json:"rows"`
	Positives        int               `json:"positives"`   // repeated and promoted
	KnownShare       float64           `json:"known_share"` // of those who repeated: known whether they promoted
	AUC              metrics.Figure    `json:"auc"`         // mean of the cutoffs, weighted by positives
	LogLoss          metrics.Figure    `json:"log_loss"`
	Brier            metrics.Figure    `json:"brier"`
	ObservedExpected metrics.Figure    `json:"observed_expected"`          // Σ w·y / Σ w·p
	OEInterval       [2]metrics.Figure `json:"observed_expected_interval"` // 95 %, bootstrap by customer
}

// productMeasure gathers what the second part says of everyone at its test cutoffs, those who do not repeat among them.
type productMeasure struct {
	panels loyaltyPanel
	until  time.Time
	seen   []seenCutoff
}

// seenCutoff is one test cutoff.
type seenCutoff struct {
	cutoff          time.Time
	customer        []string
	y, w            []float64            // of the product
	p               map[string][]float64 // P(promotes) by family
	repeated, known int
}

// witness predicts the product's rows at an origin by the fits of the second part.
func (m *productMeasure) witness(ctx context.Context, o origin, e *encoded, fitted []*Fitted) error {
	snapshot, err := m.panels.Part(features.PartPromotes).Snapshot(ctx, o.Test)
	if err != nil {
		return fmt.Errorf("snapshot at %s: %w", day(o.Test), err)
	}
	labels, err := m.panels.Both(ctx, o.Test, m.until)
	if err != nil {
		return fmt.Errorf("labels at %s: %w", day(o.Test), err)
	}
	s := seenCutoff{cutoff: o.Test, p: make(map[string][]float64)}
	var rows []int
	for i, y := range labels.Both() {
		if labels.Repeat[i] == 1 {
			s.repeated++
		}
		if math.IsNaN(y) {
			continue
		}
		if labels.Repeat[i] == 1 {
			s.known++
		}
		rows = append(rows, i)
		s.y, s.customer = append(s.y, y), append(s.customer, snapshot.Customer[i])
	}
	for _, i := range rows {
		w := 1.
		if labels.Repeat[i] == 1 {
			w = float64(s.repeated) / float64(s.known)
		}
		s.w = append(s.w, w)
	}
	x, err := e.encoding.Apply(snapshot.X.Take(rows))
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	for _, f := range fitted {
		if family, ok := familyOf(f.Family); !ok || family.Comparison {
			continue
		}
		if _, s.p[f.Family], err = f.Probabilities(x); err != nil {
			return err
		}
	}
	m.seen = append(m.seen, s)
	return nil
}

// figures measures the product by the chosen families of both parts; nil where they share no test cutoff.
func (m *productMeasure) figures(repeat, promotes *lesson, seed uint64) *LoyaltyProduct {
	out := &LoyaltyProduct{}
	contender := repeat.measured.find(repeat.artifact.Family)
	var customer []string
	var p, y, w, aucs, positives []float64
	repeated, known := 0, 0
	for _, s := range m.seen {
		k := slices.IndexFunc(contender.Held, func(h metrics.Held) bool { return h.Cutoff.Equal(s.cutoff) })
		if k < 0 || len(repeat.measured.Origins) == 0 || s.p[promotes.artifact.Family] == nil {
			continue
		}
		first := make(map[string]float64, len(contender.Held[k].P))
		for i, c := range contender.Held[k].Customer {
			first[c] = contender.Held[k].P[i]
		}
		from := len(p)
		for i, second := range s.p[promotes.artifact.Family] {
			p = append(p, first[s.customer[i]]*second) // the first part's labels are known of all these rows
		}
		customer, y, w = append(customer, s.customer...), append(y, s.y...), append(w, s.w...)
		aucs = append(aucs, metrics.AUC(p[from:], y[from:], w[from:]))
		positives = append(positives, float64(metrics.Positives(s.y)))
		repeated, known = repeated+s.repeated, known+s.known
		out.Cutoffs = append(out.Cutoffs, s.cutoff.UTC())
	}
	if len(p) == 0 {
		return nil
	}
	out.Rows, out.Positives = len(y), metrics.Positives(y)
	out.KnownShare = float64(known) / float64(max(repeated, 1))
	out.AUC = meanDefined(aucs, positives)
	out.LogLoss, out.Brier = metrics.Figure(metrics.LogLoss(p, y, w)), metrics.Figure(metrics.Brier(p, y, w))
	observed, expected := make([]float64, len(y)), make([]float64, len(y))
	for i := range y {
		observed[i], expected[i] = w[i]*y[i], w[i]*p[i]
	}
	out.ObservedExpected = metrics.Figure(metrics.Sum(observed) / metrics.Sum(expected))
	b := metrics.NewBootstrap(seed, customer)
	out.OEInterval = b.Ratio(observed, expected)
	return out
}

// meanDefined is the mean of the values that are defined, by weights.
func meanDefined(x, w []float64) metrics.Figure {
	var total, weight float64
	for k, v := range x {
		if !math.IsNaN(v) {
			total += w[k] * v
			weight += w[k]
		}
	}
	return metrics.Figure(total / weight)
}
