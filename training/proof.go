package training

import (
	"context"
	"fmt"
	"math"
	"time"

	"retain/features"
	"retain/training/metrics"
)

// Curves are how a family does over its whole range: whether its probabilities hold, and what its ranking finds and earns.
type Curves struct {
	Family      string                   `json:"family"`
	Reliability []metrics.ReliabilityBin `json:"reliability"` // lowest probabilities first
	Gains       []metrics.GainPoint      `json:"gains"`
	Profit      *metrics.ProfitCurve     `json:"profit"`
}

// takeCurves moves the curves out of the rows of a tournament's table, since the artifact holds its family's row and has no use for them.
func takeCurves(rows []metrics.ModelFigures) []Curves {
	out := make([]Curves, len(rows))
	for k := range rows {
		p := &rows[k].Pooled
		out[k] = Curves{Family: rows[k].Name, Reliability: listed(p.Bins), Gains: listed(p.Gains), Profit: p.Profit}
		p.Bins, p.Gains, p.Profit = nil, nil, nil
	}
	return out
}

// segmentTable measures a family by the levels of the categorical columns at the test cutoffs; there are none where there was no test cutoff.
func (t *tournament) segmentTable(family string, seed uint64) metrics.SegmentTable {
	if c := t.find(family); c != nil && len(t.categories) == len(c.Held) {
		return metrics.Segments(metrics.Entrant{Name: c.Name, Held: c.Held}, t.categories, seed)
	}
	return metrics.SegmentTable{Family: family, Segments: []metrics.SegmentFigures{}}
}

// categoriesOf are the categorical columns of raw rows, sharing their memory.
func categoriesOf(x *features.Matrix) []metrics.Category {
	var out []metrics.Category
	for j, c := range x.Schema {
		if c.Kind == features.Categorical {
			out = append(out, metrics.Category{Column: c.Name, Levels: c.Levels, Code: x.X[j]})
		}
	}
	return out
}

// lowestLoss is the place of the family with the lowest pooled log loss among those that may be champion, -1 if there is none.
func lowestLoss(rows []metrics.ModelFigures) int {
	lowest := -1
	for k, r := range rows {
		family, _ := familyOf(r.Name)
		if !family.Comparison && r.Name != familyChampion && (lowest < 0 || r.Pooled.LogLoss < rows[lowest].Pooled.LogLoss) {
			lowest = k
		}
	}
	return lowest
}

// drawWords say what the intervals of any table are.
var drawWords = fmt.Sprintf("intervals: 95 %%, from %d draws of customers with weights Poisson(1), the same draws for every family", metrics.Draws)

// leftOutWords say what they leave out whether label windows overlap or not.
const leftOutWords = "; shocks that hit all customers at once are not in them"

// intervalWords say what the intervals of a tournament's table are, and what they leave out.
func intervalWords(t *tournament, churn features.ChurnSpec) string {
	words := drawWords + ", cutoff and segment"
	for k := 1; k < len(t.Origins); k++ {
		if t.Origins[k].Test.Before(t.Origins[k-1].Test.AddDate(0, 0, churn.HorizonDays)) {
			return words + "; the label windows of the test cutoffs overlap, so a shock that hits all customers at once counts more than once and makes the truth less sure than they say"
		}
	}
	return words + leftOutWords
}

// valuer knows what customers are worth.
type valuer interface {
	// MonthlyValue is what each customer of the snapshot is worth a month; NaN where that is not known.
	MonthlyValue(ctx context.Context, cutoff time.Time) ([]float64, error)
}

// MonthlyValue is what each customer of the snapshot is worth a month; NaN where that is not known.
func (p *storePanel) MonthlyValue(ctx context.Context, cutoff time.Time) ([]float64, error) {
	k, err := p.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	return p.store.MonthlyValue(ctx, k.population)
}

// profitTerms are the terms of the profit curve: a customer is worth the mean of those at the newest test cutoff, and where that is not known 200.
func (a *arena) profitTerms(ctx context.Context, t *tournament) (metrics.ProfitTerms, error) {
	terms := metrics.DefaultProfitTerms()
	v, ok := a.panel.(valuer)
	if !ok || len(t.Origins) == 0 {
		return terms, nil
	}
	monthly, err := v.MonthlyValue(ctx, t.Origins[len(t.Origins)-1].Test)
	if err != nil {
		return terms, err
	}
	var sum, n float64
	for _, m := range monthly {
		if worth := a.value.Value(m); !math.IsNaN(worth) {
			sum += worth
			n++
		}
	}
	if mean := sum / n; mean > 0 { // not NaN
		terms.CustomerValue = mean
	}
	return terms, nil
}
