package warehouse_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func TestTheLedgerForgets(t *testing.T) {
	w := warehousetest.Open(t)
	now := time.Now().UTC().Truncate(time.Second)
	day := func(n int) time.Time { return now.AddDate(0, 0, -n) }
	// add writes n attempts of a job with a sign of life and an end each, the first ending at until, the others a second apart before it.
	add := func(job, state string, n int, until time.Time) {
		t.Helper()
		if err := w.Conn().Exec(t.Context(), fmt.Sprintf(`INSERT INTO jobs (job, key, attempt, run, state, at, started_at)
			SELECT '%s', concat('%s ', toString(number)), 1, toString(number), row.1, toDateTime64(%d - number, 6, 'UTC') - row.2 AS seen, seen
			FROM numbers(%d)
			ARRAY JOIN [('running', 600), ('%s', 0)] AS row`, job, until.Format(time.DateOnly), until.Unix(), n, state)); err != nil {
			t.Fatal(err)
		}
	}
	held := func() map[string]uint64 {
		t.Helper()
		rows, err := w.Conn().Query(t.Context(), "SELECT concat(job, ' ', splitByChar(' ', key)[1]), count() FROM jobs GROUP BY ALL")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		got := map[string]uint64{}
		for rows.Next() {
			var what string
			var n uint64
			if err := rows.Scan(&what, &n); err != nil {
				t.Fatal(err)
			}
			got[what] = n
		}
		return got
	}
	name := func(job string, at time.Time) string { return job + " " + at.Format(time.DateOnly) }

	add("score", "done", 20, day(500))
	if err := w.PruneJobs(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	// The engine may still remember the token of their first attempt.
	if d := cmp.Diff(map[string]uint64{name("score", day(500)): 40}, held()); d != "" {
		t.Errorf("a short ledger (-want +got):\n%s", d)
	}

	add("score", "failed", 30, day(399))
	add("train", "done", 5, day(401))
	// An attempt that was begun before the limit and ended after it stays whole.
	add("night", "done", 1, day(400).Add(5*time.Minute))
	add("import", "done", 10_100, day(3))
	if err := w.PruneJobs(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{name("score", day(399)): 60, name("night", day(400).Add(5*time.Minute)): 2, name("import", day(3)): 20_000}
	if d := cmp.Diff(want, held()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}

	// What was forgotten can be done anew.
	row, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "train", Key: day(401).Format(time.DateOnly) + " 0", StartedAt: now}, warehouse.JobDone)
	if err != nil || !claimed || row.Attempt != 1 {
		t.Errorf("%+v, claimed %v, %v", row, claimed, err)
	}
	if err := w.PruneJobs(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	want["train "+day(401).Format(time.DateOnly)] = 1
	if d := cmp.Diff(want, held()); d != "" {
		t.Errorf("again (-want +got):\n%s", d)
	}
}
