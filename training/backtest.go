package training

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/models/actions"
	"retain/training/metrics"
)

// Options are what a training or a backtest works on.
type Options struct {
	Store     *features.Store     // required
	Catalogue *features.Catalogue // nil = features.DefaultCatalogue()
	Churn     features.ChurnSpec  // the label
	Grid      features.Grid       // where cutoffs stand
	Seed      uint64              // of folds, bootstrap and learners
	Value     actions.ValueTerms  // of customers, for the profit curve
	Until     time.Time           // pretend to stand there: only cutoffs with T + M ≤ Until, labels read with ingested_at < Until; zero = all that is held
	Registry  Registry            // Train only; required there
	Who       string              // Train only: written into the promotion; "" = "retain train"
	// TimeBudget is how long tuning and measuring may take, 0 = 10 minutes. How many choices of a model are tried follows from it and the size of the
	// rows; when the clock outruns it, tuning stops, and Train leaves out the test cutoffs that are still to come, and that is told.
	TimeBudget time.Duration
	MaxAge     time.Duration     // Train only: a champion older than this yields to an equal one; 0 = 35 days
	Allowed    map[string]string // leaks to let pass: feature → written reason
	Progress   func(string)      // told what is done, one line each; nil discards
	Now        func() time.Time  // nil = time.Now
}

