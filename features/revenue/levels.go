package revenue

import (
	"cmp"
	"slices"

	"retain/features"
)

// levels is what one customer paid at each bound.
type levels struct {
	bounds []int64 // ms
	grace  int64   // ms

	periods   []features.PaidPeriod // with ends moved over the gaps
	mrr       []int64               // at each bound
	there     []bool                // a paid period is held, be it for nothing
	first     int64                 // ms of the first begin
	firstPaid int64                 // of the first with MRR above 0; features.StillThere without any
	starting  int64                 // MRR at the first begin
}

func newLevels(bounds []int64, grace int64) *levels {
	return &levels{bounds: bounds, grace: grace, mrr: make([]int64, len(bounds)), there: make([]bool, len(bounds))}
}

// read replaces what it holds by the levels of a payer.
func (l *levels) read(p features.Payer) {
	l.periods = append(l.periods[:0], p.Periods...)
	slices.SortStableFunc(l.periods, func(a, b features.PaidPeriod) int {
		return cmp.Or(cmp.Compare(a.Subscription, b.Subscription), cmp.Compare(a.Start, b.Start))
	})
	for i := 0; i < len(l.periods); {
		end := i
		for end < len(l.periods) && l.periods[end].Subscription == l.periods[i].Subscription {
			end++
		}
		bridge(l.periods[i:end], l.grace)
		i = end
	}
	slices.SortStableFunc(l.periods, func(a, b features.PaidPeriod) int { return cmp.Compare(a.Start, b.Start) })
	bridge(l.periods, l.grace)

	clear(l.mrr)
	clear(l.there)
	l.first, l.firstPaid, l.starting = l.periods[0].Start, features.StillThere, 0
	for _, p := range l.periods {
		if p.MRR > 0 {
			l.firstPaid = min(l.firstPaid, p.Start)
		}
		if p.Start == l.first {
			l.starting += p.MRR
		}
		for k := place(l.bounds, p.Start); k < len(l.bounds) && l.bounds[k] <= p.End; k++ {
			l.mrr[k] += p.MRR
			l.there[k] = true
		}
	}
}

// bridge moves the ends of periods, sorted by start, over gaps of at most the grace: those that end last before the gap go on until the next begins.
func bridge(periods []features.PaidPeriod, grace int64) {
	until := periods[0].End
	for i := 1; i < len(periods); i++ {
		start := periods[i].Start
		if start > until && start-until <= grace {
			for k := range periods[:i] {
				if periods[k].End == until {
					periods[k].End = start
				}
			}
		}
		until = max(until, periods[i].End)
	}
}
