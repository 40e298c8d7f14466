package pipelines

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"retain/internal/atomicfile"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// A month of nights without a hand on it, in accelerated time: the data of each day come through the watched folder, every night scores, every Sunday trains.
func TestAMonthUnattended(t *testing.T) {
	const nights = 30
	w := warehousetest.Open(t)
	folder := t.TempDir()
	s := shop{customers: 60, seed: 5}
	at := func(n int) time.Time { return worldStart.AddDate(0, 0, firstDay+n) }
	put := func(n int, text []byte) {
		t.Helper()
		path := filepath.Join(folder, fmt.Sprintf("purchases-%03d.csv", n))
		if err := atomicfile.Write(path, 0o600, text); err != nil {
			t.Fatal(err)
		}
		midnight := at(n).Add(10 * time.Minute) // by the test's clock
		if err := os.Chtimes(path, midnight, midnight); err != nil {
			t.Fatal(err)
		}
	}
	put(0, s.csv(0, firstDay))
	clock := clockwork.NewFakeClockAt(at(0).Add(2 * time.Hour))
	r := &Runner{Who: "month", Clock: clock, Timeout: time.Hour}
	r.Open = func(context.Context) (Bench, error) { return Bench{DB: w, Jobs: shopJobs(r, w, folder)}, nil }
	schedule := &Schedule{Runner: r, Zone: time.UTC, Entries: []ScheduleEntry{daily(t, JobTrain, "0 4 * * 0"), daily(t, JobScore, "0 3 * * *")}}
	start(t, schedule)

	// The first start trains and scores at once.
	eventually(t, w, "train due "+lastSunday(at(0)).Format(time.RFC3339), warehouse.JobDone)
	eventually(t, w, "score due "+at(-1).Add(3*time.Hour).Format(time.RFC3339), warehouse.JobDone)
	trainings := 1
	to := func(instant time.Time, key string) {
		t.Helper()
		if err := clock.BlockUntilContext(t.Context(), 3); err != nil { // the timers of both entries and of the look for missed ones
			t.Fatal(err)
		}
		clock.Advance(instant.Sub(clock.Now()))
		eventually(t, w, key+" due "+instant.Format(time.RFC3339), warehouse.JobDone)
	}
	for n := range nights {
		if n > 0 {
			put(n, s.csv(firstDay+n-1, firstDay+n))
		}
		to(at(n).Add(3*time.Hour), JobScore)
		run, err := w.RunInForce(t.Context(), KindChurn)
		if err != nil || !run.Cutoff.Equal(at(n)) {
			t.Fatalf("night %d: in force is the run of %v (%v), want that of %v", n, run.Cutoff, err, at(n))
		}
		if at(n).Weekday() == time.Sunday {
			to(at(n).Add(4*time.Hour), JobTrain)
			trainings++
		}
	}
	var bought, distinct uint64
	if err := w.Conn().QueryRow(t.Context(), "SELECT count(), uniqExact(order_id) FROM purchases").Scan(&bought, &distinct); err != nil {
		t.Fatal(err)
	}
	if want := uint64(len(lines(s.csv(0, firstDay+nights-1))) - 1); bought != want || distinct != want {
		t.Errorf("%d purchases, %d different ones; want %d of both: nothing lost, nothing twice", bought, distinct, want)
	}
	models, err := w.Models(t.Context(), KindChurn)
	if err != nil || len(models) < 2 || len(models) > trainings {
		t.Errorf("%d models of %d trainings (%v)", len(models), trainings, err)
	}
	rows, err := w.Jobs(t.Context(), "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, row := range rows {
		states[row.Job+" "+row.State]++
		if row.State != warehouse.JobDone {
			t.Errorf("%s %s is %s: %s", row.Job, row.Key, row.State, row.Error)
		}
	}
	if states["score done"] < nights || states["train done"] != trainings || states["monitor done"] < nights {
		t.Errorf("the ledger has %v", states)
	}
	t.Logf("%d nights, %d trainings, %d models, ledger %v", nights, trainings, len(models), states)
}

// lastSunday is the latest Sunday at four that is not after two in the morning of a day.
func lastSunday(day time.Time) time.Time {
	for day = day.AddDate(0, 0, -1); day.Weekday() != time.Sunday; {
		day = day.AddDate(0, 0, -1)
	}
	return day.Add(4 * time.Hour)
}
