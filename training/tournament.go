package training

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/models/actions"
	"retain/training/metrics"
)

// testCutoffs is how many of the newest cutoffs a training tests on (metrics.md §5: at least 4 where the history allows).
const testCutoffs = 4

// origin is one fold of the rolling origin: models learn from the train cutoffs, all with t + M ≤ Test, and are measured at Test.
type origin struct {
	Test  time.Time
	Train []time.Time // oldest first
}

// rollingOrigins are the newest origins over the cutoffs (oldest first), at most limit, oldest first.
func rollingOrigins(cutoffs []time.Time, churn features.ChurnSpec, limit int) []origin {
	var out []origin
	for _, test := range cutoffs {
		if train := knownAt(cutoffs, churn, test); len(train) > 0 {
			out = append(out, origin{Test: test, Train: train})
		}
	}
	return out[max(0, len(out)-limit):]
}

// knownAt are the cutoffs whose labels are complete at an instant: t + M ≤ at.
func knownAt(cutoffs []time.Time, churn features.ChurnSpec, at time.Time) []time.Time {
	var out []time.Time
	for _, t := range cutoffs {
		if churn.Known(t, at) {
			out = append(out, t)
		}
	}
	return out
}

// recipe is how the champion was made, to be made again on other rows.
type recipe struct {
	Family  string
	Columns []string
}

// contender is one row of the tournament with what it said of each test cutoff.
type contender struct {
	Name           string
	Held           []metrics.Held // one for each origin
	newest         *sitting       // the fit behind the last of them; nil where there is no origin
	Seconds        float64        // of all fits
	PredictSeconds float64        // of the test rows
}

// tournament is every family on the same origins.
type tournament struct {
	Origins    []origin     // that were played
	Contenders []*contender // in the order of Families, then the champion
	Dropped    []features.Dropped
	Warnings   []string
	categories [][]metrics.Category // of the test rows of each origin
	curves     []Curves             // of the contenders, once their table is made

	few      []string // families for which the training rows of a test cutoff were too few, the first time
	fewAt    time.Time
	fewRarer int
}

func (t *tournament) find(name string) *contender {
	k := slices.IndexFunc(t.Contenders, func(c *contender) bool { return c.Name == name })
	if k < 0 {
		return nil
	}
	return t.Contenders[k]
}

// arena is what all folds of a tournament share.
type arena struct {
	panel     panel
	churn     features.ChurnSpec
	value     actions.ValueTerms // of customers, for the profit curve
	seed      uint64
	testKnown time.Time      // labels of test cutoffs are read with ingested_at before; zero = all
	champion  *recipe        // nil = none, or it is one of the families as they stand
	settled   map[string]int // places of choices that later origins take over
	kept      []*shared      // the newest fits
	budget    *budget        // of tuning and, unless patient, of measuring
	patient   bool           // plays every origin, however long that takes
	tunings   []Tuning       // in the order of the fits
	progress  func(string)

	// witness is shown each origin with the fits of its families; nil: nobody looks.
	witness func(ctx context.Context, o origin, e *encoded, fitted []*Fitted) error
}

func newArena(p panel, o Options) *arena {
	return &arena{panel: p, churn: o.Churn, value: o.Value, seed: o.Seed, testKnown: o.Until, settled: make(map[string]int), budget: newBudget(o.TimeBudget, o.Now), progress: o.Progress}
}

// play fits every family on each origin and measures it there. A contender that fails on one origin leaves the tournament with a
// warning, so that all that remain are measured on the same rows. An origin with fewer than least training rows of the rarer class, or without a
// test row, is passed over; with least 0 it is an error to have one class only or no test row.
func (a *arena) play(ctx context.Context, origins []origin, least int) (*tournament, error) {
	t := &tournament{}
	for k, o := range origins {
		if len(t.Origins) > 0 && !a.patient && a.budget.spent() {
			t.Warnings = append(t.Warnings, fmt.Sprintf("train.time_budget of %v ran out: measured at %d of %d test cutoffs, the newest %d left out", a.budget.length, len(t.Origins), len(t.Origins)+len(origins)-k, len(origins)-k))
			break
		}
		played, err := a.playOrigin(ctx, o, t, least)
		if err != nil {
			return nil, fmt.Errorf("test cutoff %s: %w", day(o.Test), err)
		}
		if played {
			t.Origins = append(t.Origins, o)
		}
	}
	t.Contenders = slices.DeleteFunc(t.Contenders, func(c *contender) bool { return len(c.Held) < len(t.Origins) })
	if len(t.few) > 0 {
		t.Warnings = append(t.Warnings, fmt.Sprintf("not measured: %s; at test cutoff %s the training rows hold only %d of the rarer class, and they need %d",
			strings.Join(t.few, ", "), day(t.fewAt), t.fewRarer, leastMeasured))
	}
	return t, nil
}

