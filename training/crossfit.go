package training

import (
	"context"
	"fmt"
	"iter"
	"math"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

// staged is a model that grew in stages and knows its margins after each of them.
type staged interface {
	models.Model
	// StagedMargins yields the margins by the first k stages, k = 0, 1, …; the slice is reused.
	StagedMargins(x *features.Matrix) (iter.Seq2[int, []float64], error)
}

// stageStep is the distance of the numbers of stages among which the out-of-fold log loss chooses.
const stageStep = 5

// crossFit fits every candidate without each inner fold: those with several rungs again while climbing pays, the choices of tuned ones by halving.
func (f *fitter) crossFit(ctx context.Context, own []*candidate) error {
	var climbing []*candidate
	for _, c := range own {
		if c.family.Tuned == nil || len(c.rungs) == 1 {
			climbing = append(climbing, c)
		} else if err := f.halve(ctx, c); err != nil {
			return err
		}
	}
	for len(climbing) > 0 {
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
	for _, c := range own {
		if c.err == nil && metrics.Rarer(f.d.Y) >= settles(c.family) && !f.budget.wasHit() {
			f.settled[c.family.Name] = c.place + c.chosen
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
		last = metrics.Sum(r.losses)
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

// fitFold fits a candidate's choice without the rows of fold k and gives these their margins; a staged one keeps its curve of losses.
func (f *fitter) fitFold(ctx context.Context, c *candidate, choice, k int) error {
	r := &c.tried[choice]
	train, held := splitRows(f.fold, k)
	if len(held) == 0 {
		return nil
	}
	d := f.crossed.Take(train)
	if metrics.Rarer(d.Y) == 0 {
		// A fold took all rows of the rarer class away: the others know no more than a smoothed base rate.
		rate := (float64(metrics.Positives(d.Y)) + .5) / float64(d.Rows()+1)
		for _, i := range held {
			r.outOfFold[i] = metrics.Logit(rate)
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

// bestStages is the number of steps of stageStep stages with the lowest log loss over the folds that have a curve, the smaller of equals but at
// least one, and that loss; 0 and 0 where no fold has a curve. A fold that stopped early stays at its last stage.
func bestStages(folds []foldFit) (steps int, loss float64) {
	longest := 0
	for _, one := range folds {
		longest = max(longest, len(one.losses))
	}
	if longest == 0 {
		return 0, 0
	}
	steps, loss = 1, math.Inf(1)
	for s := 1; s < longest; s++ {
		total := 0.
		for _, one := range folds {
			if n := len(one.losses); n > 0 {
				total += one.losses[min(s, n-1)]
			}
		}
		if total < loss {
			steps, loss = s, total
		}
	}
	return steps, loss
}

// chooseStages takes the best number of stages over all folds and fills the out-of-fold margins with it.
func (f *fitter) chooseStages(r *rung) error {
	steps, _ := bestStages(r.folds)
	if steps == 0 {
		return nil // no stages
	}
	r.stages = steps * stageStep
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
