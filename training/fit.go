package training

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/models"
)

// Fitted is one family learned from training rows: fitted on all of them, calibrated on out-of-fold margins.
type Fitted struct {
	Family      string
	Model       models.Model
	Calibration models.Calibration
	Crossed     *features.Dataset // the cross-fitted training rows: all, or those of a sample of customers where there are very many
	OutOfFold   []float64         // margins of the rows of Crossed, each by a model that saw no row of the customer
	Stages      int               // boosted trees, chosen by the out-of-fold log loss; 0 = the family has no stages
	FitSeconds  float64           // wall time of all its fits, added
}

// Probabilities returns margins and calibrated probabilities of the rows of an encoded matrix.
func (f *Fitted) Probabilities(x *features.Matrix) (margin, p []float64, err error) {
	margin, p = make([]float64, x.Rows()), make([]float64, x.Rows())
	if err := f.Model.Margin(margin, x); err != nil {
		return nil, nil, fmt.Errorf("margins of %s: %w", f.Family, err)
	}
	for i, m := range margin {
		p[i] = f.Calibration.Probability(m)
	}
	return margin, p, nil
}

// Failure is a family that could not be fitted and was left out.
type Failure struct {
	Family string
	Err    error
}

// staged is a model that grew in stages and knows its margins after each of them.
type staged interface {
	models.Model
	// StagedMargins yields the margins by the first k stages, k = 0, 1, …; the slice is reused.
	StagedMargins(x *features.Matrix) (iter.Seq2[int, []float64], error)
}

// stageStep is the distance of the numbers of stages among which the out-of-fold log loss chooses.
const stageStep = 5

// fitter fits families on one encoded training set.
type fitter struct {
	d       *features.Dataset // encoded
	crossed *features.Dataset // the rows of d that are cross-fitted
	fold    []int             // inner fold of each row of crossed
	shape   Shape
	seed    uint64
	settled map[string]models.Trainer // choices by family, from earlier cutoffs and for later ones
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
	shape := Shape{Rows: d.Rows(), Positives: positives(d.Y), Columns: d.X.Cols(), Recency: recency}
	f := &fitter{d: d, crossed: d, fold: fold, shape: shape, seed: seed, settled: make(map[string]models.Trainer)}
	share := max(crossRows/float64(d.Rows()), crossRarer/float64(max(1, rarer(d.Y))))
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
	if crossed := d.Take(rows); rarer(crossed.Y) >= calibrationRarer {
		f.crossed, f.fold = crossed, folds
	}
	return f
}

