package training

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"retain/training/metrics"
)

// Tuning is how a family chose among its choices on one training set.
type Tuning struct {
	Family     string         `json:"family"`
	Newest     time.Time      `json:"newest_cutoff"` // of the training rows; zero where rows have none
	Rows       int            `json:"rows"`
	Candidates int            `json:"candidates"` // choices tried, the one by size among them
	Chosen     int            `json:"chosen"`     // place in the list of choices; 0 = the one by size
	Gain       metrics.Figure `json:"gain"`       // out-of-fold log loss by which the best of the others is better than the one by size; null: none came so far
	Error      metrics.Figure `json:"error"`      // its paired standard error, by customer

	best int // place of the best of the others
}

// String tells the choice in words.
func (t Tuning) String() string {
	what := fmt.Sprintf("%s: %d choices tried on %d rows", t.Family, t.Candidates, t.Rows)
	if !t.Newest.IsZero() {
		what += " up to " + day(t.Newest)
	}
	switch gain, err := float64(t.Gain), float64(t.Error); {
	case t.Chosen > 0:
		return fmt.Sprintf("%s: number %d is taken, its log loss %.4f better out of fold than that of the choice by size (standard error %.4f)", what, t.Chosen, gain, err)
	case gain > 0:
		return fmt.Sprintf("%s: the choice by size stays, number %d was better by %.4f only (standard error %.4f)", what, t.best, gain, err)
	default:
		return what + ": the choice by size stays, no other was better"
	}
}

// halvingFolds are the inner folds on which the choices of a tuned family are fitted in each round of a halving; together they are all.
var halvingFolds = [][]int{{0}, {1}, {2, 3, 4}}

const (
	halvingKeep = 3 // one choice in so many goes on to the next round, rounded up
	// tunedErrors is by how many paired standard errors a choice must be better than the one by size. The best of a dozen equals is better by one
	// error in every second set; by two it hardly ever is.
	tunedErrors = 2
)

// halve chooses among the choices of a tuned family by successive halving (Jamieson & Talwalkar 2016): all are cross-fitted on the first inner fold,
// the better third on the second, and the best one on the other three, so that it has been fitted on all. What grows from round to round is the number of
// held-out rows and not the size of the models: choices that pay with few trees or few customers are not those that pay with all. The first choice,
// the one by size, goes all the way, and the other is taken in its place if its out-of-fold log loss is lower by more than tunedErrors paired standard
// errors. When the time budget is spent, the first goes on alone.
func (f *fitter) halve(ctx context.Context, c *candidate) error {
	c.tried = make([]rung, len(c.rungs))
	alive := make([]int, len(c.rungs))
	for k := range alive {
		alive[k] = k
		c.tried[k] = rung{folds: make([]foldFit, innerFolds), outOfFold: make([]float64, f.crossed.Rows())}
	}
	for round, folds := range halvingFolds {
		err := each(ctx, len(alive)*len(folds), func(ctx context.Context, task int) {
			choice, fold := alive[task/len(folds)], folds[task%len(folds)]
			if choice == 0 || !f.budget.spent() {
				c.tried[choice].folds[fold].err = f.fitFold(ctx, c, choice, fold)
			}
		}, func(_ int, seconds float64) { c.seconds += seconds })
		if err != nil {
			return err
		}
		if alive = f.survivors(c, alive, round); len(alive) == 0 {
			return nil // c.err tells why
		}
	}
	for k, choice := range alive {
		if err := f.gather(&c.tried[choice]); err != nil && choice == 0 {
			c.err = err
			return nil
		} else if err != nil {
			alive = alive[:k]
		}
	}
	f.take(c, alive)
	return nil
}

// survivors are the choices that go on after a round: the first and the best of the others, fewer each time. None and c.err if the first failed.
func (f *fitter) survivors(c *candidate, alive []int, round int) []int {
	failed := func(k int) error {
		for _, one := range c.tried[k].folds {
			if one.err != nil {
				return one.err
			}
		}
		return nil
	}
	if c.err = failed(0); c.err != nil {
		return nil
	}
	var others []int
	loss := make(map[int]float64)
	for _, k := range alive[1:] {
		if failed(k) == nil && !f.budget.spent() {
			others = append(others, k)
			_, loss[k] = bestStages(c.tried[k].folds)
		}
	}
	slices.SortStableFunc(others, func(a, b int) int { return cmp.Compare(loss[a], loss[b]) })
	keep := 1
	if round+2 < len(halvingFolds) {
		keep = (len(others) + halvingKeep - 1) / halvingKeep
	}
	others = others[:min(len(others), keep)]
	for k := 1; k < len(c.tried); k++ {
		if !slices.Contains(others, k) {
			c.tried[k] = rung{} // its models are no longer needed
		}
	}
	return append([]int{0}, others...)
}

// take decides between the first choice and the one that is left beside it, if any, both fitted on all folds.
func (f *fitter) take(c *candidate, alive []int) {
	c.tuning = &Tuning{Family: c.family.Name, Rows: f.d.Rows(), Candidates: len(c.rungs)}
	if f.d.Cutoff != nil {
		c.tuning.Newest = slices.MaxFunc(f.d.Cutoff, time.Time.Compare).UTC()
	}
	c.tuning.Gain, c.tuning.Error = undefined, undefined
	if len(alive) < 2 {
		return
	}
	k := alive[1]
	gain := make([]float64, len(c.tried[0].losses))
	for i, l := range c.tried[0].losses {
		gain[i] = l - c.tried[k].losses[i]
	}
	mean, se := metrics.Sum(gain)/float64(len(gain)), metrics.NewBootstrap(f.seed, f.crossed.Customer).PairedError(gain)
	c.tuning.best, c.tuning.Gain, c.tuning.Error = k, metrics.Figure(mean), metrics.Figure(se)
	if mean > tunedErrors*se {
		c.chosen, c.tuning.Chosen = k, k
	}
}
