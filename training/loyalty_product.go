package training

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"retain/features"
	"retain/training/metrics"
)

// LoyaltyProduct are the figures of P(repeat) · P(promotes | repeat) on the test cutoffs that both parts share. They are of the customers of whom
// it was settled at the cutoff that both would be known: whatever they did then does not decide who is counted. Where a cutoff has none, since
// only answers tell who promotes, all are counted whose outcome is known, and each who repeated and answered stands for as many as repeated:
// that takes those who answer for a fair sample of those who do not.
type LoyaltyProduct struct {
	Cutoffs          []time.Time      `json:"cutoffs"`
	Rows             int              `json:"rows"`
	Positives        int              `json:"positives"` // repeated and promoted
	Share            metrics.Figure   `json:"share"`     // rows, of all at these cutoffs of whom it is known whether they repeated
	Weighted         bool             `json:"weighted"`  // at some cutoff only answers told who promotes
	AUC              metrics.Figure   `json:"auc"`       // mean of the cutoffs, weighted by positives
	LogLoss          metrics.Figure   `json:"log_loss"`
	Brier            metrics.Figure   `json:"brier"`
	ObservedExpected metrics.Figure   `json:"observed_expected"`          // Σ w·y / Σ w·p
	OEInterval       metrics.Interval `json:"observed_expected_interval"` // 95 %, bootstrap by customer
	Correlation      metrics.Figure   `json:"correlation"`                // of both parts' probabilities over the rows, -1..1
}

// verdict says what the figures mean for the ranking: where those who repeat most promote least, nobody stands out, and no product could rank them.
func (p *LoyaltyProduct) verdict() []string {
	if p == nil || !(p.AUC < hardlyRanks) {
		return nil
	}
	line := fmt.Sprintf("the loyalty score hardly ranks: the AUC of the product is %.3f", float64(p.AUC))
	if p.Correlation < -opposed {
		line += fmt.Sprintf(", for those who are more likely to repeat are less likely to promote (correlation %.2f); read the two parts beside it", float64(p.Correlation))
	}
	return []string{line}
}

const (
	hardlyRanks = .55 // AUC of the product
	opposed     = .2  // correlation of the parts below the negative of which they are told to oppose each other
)

// productMeasure gathers what the second part says of everyone at its test cutoffs, those who do not repeat among them.
type productMeasure struct {
	panels loyaltyPanel
	until  time.Time
	seen   []seenCutoff
}

// seenCutoff is one test cutoff.
type seenCutoff struct {
	cutoff   time.Time
	customer []string
	y, w     []float64            // of the product
	p        map[string][]float64 // P(promotes) by family
	all      int                  // rows of which it is known whether they repeated
	weighted bool
}

// gather takes the rows of a cutoff by the rules of LoyaltyProduct.
func (s *seenCutoff) gather(labels *features.LoyaltyLabels, customer []string) (rows []int) {
	repeated, known := 0, 0
	both := labels.Both()
	for i, y := range labels.Repeat {
		if math.IsNaN(y) {
			continue
		}
		s.all++
		if labels.Sure[i] {
			rows = append(rows, i)
		}
		if y == 1 {
			repeated++
			if !math.IsNaN(both[i]) {
				known++
			}
		}
	}
	if s.weighted = len(rows) == 0; s.weighted {
		for i, y := range both {
			if !math.IsNaN(y) {
				rows = append(rows, i)
			}
		}
	}
	for _, i := range rows {
		w := 1.
		if s.weighted && labels.Repeat[i] == 1 {
			w = float64(repeated) / float64(known)
		}
		s.customer, s.y, s.w = append(s.customer, customer[i]), append(s.y, both[i]), append(s.w, w)
	}
	return rows
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
	rows := s.gather(labels, snapshot.Customer)
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
	var p, repeats, promote, y, w, aucs, positives []float64
	all := 0
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
			repeats, promote = append(repeats, first[s.customer[i]]), append(promote, second)
		}
		customer, y, w = append(customer, s.customer...), append(y, s.y...), append(w, s.w...)
		aucs = append(aucs, metrics.AUC(p[from:], y[from:], w[from:]))
		positives = append(positives, float64(metrics.Positives(s.y)))
		all += s.all
		out.Weighted = out.Weighted || s.weighted
		out.Cutoffs = append(out.Cutoffs, s.cutoff.UTC())
	}
	if len(p) == 0 {
		return nil
	}
	out.Rows, out.Positives = len(y), metrics.Positives(y)
	out.Share = metrics.Figure(float64(len(y)) / float64(all))
	out.AUC = meanDefined(aucs, positives)
	out.LogLoss, out.Brier = metrics.Figure(metrics.LogLoss(p, y, w)), metrics.Figure(metrics.Brier(p, y, w))
	observed, expected := make([]float64, len(y)), make([]float64, len(y))
	for i := range y {
		observed[i], expected[i] = w[i]*y[i], w[i]*p[i]
	}
	out.ObservedExpected = metrics.Figure(metrics.Sum(observed) / metrics.Sum(expected))
	out.Correlation = metrics.Figure(stat.Correlation(repeats, promote, w))
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
