package training

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// Fitted is one family learned from training rows: fitted on all of them, calibrated on out-of-fold margins.
type Fitted struct {
	Family      string
	Model       models.Model
	Calibration models.Calibration
	Crossed     *features.Dataset // the cross-fitted training rows: all, or those of a sample of customers where there are very many
	OutOfFold   []float64         // margins of the rows of Crossed, each by a model that saw no row of the customer
	Stages      int               // boosted trees, chosen by the out-of-fold log loss; 0 = the family has no stages
	Tuning      *Tuning           // how its choices were found; nil = there was one choice, or it was settled before
	FitSeconds  float64           // wall time of all its fits, added
}

// Probabilities returns margins and calibrated probabilities of the rows of an encoded matrix.
func (f *Fitted) Probabilities(x *features.Matrix) (margin, p []float64, err error) {
	return probabilities(f.Model, f.Calibration, x)
}

func probabilities(model models.Model, c models.Calibration, x *features.Matrix) (margin, p []float64, err error) {
	margin, p = make([]float64, x.Rows()), make([]float64, x.Rows())
	if err := model.Margin(margin, x); err != nil {
		return nil, nil, fmt.Errorf("margins of %s: %w", model.Family(), err)
	}
	for i, m := range margin {
		p[i] = c.Probability(m)
	}
	return margin, p, nil
}

// Failure is a family that could not be fitted and was left out.
type Failure struct {
	Family string
	Err    error
}

// fitter fits families on one encoded training set.
type fitter struct {
	d       *features.Dataset // encoded
	crossed *features.Dataset // the rows of d that are cross-fitted
	fold    []int             // inner fold of each row of crossed
	shape   Shape
	seed    uint64
	settled map[string]int // places of the choices by family, from earlier cutoffs and for later ones
	budget  *budget        // nil = nothing is tuned
}

const (
	// calibrationRarer is how many of the rarer class the newest cutoffs must hold to calibrate alone (metrics.md §5).
	calibrationRarer = 200
	// crossRows and crossRarer bound the cross-fitting: of more rows, a sample of customers with about so many is cross-fitted, and with no
	// fewer of the rarer class. Five models of this size fix the two numbers of a calibration and the number of trees to well below
	// what shows in a probability; the final fit always takes all rows.
	crossRows  = 40_000
	crossRarer = 4_000
)

// newFitter prepares cross-fitting of d by the given inner folds. recency names the recency rule's column. To share choices among the training sets
// of a rolling origin, oldest first, set settled to one map.
func newFitter(d *features.Dataset, fold []int, recency string, seed uint64) *fitter {
	shape := Shape{Rows: d.Rows(), Positives: metrics.Positives(d.Y), Columns: d.X.Cols(), Recency: recency}
	f := &fitter{d: d, crossed: d, fold: fold, shape: shape, seed: seed, settled: make(map[string]int)}
	share := max(crossRows/float64(d.Rows()), crossRarer/float64(max(1, metrics.Rarer(d.Y))))
	if share >= 1 {
		return f
	}
	var rows, folds []int
	for i, c := range d.Customer {
		if float64(features.KeyedHash(seed, "crossfit", c)) < share*0x1p64 {
			rows = append(rows, i)
			folds = append(folds, fold[i])
		}
	}
	if crossed := d.Take(rows); metrics.Rarer(crossed.Y) >= calibrationRarer {
		f.crossed, f.fold = crossed, folds
	}
	return f
}

// candidate is a family at work.
type candidate struct {
	family  Family
	rungs   []models.Trainer // choices to try, stiffest first, of a tuned family the one by size first; most families have one
	place   int              // of the first rung among all choices of the family
	tried   []rung           // what came of the first of them
	chosen  int              // place in tried
	tuning  *Tuning          // how a tuned family chose; nil = there was one choice
	model   models.Model
	seconds float64
	err     error // the family's own; the run goes on without it
}

// rung is one choice, cross-fitted.
type rung struct {
	folds     []foldFit // one for each inner fold
	outOfFold []float64
	stages    int
	losses    []float64 // of each cross-fitted row
}

type foldFit struct {
	losses []float64 // staged: summed log loss of the held rows by 0, stageStep, … stages
	model  staged    // staged: kept until the number of stages is chosen
	err    error
}

func (c *candidate) best() *rung { return &c.tried[c.chosen] }

// Fit fits and calibrates the families on the same rows and folds. A family that fails, and a mean of such, is told in failures and left
// out. The outcome does not depend on the number of threads. Errors: ctx.Err() only.
func (f *fitter) Fit(ctx context.Context, families []Family) (fitted []*Fitted, failures []Failure, err error) {
	var own []*candidate
	for _, family := range families {
		if rungs, place := f.rungs(family); len(rungs) > 0 {
			own = append(own, &candidate{family: family, rungs: rungs, place: place})
		}
	}
	if err := f.crossFit(ctx, own); err != nil {
		return nil, nil, err
	}
	if err := f.fitAll(ctx, own); err != nil {
		return nil, nil, err
	}
	for _, family := range families {
		var one *Fitted
		var err error
		if family.Trainer == nil {
			one, err = blend(family, fitted)
		} else if k := slices.IndexFunc(own, func(c *candidate) bool { return c.family.Name == family.Name }); k >= 0 {
			if err = own[k].err; err == nil {
				r := own[k].best()
				one = &Fitted{Family: family.Name, Model: own[k].model, Crossed: f.crossed, OutOfFold: r.outOfFold, Stages: r.stages, Tuning: own[k].tuning, FitSeconds: own[k].seconds}
			}
		} else {
			continue
		}
		if err == nil {
			one.Calibration, err = f.calibrate(one.OutOfFold)
		}
		if err != nil {
			failures = append(failures, Failure{Family: family.Name, Err: err})
			continue
		}
		fitted = append(fitted, one)
	}
	return fitted, failures, nil
}