func (a *arena) playOrigin(ctx context.Context, o origin, t *tournament, least int) (played bool, err error) {
	train, err := stack(ctx, a.panel, o.Train, o.Test)
	if err != nil {
		return false, err
	}
	test, err := stack(ctx, a.panel, []time.Time{o.Test}, a.testKnown)
	if err != nil {
		return false, err
	}
	if least > 0 && (metrics.Rarer(train.Y) < least || test.Rows() == 0) {
		return false, nil
	}
	if err := checkClasses(train, a.churn); err != nil {
		return false, err
	}
	if test.Rows() == 0 {
		return false, lacking("no customer is eligible with a known label at %s; see retain label preview", day(o.Test))
	}
	families := slices.DeleteFunc(slices.Clone(measurable(metrics.Rarer(train.Y))), func(f Family) bool { return !t.plays(f.Name) })
	if metrics.Rarer(train.Y) < leastMeasured && t.few == nil {
		t.fewAt, t.fewRarer = o.Test, metrics.Rarer(train.Y)
		for _, f := range Families {
			if !f.Rule {
				t.few = append(t.few, f.Name)
			}
		}
	}
	a.progress(fmt.Sprintf("test cutoff %s: %d families on %d rows of %d cutoffs, tested on %d", day(o.Test), len(families), train.Rows(), len(o.Train), test.Rows()))

	t.categories = append(t.categories, categoriesOf(test.X))
	due := dueRows(test.X, a.churn)
	record := func(name string, f *Fitted, x *features.Matrix) error {
		begin := time.Now()
		margin, p, err := f.Probabilities(x)
		if err != nil {
			return err
		}
		seconds := time.Since(begin).Seconds()
		c := t.find(name)
		if c == nil {
			c = &contender{Name: name}
			t.Contenders = append(t.Contenders, c)
		}
		c.newest = &sitting{fitted: f, x: x}
		c.Held = append(c.Held, metrics.Held{Cutoff: o.Test.UTC(), Customer: test.Customer, Y: test.Y, Margin: margin, P: p, Due: due})
		c.Seconds += f.FitSeconds
		c.PredictSeconds += seconds
		return nil
	}
	leave := func(name string, err error) {
		t.Warnings = append(t.Warnings, fmt.Sprintf("%s is left out: it failed at test cutoff %s: %v", name, day(o.Test), err))
	}

	e, err := encode(train)
	if err != nil {
		return false, err
	}
	t.Dropped = e.dropped
	x, err := e.encoding.Apply(test.X)
	if err != nil {
		return false, fmt.Errorf("encode: %w", err)
	}
	fitted, failures, err := a.fit(ctx, e.d, families)
	if err != nil {
		return false, err
	}
	for _, f := range failures {
		leave(f.Family, f.Err)
	}
	for _, f := range fitted {
		if err := record(f.Family, f, x); err != nil {
			leave(f.Family, err)
		}
	}
	if a.witness != nil {
		if err := a.witness(ctx, o, e, fitted); err != nil {
			return false, err
		}
	}
	if a.champion == nil || !t.plays(familyChampion) {
		return true, nil
	}
	f, x, err := a.refitChampion(ctx, &match{train: train, test: test, encoded: e, x: x, fitted: fitted})
	if err == nil {
		err = record(familyChampion, f, x)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		leave(familyChampion, err)
	}
	return true, nil
}

// plays says whether a contender has been measured on every origin so far.
func (t *tournament) plays(name string) bool {
	c := t.find(name)
	return len(t.Origins) == 0 || c != nil && len(c.Held) == len(t.Origins)
}

