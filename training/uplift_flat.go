package training

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"retain/features"
	"retain/internal/tabular"
	"retain/models/uplift"
	"retain/training/metrics"
)

// UpliftOptions are what EvaluateUplift works on: a flat table of an experiment. Of Flat, Positive names the outcome that is wanted.
type UpliftOptions struct {
	Flat       FlatOptions
	Treatment  string // column that tells the arms; required
	Treated    string // its value of those who got the action; required
	Control    string // its value of those who got nothing; required. Rows of other values are left out
	Propensity string // column with the logged probability of having been treated, of treated or left alone; "" = a plain experiment
	Repeats    int    // fold seeds Seed, Seed+1, …, over which figures are means; 0 = 1
}

// UpliftReport is the JSON of `retain uplift evaluate`.
type UpliftReport struct {
	Rows      int                `json:"rows"`
	Treated   int                `json:"treated"`
	Control   int                `json:"control"`
	LeftOut   int                `json:"left_out"` // rows of other arms
	Features  int                `json:"features"`
	Folds     int                `json:"folds"`
	Repeats   int                `json:"repeats"`
	Seed      uint64             `json:"seed"`
	Effect    UpliftEffect       `json:"effect"`  // of the action on all
	Balance   UpliftBalance      `json:"balance"` // whether chance decided
	Learners  []UpliftLearner    `json:"learners"`
	Best      string             `json:"best"` // learner of the greatest Qini
	Verdict   []string           `json:"verdict"`
	Intervals string             `json:"intervals"`
	Leaks     []Leak             `json:"leaks"`
	Warnings  []string           `json:"warnings"`
	Dropped   []features.Dropped `json:"dropped_features"`

	Estimates []UpliftEstimate `json:"-"` // of Best, per row, by the first fold seed
}

// UpliftEstimate is what is said of a row by a model that has not seen its customer.
type UpliftEstimate struct {
	Customer string // "" without an id
	Effect   float64
	SE       float64 // NaN of a T-learner
	Control  float64 // probability of the wanted outcome without the action
	Rank     float64 // of the effect within the fold, in (0, 1), 1 = most
}

// UpliftBalance tells whether the features know who was treated. Where chance decided they do not.
type UpliftBalance struct {
	AUC   metrics.Figure `json:"auc"`   // of who was treated, out of fold; .5 = not known at all
	Bound metrics.Figure `json:"bound"` // above it chance cannot have decided alone
}

// EvaluateUplift measures every uplift learner on a flat table of an experiment by k-fold over customers, the same folds for all.
// Errors: *UsageError for columns or values that are not there; *DataError where an arm has too few outcomes, or where the features tell who was treated
// and no propensity is logged: then the table holds no experiment, and no figure is given.
func EvaluateUplift(ctx context.Context, o UpliftOptions) (*UpliftReport, error) {
	if o.Flat.Folds == 0 {
		o.Flat.Folds = 5
	}
	if o.Repeats == 0 {
		o.Repeats = 1
	}
	if o.Flat.Progress == nil {
		o.Flat.Progress = func(string) {}
	}
	switch {
	case o.Flat.Folds < 2:
		return nil, usage("--folds %d: give at least 2", o.Flat.Folds)
	case o.Repeats < 1 || o.Repeats > 100:
		return nil, usage("--repeats %d: give 1 to 100", o.Repeats)
	case o.Treated == o.Control:
		return nil, usage("--treated and --control are both %q: name the two arms", o.Treated)
	}
	d, warnings, err := readFlat(o.Flat)
	if err != nil {
		return nil, err
	}
	rows, leftOut, err := o.arms(d)
	if err != nil {
		return nil, err
	}
	report := &UpliftReport{Rows: rows.Len(), LeftOut: leftOut, Folds: o.Flat.Folds, Repeats: o.Repeats, Seed: o.Flat.Seed, Warnings: listed(warnings)}
	for _, t := range rows.Treated {
		if t {
			report.Treated++
		}
	}
	report.Control = report.Rows - report.Treated
	if report.Treated == 0 || report.Control == 0 {
		return nil, lacking("%d rows have %s = %q and %d have %q: both arms are needed, and so there is no uplift figure", report.Treated, o.Treatment, o.Treated, report.Control, o.Control)
	}
	leaks, err := lint(ctx, &features.Dataset{X: rows.X, Y: rows.Y, Customer: rows.Customer}, upliftFolds(rows, innerFolds, o.Flat.Seed), "")
	if err != nil {
		return nil, err
	}
	report.Leaks = listed(leaks)
	for _, l := range leaks {
		report.Warnings = append(report.Warnings, l.String())
	}
	if report.Balance, err = balance(ctx, rows, o.Flat.Seed); err != nil {
		return nil, err
	}
	if o.Propensity == "" && report.Balance.AUC > report.Balance.Bound {
		return nil, lacking("the columns tell who was treated (AUC %.3f; a random draw stays below %.3f): chance did not decide, and the arms differ by more than the action. "+
			"There is no uplift figure: --drop columns that were written after the treatment, or give the logged probability of treatment as --propensity",
			float64(report.Balance.AUC), float64(report.Balance.Bound))
	}
	if err := measureUplift(ctx, rows, o, report); err != nil {
		return nil, err
	}
	return report, nil
}

// upliftColumn finds a column of the table by its name as a user writes it.
func upliftColumn(d *features.Dataset, flag, name string) (int, error) {
	k := slices.IndexFunc(d.X.Schema, func(c features.Column) bool { return tabular.Normalise(c.Name) == tabular.Normalise(name) })
	if name == "" || k < 0 {
		return 0, usage("--%s: the table has no column %q beside the target", flag, name)
	}
	return k, nil
}

