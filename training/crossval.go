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

// CrossvalReport is the JSON of `retain crossval`.
type CrossvalReport struct {
	Rows      int             `json:"rows"`
	Positives int             `json:"positives"`
	Features  int             `json:"features"`
	Folds     int             `json:"folds"`
	Models    []CrossvalModel `json:"models"`
	Intervals string          `json:"intervals"` // what the intervals are, in words
	Tuning    []Tuning        `json:"tuning"`
	BudgetHit bool            `json:"budget_hit"` // the clock stopped the tuning: another run may give other figures
	Leaks     []Leak          `json:"leaks"`
	Warnings  []string        `json:"warnings"`

	Dropped []features.Dropped `json:"dropped_features"` // columns that no family sees, by the rows of all folds
}

// CrossvalModel is one family's means over the held-out folds; a fold in which a figure is undefined does not count. Pooled are the figures of all
// rows, each held out once, with their intervals: log loss and Brier score are the means over rows there, ECE is that of all rows together.
type CrossvalModel struct {
	Name string `json:"name"`
	metrics.Figures
	FitSeconds     float64               `json:"fit_seconds"`     // mean of the folds: cross-fitting for calibration and the final fit, wall time added
	PredictSeconds float64               `json:"predict_seconds"` // mean of the folds: margins and probabilities of the held-out rows
	Pooled         metrics.PooledFigures `json:"pooled"`
	Verdict        string                `json:"verdict"` // what to think of it, in words

	held   metrics.Held // of one fold
	tuning *Tuning
}

// CrossValidate measures the families on a flat table by stratified k-fold, the same folds for all. Encoding, number of trees and calibration
// are learned within the training folds. A leak is a warning.
// Errors: *UsageError (a column that is not there, folds below 2 or more than rows of the rarer class), *DataError (one class, no feature).
func CrossValidate(ctx context.Context, o FlatOptions) (*CrossvalReport, error) {
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Folds < 2 {
		return nil, usage("--folds %d: give at least 2", o.Folds)
	}
	d, warnings, err := readFlat(o)
	if err != nil {
		return nil, err
	}
	return crossValidate(ctx, d, warnings, o)
}

func crossValidate(ctx context.Context, d *features.Dataset, warnings []string, o FlatOptions) (*CrossvalReport, error) {
	if n := metrics.Rarer(d.Y); n == 0 {
		return nil, lacking("all %d rows have the same label: %q must name one of at least two values of %s", d.Rows(), o.Positive, o.Target)
	} else if n < o.Folds {
		return nil, usage("--folds %d: the rarer class has only %d rows", o.Folds, n)
	}
	leaks, err := lint(ctx, d, groupedFolds(d, innerFolds, o.Seed), "")
	if err != nil {
		return nil, err
	}
	for _, l := range leaks {
		warnings = append(warnings, l.String())
	}
	report := &CrossvalReport{Rows: d.Rows(), Positives: metrics.Positives(d.Y), Features: d.X.Cols(), Folds: o.Folds, Intervals: drawWords + leftOutWords, Leaks: listed(leaks), Warnings: listed(warnings)}
	_, dropped := features.FitEncoding(d.X)
	report.Dropped = listed(dropped)
	folds := groupedFolds(d, o.Folds, o.Seed)
	tables := make([][]CrossvalModel, o.Folds)
	if o.TimeBudget == 0 {
		o.TimeBudget = defaultBudget
	}
	budget := newBudget(o.TimeBudget, time.Now)
	for k := range tables {
		o.Progress(fmt.Sprintf("fold %d of %d", k+1, o.Folds))
		train, held := splitRows(folds, k)
		var failures []Failure
		if tables[k], failures, err = holdOut(ctx, d.Take(train), d.Take(held), o.Seed, budget); err != nil {
			return nil, err
		}
		for _, f := range failures {
			report.Warnings = append(report.Warnings, fmt.Sprintf("%s is left out: it failed in fold %d: %v", f.Family, k+1, f.Err))
		}
	}
	report.Models = meanTable(tables)
	pooled, entrants := poolFolds(report.Models, tables, o.Seed)
	for k, verdict := range verdicts(pooled, entrants, "", o.Seed) {
		report.Models[k].Pooled, report.Models[k].Verdict = pooled[k].Pooled, verdict
	}
	for _, t := range tables {
		for _, m := range t {
			if m.tuning != nil {
				report.Tuning = append(report.Tuning, *m.tuning)
			}
		}
	}
	report.Tuning, report.BudgetHit = listed(report.Tuning), budget.wasHit()
	report.Warnings = append(report.Warnings, budget.warnings()...)
	return report, nil
}

