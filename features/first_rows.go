package features

import (
	"context"
	"fmt"
	"time"
)

// firstRows is the instant, in ms, of the first row of every source as known at the cutoff; customers counts as having rows from
// the beginning of time. A source without rows has no key.
func (s *Store) firstRows(ctx context.Context, cutoff time.Time) (map[string]int64, error) {
	first := map[string]int64{}
	for _, src := range sources {
		ms, ok, err := s.firstRow(ctx, src, cutoff)
		if err != nil {
			return nil, fmt.Errorf("first row of %s: %w", src.Name, err)
		}
		if ok {
			first[src.Name] = ms
		}
	}
	return first, nil
}

// firstRowDays is how far after the earliest row of a table its first known one is looked for, before all of history is.
const firstRowDays = 31

func (s *Store) firstRow(ctx context.Context, src source, cutoff time.Time) (ms int64, ok bool, err error) {
	rows, err := s.Versions(ctx, src.Name, []string{"at"}, cutoff)
	if err != nil {
		return 0, false, err
	}
	ask := func(query string) (n uint64, ms int64, err error) {
		err = s.DB.Conn().QueryRow(ctx, query).Scan(&n, &ms)
		return n, ms, err
	}
	const least = "SELECT count() AS n, ifNull(toUnixTimestamp64Milli(min(at)), 0) AS ms FROM "
	if src.Name == Customers {
		n, _, err := ask("SELECT count() AS n, toInt64(0) AS ms FROM (SELECT 1 FROM " + rows + " LIMIT 1)")
		return 0, n > 0, err
	}
	if s.Sources[src.Name].Table == "" {
		// The least time of a canonical table is known without reading it, and what is known of the month after it says it all.
		at := quoteName(src.Time)
		n, earliest, err := ask(fmt.Sprintf("SELECT sum(n) AS n, min(ms) AS ms FROM (SELECT count() AS n, toUnixTimestamp64Milli(min(%[1]s)) AS ms FROM %[2]s HAVING n > 0 "+
			"UNION ALL SELECT count() AS n, toUnixTimestamp64Milli(min(%[1]s)) AS ms FROM %[3]s HAVING n > 0)", at, quoteName(src.Name), quoteName(src.Name+"_fixes")))
		if err != nil || n == 0 {
			return 0, false, err
		}
		n, ms, err := ask(least + rows + " WHERE at < " + quoteInstant(time.UnixMilli(earliest).AddDate(0, 0, firstRowDays)))
		if err != nil || n > 0 {
			return ms, n > 0, err
		}
	}
	n, ms, err := ask(least + rows)
	return ms, n > 0, err
}
