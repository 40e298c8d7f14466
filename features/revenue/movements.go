package revenue

import (
	"time"

	"retain/features"
)

// Movement is how MRR came from the begin of a month to its end: Start + New + Reactivation + Expansion - Contraction - Churn = End.
// Amounts are in ten-thousandths of the currency.
type Movement struct {
	Month        time.Time // its begin
	Start        Flow
	New          Flow // of those who never paid before the month
	Reactivation Flow // of those who had paid before, but nothing at its begin
	Expansion    Flow // more from those who paid at both ends
	Contraction  Flow // less from them
	Churn        Flow // of those who paid at its begin and nothing at its end
	End          Flow
}

// Flow is customers and their MRR.
type Flow struct {
	Customers int
	MRR       int64
}

func (f *Flow) add(mrr int64) {
	f.Customers++
	f.MRR += mrr
}

// Retention of what was there at the begin of the month: gross = (start - contraction - churn) / start, net = gross + expansion / start.
// Nothing comes of new and returning customers. ok is false where nothing was there.
func (m Movement) Retention() (gross, net float64, ok bool) {
	if m.Start.MRR <= 0 {
		return 0, 0, false
	}
	kept := m.Start.MRR - m.Contraction.MRR - m.Churn.MRR
	return float64(kept) / float64(m.Start.MRR), float64(kept+m.Expansion.MRR) / float64(m.Start.MRR), true
}

// Ledger adds up the movements of payers.
type Ledger struct {
	levels   *levels
	months   []Movement
	Unpriced int // customers with a paid period whose MRR is not known; it counts as 0
}

// NewLedger is one over the months between bounds, of Months; periods are joined over gaps of at most the grace.
func NewLedger(bounds []time.Time, grace time.Duration) *Ledger {
	l := &Ledger{levels: newLevels(inMilliseconds(bounds), grace.Milliseconds())}
	for k := 0; k+1 < len(bounds); k++ {
		l.months = append(l.months, Movement{Month: bounds[k]})
	}
	return l
}

// Add adds a payer, once.
func (l *Ledger) Add(p features.Payer) {
	for _, period := range p.Periods {
		if !period.Priced {
			l.Unpriced++
			break
		}
	}
	l.levels.read(p)
	for k := range l.months {
		m, before, after := &l.months[k], l.levels.mrr[k], l.levels.mrr[k+1]
		if before > 0 {
			m.Start.add(before)
		}
		if after > 0 {
			m.End.add(after)
		}
		switch paidBefore, paysAfter := before > 0, after > 0; {
		case !paidBefore && paysAfter && l.levels.firstPaid >= l.levels.bounds[k]:
			m.New.add(after)
		case !paidBefore && paysAfter:
			m.Reactivation.add(after)
		case paidBefore && !paysAfter:
			m.Churn.add(before)
		case paidBefore && after > before:
			m.Expansion.add(after - before)
		case paidBefore && after < before:
			m.Contraction.add(before - after)
		}
	}
}

// Movements are those of the months, oldest first.
func (l *Ledger) Movements() []Movement { return l.months }