// groupedFolds are stratified folds of the customers, so that the rows of one share a fold. A customer counts as positive if a row is.
func groupedFolds(d *features.Dataset, k int, seed uint64) []int {
	number := make(map[string]int)
	var y []float64
	group := make([]int, d.Rows())
	for i, c := range d.Customer {
		g, ok := number[c]
		if !ok {
			g = len(y)
			number[c] = g
			y = append(y, 0)
		}
		y[g] = max(y[g], d.Y[i])
		group[i] = g
	}
	fold := StratifiedFolds(y, k, seed)
	out := make([]int, d.Rows())
	for i, g := range group {
		out[i] = fold[g]
	}
	return out
}

// poolFolds measures the families of the table on the held-out rows of all folds.
func poolFolds(rows []CrossvalModel, tables [][]CrossvalModel, seed uint64) ([]metrics.ModelFigures, []metrics.Entrant) {
	entrants := make([]metrics.Entrant, len(rows))
	for k, row := range rows {
		entrants[k].Name = row.Name
		for _, t := range tables {
			for _, m := range t {
				if m.Name == row.Name {
					entrants[k].Held = append(entrants[k].Held, m.held)
				}
			}
		}
	}
	return metrics.PoolAll(entrants, metrics.Pooling{Seed: seed}), entrants
}

// holdOut fits every family on the training rows and measures it on the held ones.
func holdOut(ctx context.Context, train, held *features.Dataset, seed uint64, budget *budget) ([]CrossvalModel, []Failure, error) {
	e, err := encode(train)
	if err != nil {
		return nil, nil, err
	}
	x, err := e.encoding.Apply(held.X)
	if err != nil {
		return nil, nil, fmt.Errorf("encode: %w", err)
	}
	f := newFitter(e.d, groupedFolds(e.d, innerFolds, seed+1), "", seed) // other folds than the outer ones
	f.budget = budget
	fitted, failures, err := f.Fit(ctx, measurable(metrics.Rarer(train.Y)))
	if err != nil {
		return nil, nil, err
	}
	var out []CrossvalModel
	for _, one := range fitted {
		begin := time.Now()
		margin, p, err := one.Probabilities(x)
		if err != nil {
			failures = append(failures, Failure{Family: one.Family, Err: err})
			continue
		}
		seconds := time.Since(begin).Seconds()
		out = append(out, CrossvalModel{Name: one.Family, Figures: metrics.Measure(held.Y, margin, p), FitSeconds: one.FitSeconds, PredictSeconds: seconds,
			held: metrics.Held{Customer: held.Customer, Y: held.Y, Margin: margin, P: p}, tuning: one.Tuning})
	}
	return out, failures, nil
}

// meanTable averages the folds of the families that none of them lacks.
func meanTable(tables [][]CrossvalModel) []CrossvalModel {
	var out []CrossvalModel
	for _, family := range Families {
		var rows []CrossvalModel
		for _, t := range tables {
			for _, m := range t {
				if m.Name == family.Name {
					rows = append(rows, m)
				}
			}
		}
		if len(rows) < len(tables) {
			continue
		}
		mean := func(of func(CrossvalModel) float64) float64 {
			defined := slices.DeleteFunc(mapped(rows, of), math.IsNaN)
			return metrics.Sum(defined) / float64(len(defined))
		}
		out = append(out, CrossvalModel{
			Name: family.Name,
			Figures: metrics.Figures{
				AUC:           metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.AUC) })),
				PRAUC:         metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.PRAUC) })),
				LogLoss:       metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.LogLoss) })),
				Brier:         metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.Brier) })),
				ECE:           metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.ECE) })),
				TopDecileLift: metrics.Figure(mean(func(m CrossvalModel) float64 { return float64(m.TopDecileLift) })),
			},
			FitSeconds:     mean(func(m CrossvalModel) float64 { return m.FitSeconds }),
			PredictSeconds: mean(func(m CrossvalModel) float64 { return m.PredictSeconds }),
		})
	}
	return out
}

func mapped[T any](list []T, f func(T) float64) []float64 {
	out := make([]float64, len(list))
	for k, v := range list {
		out[k] = f(v)
	}
	return out
}