// rungs are the choices of a family to cross-fit, and the place of the first among all of the family: what earlier cutoffs have settled on, or all
// that the budget lets try; none if the family cannot be fitted here.
func (f *fitter) rungs(family Family) (rungs []models.Trainer, place int) {
	switch {
	case family.Rungs != nil:
		s := f.shape
		s.Rows, s.Positives = f.crossed.Rows(), metrics.Positives(f.crossed.Y)
		rungs = family.Rungs(s)
	case family.Tuned != nil:
		rungs = family.Tuned(f.shape)
	case family.Trainer != nil:
		if t := family.Trainer(f.shape); t != nil {
			rungs = []models.Trainer{t}
		}
	}
	if k, ok := f.settled[family.Name]; ok && k < len(rungs) && metrics.Rarer(f.d.Y) >= settles(family) {
		return rungs[k : k+1], k
	}
	if family.Tuned != nil {
		rungs = rungs[:f.budget.choices(f.shape, len(rungs))]
	}
	return rungs, 0
}

// settles is the number of rows of the rarer class from which the choice of a family on one training set holds for the later ones of a rolling origin.
func settles(family Family) int {
	if family.Tuned != nil {
		return tunedRarer
	}
	return settledRarer
}

// fitAll fits every candidate on all rows, with the number of stages that the folds chose.
func (f *fitter) fitAll(ctx context.Context, own []*candidate) error {
	return each(ctx, len(own), func(ctx context.Context, k int) {
		c := own[k]
		if c.err != nil {
			return
		}
		trainer := c.rungs[c.chosen]
		if n := c.best().stages; n > 0 {
			trainer = c.family.Cut(trainer, n)
		}
		if c.model, c.err = trainer.Fit(ctx, f.d, f.rng(c.family.Name, innerFolds)); c.err != nil {
			c.err = fmt.Errorf("fit %s: %w", c.family.Name, c.err)
		}
	}, func(k int, seconds float64) { own[k].seconds += seconds })
}

// rng is the stream of one fit: each family and fold has its own, so that none depends on what ran before.
func (f *fitter) rng(family string, fold int) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(family)) // a hash never fails
	return rand.New(rand.NewPCG(f.seed, h.Sum64()+uint64(fold)))
}

// calibrate learns from the out-of-fold margins of the newest cutoffs that together hold enough of the rarer class, else of all.
func (f *fitter) calibrate(margin []float64) (models.Calibration, error) {
	rows := newest(f.crossed, calibrationRarer)
	m, y, group := make([]float64, len(rows)), make([]float64, len(rows)), make([]string, len(rows))
	for k, i := range rows {
		m[k], y[k], group[k] = margin[i], f.crossed.Y[i], f.crossed.Customer[i]
	}
	c, err := models.FitCalibration(m, y, group, f.seed)
	if err != nil {
		return models.Calibration{}, fmt.Errorf("calibrate: %w", err)
	}
	return c, nil
}

// newest returns the rows, in rising order, of the fewest newest cutoffs with at least so many rows of the rarer class; all rows if no
// number of cutoffs has them, or if the rows have no cutoff.
func newest(d *features.Dataset, minimum int) []int {
	all := make([]int, d.Rows())
	for i := range all {
		all[i] = i
	}
	if d.Cutoff == nil {
		return all
	}
	cutoffs := distinctCutoffs(d.Cutoff)
	for k := len(cutoffs) - 1; k >= 0; k-- {
		from := cutoffs[k]
		pos, n := 0, 0
		for i, t := range d.Cutoff {
			if !t.Before(from) {
				n++
				if d.Y[i] > .5 {
					pos++
				}
			}
		}
		if min(pos, n-pos) >= minimum {
			return slices.DeleteFunc(all, func(i int) bool { return d.Cutoff[i].Before(from) })
		}
	}
	return all
}

// distinctCutoffs are the different cutoffs, oldest first.
func distinctCutoffs(ts []time.Time) []time.Time {
	out := slices.Clone(ts)
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// blend averages the margins of fitted parts.
func blend(family Family, fitted []*Fitted) (*Fitted, error) {
	out := &Fitted{Family: family.Name}
	var parts []models.Explainer
	for _, name := range family.Parts {
		k := slices.IndexFunc(fitted, func(f *Fitted) bool { return f.Family == name })
		if k < 0 {
			return nil, fmt.Errorf("its part %s is not there", name)
		}
		part, ok := fitted[k].Model.(models.Explainer)
		if !ok {
			return nil, fmt.Errorf("its part %s has no additive reasons", name)
		}
		parts = append(parts, part)
		if out.OutOfFold == nil {
			out.Crossed, out.OutOfFold = fitted[k].Crossed, make([]float64, len(fitted[k].OutOfFold))
		}
		for i, m := range fitted[k].OutOfFold {
			out.OutOfFold[i] += m / float64(len(family.Parts))
		}
		out.FitSeconds += fitted[k].FitSeconds
	}
	model, err := models.NewBlend(parts...)
	if err != nil {
		return nil, err
	}
	out.Model = model
	return out, nil
}