func (o Options) filled() Options {
	if o.Catalogue == nil {
		o.Catalogue = features.DefaultCatalogue()
	}
	if o.Who == "" {
		o.Who = "retain train"
	}
	if o.TimeBudget == 0 {
		o.TimeBudget = defaultBudget
	}
	if o.MaxAge == 0 {
		o.MaxAge = 35 * 24 * time.Hour
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// BacktestReport is the JSON of `retain backtest`.
type BacktestReport struct {
	Cutoffs   []time.Time            `json:"cutoffs"` // test cutoffs, oldest first
	Models    []metrics.ModelFigures `json:"models"`
	Intervals string                 `json:"intervals"` // what the intervals are, in words
	Curves    []Curves               `json:"curves"`
	Segments  metrics.SegmentTable   `json:"segments"`         // of the family with the lowest log loss
	Dropped   []features.Dropped     `json:"dropped_features"` // at the newest test cutoff
	Leaks     []Leak                 `json:"leaks"`            // warnings here, errors in train
	Tuning    []Tuning               `json:"tuning"`
	BudgetHit bool                   `json:"budget_hit"` // the clock stopped the tuning: another run may give other figures
	Warnings  []string               `json:"warnings"`
	Seconds   float64                `json:"seconds"`
}

// Backtest measures every family out of time. With train and test cutoffs given, each test cutoff T is measured by models of those
// train cutoffs with t + M ≤ T; with neither, on the newest four origins of the grid. Nothing is registered.
// Errors: *UsageError (one of the lists only, no train cutoff left for a test cutoff, a test cutoff whose labels are not known),
// *DataError (no known label, one class), or of the warehouse.
func Backtest(ctx context.Context, o Options, train, test []time.Time) (report *BacktestReport, err error) {
	o = o.filled()
	if err := errors.Join(o.Churn.Validate(), o.Grid.Validate()); err != nil {
		return nil, &UsageError{Message: err.Error()}
	}
	p := newStorePanel(o)
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	return backtest(ctx, p, o, train, test)
}

func backtest(ctx context.Context, p panel, o Options, train, test []time.Time) (*BacktestReport, error) {
	begin := time.Now()
	origins, err := chooseOrigins(ctx, p, o, train, test)
	if err != nil {
		return nil, err
	}
	a := newArena(p, o)
	a.patient = true // a cutoff that was asked for is measured
	if err := p.Resolve(ctx, origins[len(origins)-1].Train); err != nil {
		return nil, err
	}
	tellLeftOut(p.Catalogue(), o.Progress)
	newest, err := stack(ctx, p, origins[len(origins)-1].Train, origins[len(origins)-1].Test)
	if err != nil {
		return nil, err
	}
	leaks, err := lint(ctx, newest, CustomerFolds(newest.Customer, innerFolds, o.Seed), rawRecencyColumn(newest.X, o.Churn))
	if err != nil {
		return nil, err
	}
	acquit(leaks, p.Catalogue(), o.Churn)
	t, err := a.playAsked(ctx, origins, len(test) > 0)
	if err != nil {
		return nil, err
	}
	terms, err := a.profitTerms(ctx, t)
	if err != nil {
		return nil, err
	}
	report := &BacktestReport{
		Models: table(t, "", o.Seed, terms), Intervals: intervalWords(t, o.Churn), Dropped: listed(slices.Concat(p.Catalogue().LeftOut, t.Dropped)), Leaks: listed(leaks), Warnings: listed(t.Warnings), Seconds: time.Since(begin).Seconds(),
	}
	report.Curves = listed(t.curves)
	if k := lowestLoss(report.Models); k >= 0 {
		report.Segments = t.segmentTable(report.Models[k].Name, o.Seed)
	}
	report.Tuning, report.BudgetHit = listed(a.tunings), a.budget.wasHit()
	report.Warnings = append(report.Warnings, a.budget.warnings()...)
	for _, one := range t.Origins {
		report.Cutoffs = append(report.Cutoffs, one.Test.UTC())
	}
	for _, l := range leaks {
		report.Warnings = append(report.Warnings, l.String())
	}
	return report, nil
}

// playAsked plays every origin that the caller named. Of those that the grid gave, the ones with one class to learn from or no row to test on are
// passed over with a warning, unless none is left.
func (a *arena) playAsked(ctx context.Context, origins []origin, named bool) (*tournament, error) {
	if named {
		return a.play(ctx, origins, 0)
	}
	t, err := a.play(ctx, origins, 1)
	if err != nil {
		return nil, err
	}
	if len(t.Origins) == 0 {
		return a.play(ctx, origins[len(origins)-1:], 0) // tells what is wrong with the newest
	}
	for _, o := range origins {
		if !slices.ContainsFunc(t.Origins, func(p origin) bool { return p.Test.Equal(o.Test) }) {
			t.Warnings = append(t.Warnings, fmt.Sprintf("test cutoff %s is passed over: one class only before it, or nobody with a known label at it", day(o.Test)))
		}
	}
	return t, nil
}

// listed is the list itself, not nil, so that it is [] in JSON and never null.
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// chooseOrigins are the folds asked for, or the newest ones of the grid.
func chooseOrigins(ctx context.Context, p panel, o Options, train, test []time.Time) ([]origin, error) {
	if (len(train) == 0) != (len(test) == 0) {
		return nil, usage("give both --train and --test, or neither for the rolling origin over the grid")
	}
	if len(test) > 0 {
		return explicitOrigins(ctx, p, o, sorted(train), sorted(test))
	}
	cutoffs, err := knownCutoffs(ctx, p, o)
	if err != nil {
		return nil, err
	}
	origins := rollingOrigins(cutoffs, o.Churn, testCutoffs)
	if len(origins) == 0 {
		last := cutoffs[len(cutoffs)-1]
		return nil, lacking("no cutoff can be tested: a model for %s would need labels of a cutoff at or before %s, and the first is %s. Import more history, shorten churn.horizon_days, or set snapshots.from earlier",
			day(last), day(last.AddDate(0, 0, -o.Churn.MaturityDays())), day(cutoffs[0]))
	}
	return origins, nil
}

// explicitOrigins checks the caller's cutoffs.
func explicitOrigins(ctx context.Context, p panel, o Options, train, test []time.Time) ([]origin, error) {
	until, err := p.Watermark(ctx)
	if err != nil {
		return nil, err
	}
	if !o.Until.IsZero() && o.Until.Before(until) {
		until = o.Until
	}
	m := o.Churn.MaturityDays()
	var out []origin
	for _, t := range test {
		if !o.Churn.Known(t, until) {
			return nil, usage("the labels of test cutoff %s are not known: they need %d days, and the data are complete until %s; the latest cutoff with known labels is %s",
				day(t), m, day(until), day(until.AddDate(0, 0, -m).Truncate(24*time.Hour)))
		}
		known := knownAt(train, o.Churn, t)
		if len(known) == 0 {
			return nil, usage("no train cutoff is left for test cutoff %s: their labels need %d days, so a train cutoff must be at or before %s; the nearest given is %s",
				day(t), m, day(t.AddDate(0, 0, -m)), day(train[0]))
		}
		out = append(out, origin{Test: t, Train: known})
	}
	return out, nil
}

func sorted(ts []time.Time) []time.Time { return distinctCutoffs(ts) }

// knownCutoffs are the grid's cutoffs with known labels under the options, oldest first, at least one.
func knownCutoffs(ctx context.Context, p panel, o Options) ([]time.Time, error) {
	cutoffs, err := p.Cutoffs(ctx)
	if err != nil {
		return nil, fmt.Errorf("find cutoffs: %w", err)
	}
	if !o.Until.IsZero() {
		cutoffs = knownAt(cutoffs, o.Churn, o.Until)
	}
	if len(cutoffs) > 0 {
		return slices.Clone(cutoffs), nil
	}
	until, err := p.Watermark(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the data: %w", err)
	}
	if !o.Until.IsZero() && o.Until.Before(until) {
		until = o.Until.UTC()
	}
	return nil, lacking("no cutoff of the grid has known labels: a label needs %d days after its cutoff, and the data are complete until %s. Import more history, shorten churn.horizon_days, or set snapshots.from earlier; retain label preview shows each cutoff",
		o.Churn.MaturityDays(), day(until))
}
