package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CohortCell is what the customers whose first activity lies in one month did in another.
type CohortCell struct {
	Cohort    time.Time // the 1st of the month of the first activity, 00:00 UTC
	Month     time.Time // of the activity
	Customers int       // active in the month
	Spent     int64     // their purchases in it, known returns left out, in ten-thousandths of the currency; 0 unless purchases are an activity
}

// ActivityCohorts counts who was active in which month by the month of the first activity, from rows before until, which are known now.
// Activity is that of a non-contractual specification. Cells are by cohort, then month; a month without activity has none.
func (s *Store) ActivityCohorts(ctx context.Context, c ChurnSpec, until time.Time) ([]CohortCell, error) {
	var active []string
	for _, source := range c.LabelSources() {
		columns, spent := []string{"at"}, "toDecimal64(0, 4)"
		if source == Purchases {
			columns, spent = []string{"at", "amount", "returned"}, "sumIf(ifNull(amount, 0), NOT ifNull(returned, false))"
		}
		rows, err := s.rows(ctx, read{Source: source, Columns: columns, Cutoff: endOfTime})
		if err != nil {
			return nil, fmt.Errorf("cohorts: %w", err)
		}
		active = append(active, "SELECT customer_id, toInt64(toUnixTimestamp(toDateTime(toStartOfMonth(at), 'UTC'))) AS month, toInt64("+spent+" * 10000) AS paid\nFROM "+rows+
			"\nWHERE at < "+quoteInstant(until)+" AND customer_id != ''\nGROUP BY customer_id, month")
	}
	if len(active) == 0 {
		return nil, fmt.Errorf("cohorts: the setting %s names no source of activity", c.Setting)
	}
	var cells []CohortCell
	for b, err := range s.DB.Blocks(ctx, `SELECT began, month, count() AS customers, sum(paid) AS spent
FROM (
SELECT months[1].1 AS began, m.1 AS month, m.2 AS paid
FROM (
SELECT arraySort(groupArray((month, paid))) AS months
FROM (
SELECT customer_id, month, sum(paid) AS paid
FROM (
`+strings.Join(active, "\nUNION ALL\n")+`
)
GROUP BY customer_id, month
)
GROUP BY customer_id
)
ARRAY JOIN months AS m
)
GROUP BY began, month
ORDER BY began, month
SETTINGS `+spill, nil) {
		if err != nil {
			return nil, fmt.Errorf("cohorts: %w", err)
		}
		began, month, customers, spent := b.Int64s("began"), b.Int64s("month"), b.UInt64s("customers"), b.Int64s("spent")
		for i := range began {
			cells = append(cells, CohortCell{Cohort: time.Unix(began[i], 0).UTC(), Month: time.Unix(month[i], 0).UTC(), Customers: int(customers[i]), Spent: spent[i]})
		}
	}
	return cells, nil
}

// CountsSpend tells whether purchases are an activity of the specification, so that cohorts have revenue.
func (c ChurnSpec) CountsSpend() bool { return slices.Contains(c.LabelSources(), Purchases) }
