package training

import (
	"context"
	"slices"
	"time"

	"retain/internal/warehouse"
	"retain/models/actions"
)

// controlGroup tells how probably a customer is held out at a run, given what was decided for him before in the quarter.
//
// Logged propensities have the share h of the control group in them: P(a) = (1-h) π_a, P(nothing) = h + (1-h) π_0. That is so on a customer's first day of the
// quarter. The group is drawn once a quarter, so that later decisions are made of customers of whom more is known: who got something is not in it, and of those who
// got nothing night after night most are. Learning takes the probabilities given that, with h replaced by P(held out | what was decided before).
//
// A customer is held out of a run of share h where his number u, uniform in [0, 1), lies below h. The likelihood of his decisions is a step function of u.
type controlGroup struct {
	log     DecisionLog
	runs    []warehouse.DecisionRun // all that are logged, oldest first
	next    int                     // of runs: the first that was not read
	quarter time.Time               // its begin
	shares  []float64               // held out by the runs of the quarter that were read, rising
	nothing map[string][]float64    // by customer and share: ∏ π_0 of the runs of that share, 1 where nothing was possible
	treated map[string]float64      // by customer: the largest share of a run that gave him something: his u is at least that
}

// reach reads the decisions of the runs that lie before one, in its quarter.
func (g *controlGroup) reach(ctx context.Context, run warehouse.DecisionRun) error {
	if q := actions.Quarter(run.Cutoff); !q.Equal(g.quarter) || g.nothing == nil {
		g.quarter, g.shares, g.nothing, g.treated = q, nil, map[string][]float64{}, map[string]float64{}
	}
	var groups []guardGroup
	for ; g.next < len(g.runs) && g.runs[g.next].Cutoff.Before(run.Cutoff); g.next++ {
		if earlier := g.runs[g.next]; actions.Quarter(earlier.Cutoff).Equal(g.quarter) && earlier.Holdout > 0 && earlier.Holdout < 1 {
			withheld, err := withheldOf(earlier)
			if err != nil {
				return err
			}
			groups = joinGroups(groups, guardRun{earlier, withheld})
		}
	}
	for _, group := range groups {
		list, err := g.log.Treatments(ctx, group.TreatmentGroup)
		if err != nil {
			return err
		}
		k, known := slices.BinarySearch(g.shares, group.Holdout)
		if !known {
			g.shares = slices.Insert(g.shares, k, group.Holdout)
			for id, products := range g.nothing {
				g.nothing[id] = slices.Insert(products, k, 1)
			}
		}
		for _, t := range list {
			if t.Chosen { // whoever gets something is above the share, and there all its runs are as likely
				g.treated[t.CustomerID] = max(g.treated[t.CustomerID], group.Holdout)
				continue
			}
			if g.nothing[t.CustomerID] == nil {
				g.nothing[t.CustomerID] = slices.Repeat([]float64{1}, len(g.shares))
			}
			g.nothing[t.CustomerID][k] *= t.Nothing
		}
	}
	return nil
}

// held is the probability that a customer is held out of a run of share h.
func (g *controlGroup) held(customer string, h float64) float64 {
	nothing, known := g.nothing[customer]
	above := g.treated[customer]
	if !known && above == 0 {
		return h
	}
	// below and all are ∫ of the likelihood over [above, h) and [above, 1).
	var below, all float64
	low, likelihood := 0., 1.
	for k := 0; k <= len(g.shares); k++ {
		high := 1.
		if k < len(g.shares) {
			high = g.shares[k]
		}
		from := max(low, above)
		below += likelihood * max(0, min(high, h)-from)
		all += likelihood * max(0, high-from)
		if low = high; k < len(nothing) && high > above { // below, all that is left of u has the same factor
			likelihood *= nothing[k]
		}
	}
	if all == 0 {
		return 0
	}
	return below / all
}

// leastChance is a probability below which a difference of two is rounding.
const leastChance = 1e-12

// given puts in place of the logged propensities of a run that held out the share h those given what was decided before. A duty is as certain as it was.
func (g *controlGroup) given(d *warehouse.DecisionRow, h float64) {
	at := slices.Index(d.Actions, actions.DoNothing)
	if !(h > 0 && h < 1) || at < 0 || d.Propensities[at] < h {
		return
	}
	held := g.held(d.CustomerID, h)
	if held == h {
		return
	}
	scale := (1 - held) / (1 - h)
	change := func(p []float64) []float64 {
		out := make([]float64, len(p))
		for k, v := range p {
			out[k] = v * scale
		}
		return out
	}
	none := max(d.Propensities[at]-h, 0)
	if none < leastChance {
		none = 0
	}
	d.Propensities, d.WithheldPropensities = change(d.Propensities), change(d.WithheldPropensities)
	d.Propensities[at] = held + scale*none
}
