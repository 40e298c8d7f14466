package training

import (
	"fmt"
	"math"
	"slices"

	"retain/training/metrics"
)

// choice is the family that a tournament puts forward, with the reasons in words.
type choice struct {
	Family  Family
	Verdict []string
}

// sufficient says whether so many training rows of the rarer class let a family be champion: below 30 only the recency rule, below 200
// linear and the rules, else all but the rows of comparison (metrics.md §5). The base rate stands in only where nothing else does.
func sufficient(f Family, rarer int) bool {
	return f.Name != familyBaseRate && !f.Comparison && rarer >= f.Needs
}

// choose takes, among the families that so many rows of the rarer class allow, the lowest pooled log loss; within one paired standard
// error of it, grouped by customer, the simpler. Errors: *DataError if no family was measured.
func choose(t *tournament, rarer int, seed uint64) (*choice, error) {
	type entrant struct {
		family Family
		losses []float64
		mean   float64
	}
	var entrants []entrant
	var customers []string
	enter := func(allowed func(Family) bool) {
		for _, f := range Families {
			c := t.find(f.Name)
			if c == nil || !allowed(f) {
				continue
			}
			all := metrics.Concatenate(c.Held)
			customers = all.Customer
			losses := metrics.RowLosses(all.P, all.Y)
			entrants = append(entrants, entrant{family: f, losses: losses, mean: metrics.Sum(losses) / float64(len(losses))})
		}
	}
	enter(func(f Family) bool { return sufficient(f, rarer) })
	var verdict []string
	if rarer < leastFlexible {
		verdict = append(verdict, fmt.Sprintf("%d rows of the rarer class: %s may be champion", rarer, allowedWords(rarer)))
	}
	if len(entrants) == 0 {
		enter(func(f Family) bool { return f.Name == familyBaseRate })
		verdict = append(verdict, "no column counts days since the last activity, so the recency rule is not there and the base rate stands in: every customer gets the same probability")
	}
	if len(entrants) == 0 {
		return nil, lacking("no family could be fitted on these rows")
	}
	best := slices.MinFunc(entrants, func(a, b entrant) int {
		switch {
		case a.mean < b.mean:
			return -1
		case a.mean > b.mean:
			return 1
		}
		return a.family.Rank - b.family.Rank
	})
	verdict = append(verdict, fmt.Sprintf("%s has the lowest log loss on the test cutoffs, %.4f", best.family.Name, best.mean))
	b := metrics.NewBootstrap(seed, customers)
	for _, e := range entrants { // the table's order is that of Rank: the first within the error is the simplest
		if e.family.Rank >= best.family.Rank {
			continue
		}
		d := make([]float64, len(e.losses))
		for i := range d {
			d[i] = e.losses[i] - best.losses[i]
		}
		se := b.PairedError(d)
		if math.IsNaN(se) || e.mean-best.mean > se {
			continue
		}
		verdict = append(verdict, fmt.Sprintf("%s is simpler and only %.4f worse, within one paired standard error (%.4f): it is chosen", e.family.Name, e.mean-best.mean, se))
		return &choice{Family: e.family, Verdict: verdict}, nil
	}
	return &choice{Family: best.family, Verdict: verdict}, nil
}

func allowedWords(rarer int) string {
	if rarer < leastMeasured {
		return "only the recency rule"
	}
	return "only linear and the recency rule"
}
