package features

import (
	"context"
	"fmt"
	"time"
)

// PurchaseDays is on which days customers bought, as known at a cutoff: one entry per customer with a purchase, by customer_id. Days are
// UTC and counted from 1970-01-01. A row with an amount below 0 (a refund) makes no purchase day of its own but lowers the day's amount.
type PurchaseDays struct {
	Cutoff   time.Time
	Customer []string
	First    []int32 // first day with a purchase
	Last     []int32 // last one
	Days     []int32 // how many, the first included

	// The money of the days after the first one with an amount above 0, purchases known to be returned left out.
	SpendDays      []int32   // how many such days
	SpendMean      []float64 // of a day; NaN without such days
	SpendVariation []float64 // Σ(day - mean)²; NaN without such days
}

// LastObserved is the last day before the cutoff, the one that holds its last instant.
func (p *PurchaseDays) LastObserved() int32 {
	ms := milliseconds(p.Cutoff) - 1
	days := ms / day.Milliseconds()
	if ms%day.Milliseconds() < 0 {
		days--
	}
	return int32(days)
}

// PurchaseDays reads them. Sums are over the days in order, so that they do not depend on how the warehouse came by them.
func (s *Store) PurchaseDays(ctx context.Context, cutoff time.Time) (*PurchaseDays, error) {
	rows, err := s.Versions(ctx, Purchases, []string{"at", "amount", "returned"}, cutoff)
	if err != nil {
		return nil, fmt.Errorf("purchase days at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	p := &PurchaseDays{Cutoff: cutoff.UTC()}
	for b, err := range s.DB.Blocks(ctx, `SELECT customer_id, first_day, last_day, n_days, spend_days, spend_mean, spend_variation
FROM (
SELECT
customer_id,
arraySort(groupArray((bought_on, toFloat64(paid)))) AS bought,
bought[1].1 AS first_day,
bought[-1].1 AS last_day,
toInt32(length(bought)) AS n_days,
arrayMap(d -> d.2, arrayFilter(d -> d.2 > 0 AND d.1 > first_day, bought)) AS spent,
toInt32(length(spent)) AS spend_days,
if(spend_days = 0, nan, arraySum(spent) / spend_days) AS spend_mean,
if(spend_days = 0, nan, arraySum(v -> (v - spend_mean) * (v - spend_mean), spent)) AS spend_variation
FROM (
SELECT
customer_id,
toInt32(toDate32(at)) AS bought_on,
sumIf(ifNull(amount, 0), NOT ifNull(returned, false)) AS paid
FROM `+rows+`
GROUP BY customer_id, bought_on
HAVING countIf(ifNull(amount, 0) >= 0) > 0
)
GROUP BY customer_id
)
ORDER BY customer_id
SETTINGS `+spill, nil) {
		if err != nil {
			return nil, fmt.Errorf("purchase days at %s: %w", cutoff.Format(time.RFC3339), err)
		}
		p.Customer = append(p.Customer, b.Strings("customer_id")...)
		for _, column := range []struct {
			name string
			into *[]int32
		}{{"first_day", &p.First}, {"last_day", &p.Last}, {"n_days", &p.Days}, {"spend_days", &p.SpendDays}} {
			for _, v := range b.Int64s(column.name) {
				*column.into = append(*column.into, int32(v))
			}
		}
		p.SpendMean = append(p.SpendMean, b.Float64s("spend_mean")...)
		p.SpendVariation = append(p.SpendVariation, b.Float64s("spend_variation")...)
	}
	return p, nil
}
