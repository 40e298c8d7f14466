package features

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// PaidPeriod is one paid period [Start, End) of a subscription. Instants are milliseconds since 1970; an open period ends beyond all of them.
type PaidPeriod struct {
	Start, End   int64
	Subscription uint64 // hash of subscription_id
	MRR          int64  // ten-thousandths of the currency a month; 0 where it is not known
	Priced       bool   // MRR is known
}

// Payer is a customer with its paid periods, by start.
type Payer struct {
	Customer string
	Periods  []PaidPeriod // at least one
}

// PaidPeriods yields the FROM-expression, in parentheses, of all paid periods that started before the cutoff, as known at it: customer_id,
// subscription_id, plan, mrr (nullable), started_ms and end_ms (milliseconds since 1970; far beyond all instants where the period is open, not after the
// start where nothing was ever paid), cancelled and involuntary (0 or 1).
func (s *Store) PaidPeriods(ctx context.Context, cutoff time.Time) (string, error) {
	return s.periodsSQL(ctx, cutoff, cutoff)
}

// Payers streams everyone who has a paid period that started before the cutoff, as known at known (the zero time: all that is held now), by
// customer_id. Ends that are known in advance lie after the cutoff. The periods of a Payer are only its own until the next one.
func (s *Store) Payers(ctx context.Context, cutoff, known time.Time) iter.Seq2[Payer, error] {
	if known.IsZero() {
		known = endOfTime
	}
	return func(yield func(Payer, error) bool) {
		fail := func(err error) {
			yield(Payer{}, fmt.Errorf("paid periods as known at %s: %w", known.Format(time.RFC3339), err))
		}
		periods, err := s.periodsSQL(ctx, cutoff, known)
		if err != nil {
			fail(err)
			return
		}
		var payer Payer
		for b, err := range s.DB.Blocks(ctx, `SELECT
customer_id,
started_ms,
end_ms,
cityHash64(subscription_id) AS subscription,
toInt64(ifNull(mrr, 0) * 10000) AS paid,
toUInt8(isNotNull(mrr)) AS priced
FROM `+periods+`
WHERE end_ms > started_ms AND customer_id != ''
ORDER BY customer_id, started_ms, end_ms, subscription, paid
SETTINGS max_bytes_before_external_sort = 2000000000`, nil) {
			if err != nil {
				fail(err)
				return
			}
			start, end, subscription := b.Int64s("started_ms"), b.Int64s("end_ms"), b.UInt64s("subscription")
			paid, priced := b.Int64s("paid"), b.UInt8s("priced")
			for i, id := range b.Strings("customer_id") {
				if id != payer.Customer {
					if len(payer.Periods) > 0 && !yield(payer, nil) {
						return
					}
					payer.Customer, payer.Periods = id, payer.Periods[:0]
				}
				payer.Periods = append(payer.Periods, PaidPeriod{Start: start[i], End: end[i], Subscription: subscription[i], MRR: paid[i], Priced: priced[i] == 1})
			}
		}
		if len(payer.Periods) > 0 {
			yield(payer, nil)
		}
	}
}