// arms are the rows of both arms, the columns of treatment and propensity taken out of the features.
func (o UpliftOptions) arms(d *features.Dataset) (rows *uplift.Rows, leftOut int, err error) {
	treatment, err := upliftColumn(d, "treatment", o.Treatment)
	if err != nil {
		return nil, 0, err
	}
	treated, err := armValue(d, treatment, "treated", o.Treated)
	if err != nil {
		return nil, 0, err
	}
	control, err := armValue(d, treatment, "control", o.Control)
	if err != nil {
		return nil, 0, err
	}
	propensity := -1
	if o.Propensity != "" {
		if propensity, err = upliftColumn(d, "propensity", o.Propensity); err != nil {
			return nil, 0, err
		}
		if d.X.Schema[propensity].Kind != features.Numeric {
			return nil, 0, usage("--propensity: %s is no column of numbers", o.Propensity)
		}
	}
	var keep []int
	rows = &uplift.Rows{}
	for i, v := range d.X.X[treatment] {
		if v != treated && v != control {
			leftOut++
			continue
		}
		keep = append(keep, i)
		rows.Treated = append(rows.Treated, v == treated)
		if propensity >= 0 {
			e := float64(d.X.X[propensity][i])
			if !(e > 0 && e < 1) {
				return nil, 0, lacking("--propensity: %s is %v in a row of one of the arms: it is a probability above 0 and below 1, since both arms must have been possible", o.Propensity, e)
			}
			rows.Propensity = append(rows.Propensity, e)
		}
	}
	part := d.Take(keep)
	rows.Y, rows.Customer, rows.X = part.Y, part.Customer, &features.Matrix{}
	for j, c := range part.X.Schema {
		if j != treatment && j != propensity {
			rows.X.Schema, rows.X.X = append(rows.X.Schema, c), append(rows.X.X, part.X.X[j])
		}
	}
	if len(rows.X.X) == 0 {
		return nil, 0, usage("the table has no column left to learn from")
	}
	return rows, leftOut, nil
}

// armValue is how a column's value is stored.
func armValue(d *features.Dataset, column int, flag, text string) (float32, error) {
	c := d.X.Schema[column]
	if c.Kind == features.Categorical {
		if k := slices.Index(c.Levels, text); k >= 0 {
			return float32(k), nil
		}
		return 0, usage("--%s: no row has %s = %q; its values are %s", flag, c.Name, text, quoted(c.Levels))
	}
	v, err := strconv.ParseFloat(text, 32)
	if err != nil || !slices.Contains(d.X.X[column], float32(v)) {
		return 0, usage("--%s: no row has %s = %q", flag, c.Name, text)
	}
	return float32(v), nil
}

// upliftFolds are stratified folds of the customers.
func upliftFolds(r *uplift.Rows, k int, seed uint64) []int {
	return groupedFolds(&features.Dataset{X: r.X, Y: r.Y, Customer: r.Customer}, k, seed)
}

// balanceErrors is by how many standard errors the AUC of a random draw may be above .5.
const balanceErrors = 4

// leastImbalance is an AUC that matters whatever the number of rows.
const leastImbalance = .02

// balance learns who was treated from the features, out of fold.
func balance(ctx context.Context, r *uplift.Rows, seed uint64) (UpliftBalance, error) {
	d := &features.Dataset{X: r.X, Y: make([]float64, r.Len()), Customer: r.Customer}
	n1 := 0.
	for i, t := range r.Treated {
		if t {
			d.Y[i] = 1
			n1++
		}
	}
	n0 := float64(r.Len()) - n1
	// Under the null hypothesis the AUC is a Mann–Whitney statistic.
	b := UpliftBalance{AUC: undefined, Bound: metrics.Figure(.5 + max(leastImbalance, balanceErrors*math.Sqrt((n1+n0+1)/(12*n1*n0))))}
	folds := upliftFolds(r, innerFolds, seed)
	margin := make([]float64, r.Len())
	for k := range innerFolds {
		train, held := splitRows(folds, k)
		e, err := encode(d.Take(train))
		if err != nil {
			return b, err
		}
		x, err := e.encoding.Apply(d.X.Take(held))
		if err != nil {
			return b, fmt.Errorf("encode: %w", err)
		}
		family, _ := familyOf(familyLinear)
		model, err := family.Trainer(Shape{Rows: e.d.Rows(), Positives: metrics.Positives(e.d.Y), Columns: e.d.X.Cols()}).Fit(ctx, e.d, nil)
		if err != nil {
			return b, fmt.Errorf("learn who was treated: %w", err)
		}
		own := make([]float64, len(held))
		if err := model.Margin(own, x); err != nil {
			return b, err
		}
		for j, i := range held {
			margin[i] = own[j]
		}
	}
	b.AUC = metrics.Figure(metrics.AUC(margin, d.Y, nil))
	return b, nil
}

// upliftError puts what a learner lacks in words.
func upliftError(err error) error {
	var few *uplift.TooFewError
	switch {
	case errors.As(err, &few):
		return lacking("only %d treated rows and %d rows left alone have the rarer outcome, and each arm needs %d in every training fold: there is no uplift figure", few.Treated, few.Control, uplift.LeastEvents)
	case errors.Is(err, uplift.ErrOneArm), errors.Is(err, uplift.ErrNotRandomised):
		return lacking("there is no uplift figure: %v", err)
	}
	return err
}
