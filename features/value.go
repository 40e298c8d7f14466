package features

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// valueDays is the span of the net spend that stands for a monthly value where there is no MRR.
const valueDays = 365

// MonthlyValue is what each eligible customer is worth a month at the cutoff, in the configured currency, aligned with p.Eligible():
// the summed MRR of the periods active at T; else a twelfth of the amounts paid in [T-365 d, T), purchases known to be returned left
// out (0 for one who bought before that only); NaN where neither is known. See contract.md §3.
func (s *Store) MonthlyValue(ctx context.Context, p *Population) ([]float64, error) {
	value := make([]float64, 0, len(p.eligible))
	if len(p.eligible) == 0 {
		return value, nil
	}
	query, err := s.valueSQL(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("monthly value at %s: %w", p.Cutoff.Format(time.RFC3339), err)
	}
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, fmt.Errorf("monthly value at %s: %w", p.Cutoff.Format(time.RFC3339), err)
		}
		value = append(value, b.Float64s("value")...)
	}
	if len(value) != len(p.eligible) {
		return nil, fmt.Errorf("monthly value at %s: %d rows came back for %d eligible customers", p.Cutoff.Format(time.RFC3339), len(value), len(p.eligible))
	}
	return value, nil
}

func (s *Store) valueSQL(ctx context.Context, p *Population) (string, error) {
	periods, err := s.periodsSQL(ctx, p.Cutoff, p.Cutoff)
	if err != nil {
		return "", err
	}
	purchases, err := s.Versions(ctx, Purchases, []string{"at", "amount", "returned"}, p.Cutoff)
	if err != nil {
		return "", err
	}
	fill := strings.NewReplacer("{eligible}", quoteName(p.Table), "{periods}", periods, "{purchases}", purchases,
		"{cutoff}", fmt.Sprint(milliseconds(p.Cutoff)), "{from}", quoteInstant(p.Cutoff.Add(-valueDays*day)))
	return fill.Replace(`SELECT multiIf(m.priced > 0, toFloat64(m.monthly), b.paid > 0, toFloat64(b.spent) / 12, nan) AS value
FROM {eligible} AS p
LEFT JOIN (
SELECT customer_id, assumeNotNull(sum(ifNull(mrr, 0))) AS monthly, count(mrr) AS priced
FROM {periods}
WHERE end_ms > started_ms AND end_ms >= {cutoff}
GROUP BY customer_id
) AS m ON m.customer_id = p.customer_id
LEFT JOIN (
SELECT customer_id, sumIf(ifNull(amount, 0), at >= {from} AND NOT ifNull(returned, false)) AS spent, count(amount) AS paid
FROM {purchases}
GROUP BY customer_id
) AS b ON b.customer_id = p.customer_id
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`), nil
}