// candidate is a family at work.
type candidate struct {
	family  Family
	rungs   []models.Trainer // choices to try, stiffest first; most families have one
	tried   []rung           // what came of the first of them
	chosen  int              // place in tried
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
		if rungs := f.rungs(family); len(rungs) > 0 {
			own = append(own, &candidate{family: family, rungs: rungs})
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
				one = &Fitted{Family: family.Name, Model: own[k].model, Crossed: f.crossed, OutOfFold: r.outOfFold, Stages: r.stages, FitSeconds: own[k].seconds}
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

// rungs are the choices of a family to cross-fit: what earlier cutoffs have settled on, or all; none if the family cannot be fitted here.
func (f *fitter) rungs(family Family) []models.Trainer {
	if t, ok := f.settled[family.Name]; ok && rarer(f.d.Y) >= settledRarer {
		return []models.Trainer{t}
	}
	switch {
	case family.Rungs != nil:
		s := f.shape
		s.Rows, s.Positives = f.crossed.Rows(), positives(f.crossed.Y)
		return family.Rungs(s)
	case family.Trainer != nil:
		if t := family.Trainer(f.shape); t != nil {
			return []models.Trainer{t}
		}
	}
	return nil
}

// crossFit fits every candidate without each inner fold, and those with several rungs again while climbing pays.
func (f *fitter) crossFit(ctx context.Context, own []*candidate) error {
	for climbing := own; len(climbing) > 0; {
		for _, c := range climbing {
			c.tried = append(c.tried, rung{folds: make([]foldFit, innerFolds), outOfFold: make([]float64, f.crossed.Rows())})
		}
		err := each(ctx, len(climbing)*innerFolds, func(ctx context.Context, task int) {
			c, fold := climbing[task/innerFolds], task%innerFolds
			last := len(c.tried) - 1
			c.tried[last].folds[fold].err = f.fitFold(ctx, c, last, fold)
		}, func(task int, seconds float64) { climbing[task/innerFolds].seconds += seconds })
		if err != nil {
			return err
		}
		var next []*candidate
		for _, c := range climbing {
			last := len(c.tried) - 1
			if err := f.gather(&c.tried[last]); err != nil {
				if last == 0 {
					c.err = err
				}
				c.tried = c.tried[:last] // a rung that cannot be fitted ends the climb on the ones before
			} else if f.climb(c) {
				next = append(next, c)
			}
		}
		climbing = next
	}
	many := rarer(f.d.Y) >= settledRarer
	for _, c := range own {
		if c.family.Rungs != nil && c.err == nil && many {
			f.settled[c.family.Name] = c.rungs[c.chosen]
		}
	}
	return nil
}

// climb takes the rung with the lowest out-of-fold log loss so far, the stiffer of equals, and says whether the next is to be tried: until one is
// worse. Rungs so stiff that they leave the base rate only are equals.
func (f *fitter) climb(c *candidate) bool {
	const equal = 1 + 1e-5
	lowest, last := math.Inf(1), 0.
	for k, r := range c.tried {
		last = sum(r.losses)
		if last < lowest {
			c.chosen, lowest = k, last
		}
	}
	return last <= lowest*equal && len(c.tried) < len(c.rungs)
}

// gather ends the cross-fitting of a rung: it chooses the number of stages and checks the out-of-fold margins.
func (f *fitter) gather(r *rung) error {
	for _, one := range r.folds {
		if one.err != nil {
			return one.err
		}
	}
	if err := f.chooseStages(r); err != nil {
		return err
	}
	r.losses = make([]float64, len(r.outOfFold))
	for i, m := range r.outOfFold {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return fmt.Errorf("out-of-fold margin %v of row %d is not finite", m, i)
		}
		r.losses[i] = marginLoss(m, f.crossed.Y[i])
	}
	return nil
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

// each runs n tasks on all cores, the last first since the slow families stand last in the table, then tells the wall time of each in order.
func each(ctx context.Context, n int, run func(ctx context.Context, task int), done func(task int, seconds float64)) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	seconds := make([]float64, n)
	for task := n - 1; task >= 0; task-- {
		group.Go(func() error {
			begin := time.Now()
			run(inner, task)
			seconds[task] = time.Since(begin).Seconds()
			return inner.Err()
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return err
	}
	for task, s := range seconds {
		done(task, s)
	}
	return nil
}

// fitFold fits a candidate's choice without the rows of fold k and gives these their margins; a staged one keeps its curve of losses.
func (f *fitter) fitFold(ctx context.Context, c *candidate, choice, k int) error {
	r := &c.tried[choice]
	train, held := splitRows(f.fold, k)
	if len(held) == 0 {
		return nil
	}
	d := f.crossed.Take(train)
	if rarer(d.Y) == 0 {
		// A fold took all rows of the rarer class away: the others know no more than a smoothed base rate.
		rate := (float64(positives(d.Y)) + .5) / float64(d.Rows()+1)
		for _, i := range held {
			r.outOfFold[i] = logit(rate)
		}
		return nil
	}
	model, err := c.rungs[choice].Fit(ctx, d, f.rng(c.family.Name, k))
	if err != nil {
		return fmt.Errorf("fit %s without fold %d: %w", c.family.Name, k, err)
	}
	x := f.crossed.X.Take(held)
	if s, ok := model.(staged); ok && c.family.Cut != nil {
		r.folds[k].model = s
		r.folds[k].losses, err = f.curve(s, x, held)
		return err
	}
	margin := make([]float64, len(held))
	if err := model.Margin(margin, x); err != nil {
		return fmt.Errorf("margins of %s: %w", c.family.Name, err)
	}
	for row, i := range held {
		r.outOfFold[i] = margin[row]
	}
	return nil
}

// curve sums the log loss of the held rows after 0, stageStep, 2·stageStep, … stages.
func (f *fitter) curve(s staged, x *features.Matrix, held []int) ([]float64, error) {
	margins, err := s.StagedMargins(x)
	if err != nil {
		return nil, err
	}
	var losses []float64
	for k, margin := range margins {
		if k%stageStep != 0 {
			continue
		}
		total := 0.
		for r, i := range held {
			total += marginLoss(margin[r], f.crossed.Y[i])
		}
		losses = append(losses, total)
	}
	return losses, nil
}

// marginLoss is the log loss of σ(margin).
func marginLoss(margin, y float64) float64 {
	if y > .5 {
		margin = -margin
	}
	if margin > 0 {
		return margin + math.Log1p(math.Exp(-margin))
	}
	return math.Log1p(math.Exp(margin))
}

// chooseStages takes the number of stages with the lowest log loss over all folds, the smaller of equals but at least one step, and fills the
// out-of-fold margins with it. A fold that stopped early stays at its last stage.
func (f *fitter) chooseStages(r *rung) error {
	longest := 0
	for _, one := range r.folds {
		longest = max(longest, len(one.losses))
	}
	if longest == 0 {
		return nil // no stages
	}
	best, lowest := 1, math.Inf(1)
	for s := 1; s < longest; s++ {
		total := 0.
		for _, one := range r.folds {
			if n := len(one.losses); n > 0 {
				total += one.losses[min(s, n-1)]
			}
		}
		if total < lowest {
			best, lowest = s, total
		}
	}
	r.stages = best * stageStep
	for k, one := range r.folds {
		if one.model == nil {
			continue
		}
		_, held := splitRows(f.fold, k)
		margins, err := one.model.StagedMargins(f.crossed.X.Take(held))
		if err != nil {
			return err
		}
		for s, margin := range margins {
			if s > r.stages {
				break
			}
			for row, i := range held {
				r.outOfFold[i] = margin[row]
			}
		}
		r.folds[k].model = nil
	}
	return nil
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