// fit cross-fits families on an encoded training set with folds by customer, or takes the fits of the same rows before.
func (a *arena) fit(ctx context.Context, d *features.Dataset, families []Family) ([]*Fitted, []Failure, error) {
	rows := digest(d)
	for _, s := range a.kept {
		if fitted, failures, ok := s.of(rows, families); ok {
			return fitted, failures, nil
		}
	}
	fold := CustomerFolds(d.Customer, innerFolds, a.seed)
	f := newFitter(d, fold, recencyColumn(d.X.Schema, a.churn), a.seed)
	f.settled, f.budget = a.settled, a.budget
	fitted, failures, err := f.Fit(ctx, families)
	if err != nil {
		return nil, nil, err
	}
	for _, one := range fitted {
		if one.Tuning != nil {
			a.tunings = append(a.tunings, *one.Tuning)
		}
	}
	a.kept = append(a.kept[max(0, len(a.kept)+1-keptFits):], &shared{rows: rows, families: familyNames(families), fitted: fitted, failures: failures})
	return fitted, failures, nil
}

// match is one origin at work.
type match struct {
	train, test *features.Dataset // raw
	encoded     *encoded          // of train
	x           *features.Matrix  // of test, encoded
	fitted      []*Fitted         // on encoded
}

// refitChampion makes the champion anew on the training rows: its family on those of its columns that still exist. Where these are all that
// the families have learned from, its family's fit is the champion's.
func (a *arena) refitChampion(ctx context.Context, m *match) (*Fitted, *features.Matrix, error) {
	family, ok := familyOf(a.champion.Family)
	if !ok {
		return nil, nil, fmt.Errorf("its family %s is not known here", a.champion.Family)
	}
	fitted, failures, x := m.fitted, []Failure(nil), m.x
	if slices.ContainsFunc(m.encoded.d.X.Schema, func(c features.Column) bool { return !slices.Contains(a.champion.Columns, c.Name) }) {
		own := *m.train
		own.X = keepColumns(own.X, a.champion.Columns)
		e, err := encode(&own)
		if err != nil {
			return nil, nil, err
		}
		if x, err = e.encoding.Apply(m.test.X); err != nil {
			return nil, nil, fmt.Errorf("encode: %w", err)
		}
		if fitted, failures, err = a.fit(ctx, e.d, withParts(family)); err != nil {
			return nil, nil, err
		}
	}
	for _, f := range fitted {
		if f.Family == family.Name {
			return f, x, nil
		}
	}
	if len(failures) > 0 {
		return nil, nil, failures[len(failures)-1].Err
	}
	return nil, nil, errors.New("it could not be fitted on these rows")
}

// withParts is the family behind the parts that it averages.
func withParts(f Family) []Family {
	var out []Family
	for _, name := range f.Parts {
		if part, ok := familyOf(name); ok {
			out = append(out, part)
		}
	}
	return append(out, f)
}

// keepColumns is the matrix of the named columns, sharing memory with x.
func keepColumns(x *features.Matrix, names []string) *features.Matrix {
	out := &features.Matrix{}
	for j, c := range x.Schema {
		if slices.Contains(names, c.Name) {
			out.Schema = append(out.Schema, c)
			out.X = append(out.X, x.X[j])
		}
	}
	return out
}

// encoded is a training set in the shape that models see.
type encoded struct {
	d        *features.Dataset
	encoding *features.Encoding
	dropped  []features.Dropped
}

// encode fits the encoding on the training rows, and only on these, and applies it to them.
func encode(d *features.Dataset) (*encoded, error) {
	encoding, dropped := features.FitEncoding(d.X)
	x, err := encoding.Apply(d.X)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if x.Cols() == 0 {
		return nil, lacking("no feature is left: each is missing or constant over the %d training rows. Import a source with history before the cutoffs", d.Rows())
	}
	out := *d
	out.X = x
	return &encoded{d: &out, encoding: encoding, dropped: dropped}, nil
}

// checkClasses refuses training rows from which nothing can be learned.
func checkClasses(d *features.Dataset, churn features.ChurnSpec) error {
	n, pos := d.Rows(), metrics.Positives(d.Y)
	switch {
	case n == 0:
		return lacking("no customer has a known label at the training cutoffs; see retain label preview")
	case pos == 0:
		return lacking("none of the %d labelled rows churned within %d days: the label is constant and nothing can be learned. Check churn.setting, churn.activity and churn.horizon_days with retain label preview",
			n, churn.HorizonDays)
	case pos == n:
		return lacking("all %d labelled rows churned within %d days: the label is constant and nothing can be learned. Check churn.setting, churn.activity and churn.horizon_days with retain label preview",
			n, churn.HorizonDays)
	}
	return nil
}
