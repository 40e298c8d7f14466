package warehouse

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// What the ledger of jobs keeps. Forgetting does no harm beyond the history: work that is done again changes nothing.
const (
	jobsKeptFor = 400 * 24 * time.Hour // after the last row of an attempt: a year to compare with, and a month
	jobsKept    = 10_000               // attempts of each job; a watched file is an attempt of import

	// The newest rows stay whatever their age: more than the engine remembers tokens of, or a forgotten attempt that is begun anew would be taken for a repeated insert.
	jobRowsKept = 2000
)

// PruneJobs drops the attempts that ended (or were last seen) more than 400 days before now, and of each job all but the newest 10,000. Of a ledger of less than 2,000
// rows none is dropped. An attempt goes as a whole.
func (w *Warehouse) PruneJobs(ctx context.Context, now time.Time) error {
	oldest := map[string]time.Time{} // by job: what was last seen before it goes
	rows, err := w.Conn().Query(ctx, `WITH
			least({kept_from:DateTime64(6, 'UTC')}, (SELECT min(at) FROM (SELECT at FROM jobs ORDER BY at DESC LIMIT {rows:UInt32}))) AS kept_from,
			attempts AS (SELECT job, key, attempt, max(at) AS seen FROM jobs GROUP BY job, key, attempt)
		SELECT job, greatest(kept_from, arraySort(x -> -toUnixTimestamp64Micro(x), groupArray(seen))[least(count(), {attempts:UInt32})]) AS from
		FROM attempts
		GROUP BY job
		HAVING min(seen) < from`,
		clickhouse.Named("kept_from", now.Add(-jobsKeptFor).UTC().Format("2006-01-02 15:04:05.000000")),
		clickhouse.Named("rows", fmt.Sprint(jobRowsKept)), clickhouse.Named("attempts", fmt.Sprint(jobsKept)))
	if err != nil {
		return fmt.Errorf("list old jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var job string
		var from time.Time
		if err := rows.Scan(&job, &from); err != nil {
			return fmt.Errorf("list old jobs: %w", err)
		}
		oldest[job] = from
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("list old jobs: %w", err)
	}
	for job, from := range oldest {
		if err := w.Conn().Exec(ctx, `DELETE FROM jobs
			WHERE job = {job:String}
			AND (key, attempt) IN (SELECT key, attempt FROM jobs WHERE job = {job:String} GROUP BY key, attempt HAVING max(at) < {from:DateTime64(6, 'UTC')})`,
			clickhouse.Named("job", job), clickhouse.Named("from", from.UTC().Format("2006-01-02 15:04:05.000000"))); err != nil {
			return fmt.Errorf("drop old jobs: %w", err)
		}
	}
	return nil
}
