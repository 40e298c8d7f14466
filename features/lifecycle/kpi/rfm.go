package kpi

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/features"
	"retain/internal/warehouse"
)

// RFMOptions say whom to sort into cells.
type RFMOptions struct {
	Cutoff time.Time // exclusive, in both clocks; required
	Days   int       // only purchases of so many days before the cutoff; 0 = all of history
}

// RFM is the JSON of `retain lifecycle rfm`: buyers by recency, frequency and money.
//
// A score is a quintile, 5 the best: 1 + ⌊5 · worse / n⌋, where worse is how many of the n buyers have a strictly worse value. So equal values have the
// same score, the lowest of their places, and where many are equal the cells are not of one size: those who bought once are all in frequency 1.
type RFM struct {
	Cutoff    time.Time `json:"cutoff"`
	Days      *int      `json:"days"` // null: all of history
	Currency  *string   `json:"currency"`
	Customers int64     `json:"customers"` // who bought
	Cells     []RFMCell `json:"cells"`     // best first: by recency, then frequency, then money
	Formula   string    `json:"formula"`
}

// RFMCell is the buyers of one cell. Figures are means over them.
type RFMCell struct {
	Recency     int      `json:"recency"` // scores of 1 to 5
	Frequency   int      `json:"frequency"`
	Money       int      `json:"money"`
	Customers   int64    `json:"customers"`
	Share       float64  `json:"share"`         // of all buyers
	RecencyDays float64  `json:"recency_days"`  // whole days from the last day with a purchase to the cutoff
	Purchases   float64  `json:"purchase_days"` // days with a purchase
	Spent       *float64 `json:"spent"`         // a customer; null where no purchase has an amount
	SpentShare  *float64 `json:"spent_share"`   // of what all buyers spent; null where that is not above 0
}

// rfmFormula tells what the scores are.
const rfmFormula = "score = 1 + ⌊5 · worse / n⌋, worse = how many of the n buyers have a strictly worse value, so equal values have equal scores; " +
	"recency = days since the last day with a purchase, frequency = days with a purchase, money = amounts, known returns left out, refunds subtracted"

const maxRFMDays = 36_500

// SortRFM sorts everyone who bought before the cutoff, and within Days of it, into cells. A row with an amount below 0 (a refund) makes no day with a
// purchase. Errors: *UsageError for Days out of bounds, the warehouse's.
func SortRFM(ctx context.Context, store *features.Store, o RFMOptions) (*RFM, error) {
	if o.Days < 0 || o.Days > maxRFMDays {
		return nil, &UsageError{fmt.Sprintf("days: %d is not between 1 and %d; leave it out for all of history", o.Days, maxRFMDays)}
	}
	rows, err := store.Versions(ctx, features.Purchases, []string{"at", "amount", "returned"}, o.Cutoff)
	if err != nil {
		return nil, fmt.Errorf("recency, frequency and money: %w", err)
	}
	from := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &RFM{Cutoff: o.Cutoff.UTC(), Cells: []RFMCell{}, Formula: rfmFormula}
	if o.Days > 0 {
		from, r.Days = o.Cutoff.AddDate(0, 0, -o.Days), &o.Days
	}
	params := clickhouse.Parameters{"from": warehouse.Instant(from), "cutoff_ms": strconv.FormatInt(o.Cutoff.UnixMilli(), 10)}
	type total struct{ days, bought, spent int64 }
	var totals []total
	var priced, all int64
	for b, err := range store.DB.Blocks(ctx, `SELECT r, f, m, toInt64(count()) AS customers, sum(days) AS days, sum(bought) AS bought, sum(spent) AS spent, sum(priced) AS priced
FROM (
SELECT days, bought, spent, priced,
toUInt8(1 + intDiv(5 * (rank() OVER (ORDER BY days DESC) - 1), n)) AS r,
toUInt8(1 + intDiv(5 * (rank() OVER (ORDER BY bought) - 1), n)) AS f,
toUInt8(1 + intDiv(5 * (rank() OVER (ORDER BY spent) - 1), n)) AS m
FROM (
SELECT days, bought, spent, priced, count() OVER () AS n
FROM (
SELECT customer_id,
intDiv({cutoff_ms:Int64} - 1 - max(if(ifNull(amount, 0) >= 0, `+dayOf(ms)+`, toInt64(-9000000000000000))), 86400000) AS days,
toInt64(uniqExactIf(`+dayOf(ms)+`, ifNull(amount, 0) >= 0)) AS bought,
sum(toInt64(if(ifNull(returned, false), 0, ifNull(amount, 0)) * 10000)) AS spent,
toInt64(countIf(isNotNull(amount))) AS priced
FROM `+rows+`
WHERE at >= {from:DateTime64(3, 'UTC')} AND customer_id != ''
GROUP BY customer_id
HAVING bought > 0
)
)
)
GROUP BY r, f, m
ORDER BY r DESC, f DESC, m DESC
SETTINGS `+spill, params) {
		if err != nil {
			return nil, fmt.Errorf("recency, frequency and money: %w", err)
		}
		recency, frequency, money := b.UInt8s("r"), b.UInt8s("f"), b.UInt8s("m")
		n, days, bought, spent, known := b.Int64s("customers"), b.Int64s("days"), b.Int64s("bought"), b.Int64s("spent"), b.Int64s("priced")
		for i := range n {
			r.Cells = append(r.Cells, RFMCell{Recency: int(recency[i]), Frequency: int(frequency[i]), Money: int(money[i]), Customers: n[i]})
			totals = append(totals, total{days[i], bought[i], spent[i]})
			r.Customers, priced, all = r.Customers+n[i], priced+known[i], all+spent[i]
		}
	}
	for i := range r.Cells {
		cell, t, n := &r.Cells[i], totals[i], float64(r.Cells[i].Customers)
		cell.Share = n / float64(r.Customers)
		cell.RecencyDays, cell.Purchases = float64(t.days)/n, float64(t.bought)/n
		if priced > 0 {
			spent := float64(t.spent) / 10_000 / n
			cell.Spent = &spent
		}
		if all > 0 {
			share := float64(t.spent) / float64(all)
			cell.SpentShare = &share
		}
	}
	return r, nil
}
