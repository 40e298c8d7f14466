package features

import (
	"context"
	"fmt"
	"time"
)

// severalShare is the share of subscribers with several values at once from which one value cannot stand for all of them.
const severalShare = .05

// runSeveral tells whether customers have running periods of several values of a text column of subscriptions at once, say a plan and two
// extras: at least severalShare of those who have one.
func (s *Store) runSeveral(ctx context.Context, column string, cutoff time.Time) (bool, error) {
	rows, err := s.rows(ctx, read{Source: Subscriptions, Columns: []string{column, "ended_at", "ends_at"}, Cutoff: cutoff})
	if err != nil {
		return false, err
	}
	query := fmt.Sprintf("SELECT countIf(n > 1) AS several, count() AS customers\nFROM (\nSELECT customer_id, uniqExact(%[1]s) AS n\nFROM %[2]s\n"+
		"WHERE %[1]s != '' AND ifNull(ifNull(ended_at, ends_at) >= %[3]s, true)\nGROUP BY customer_id\n)", quoteName(column), rows, quoteInstant(cutoff))
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return false, err
		}
		several, customers := b.UInt64s("several"), b.UInt64s("customers")
		for i := range several {
			return several[i] > 0 && float64(several[i]) >= severalShare*float64(customers[i]), nil
		}
	}
	return false, nil
}
