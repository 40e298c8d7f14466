package features

import (
	"context"
	"fmt"
	"time"
)

// eventSQL tells by the configured event who left in w, which begins at T+L: the first one from T on decides, in the gap or in the window. One row (fate,
// left_ms) for each eligible customer, in their order.
func (s *Store) eventSQL(ctx context.Context, c ChurnSpec, p *Population, w window, knownBefore time.Time) (string, error) {
	rows, err := s.rows(ctx, read{Source: c.Event.Source, Columns: append([]string{"at"}, sortedKeys(c.Event.Match)...), From: p.Cutoff, Cutoff: knownBefore})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`SELECT toUInt8(multiIf(l.left_ms = 0, %d, l.left_ms < %d, %d, %d)) AS fate, l.left_ms AS left_ms
FROM %s AS p
LEFT JOIN (
SELECT customer_id, toUnixTimestamp64Milli(min(at)) AS left_ms
FROM %s
WHERE %s AND %s
GROUP BY customer_id
) AS l ON l.customer_id = p.customer_id
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`,
		fateStayed, milliseconds(w.from), fateLeftInGap, fateChurned,
		quoteName(p.Table), rows, window{p.Cutoff, w.until}.sql(), matchSQL(c.Event.Match)), nil
}
