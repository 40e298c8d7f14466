package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func daily(t *testing.T, job, expression string) ScheduleEntry {
	t.Helper()
	c, err := ParseCron(expression, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return ScheduleEntry{Job: job, Cron: c}
}

// eventually waits, in real time, until the ledger has a night in the state.
func eventually(t *testing.T, w *warehouse.Warehouse, key, state string) warehouse.JobRow {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		row, err := w.LatestJob(t.Context(), JobNight, key)
		if err == nil && row.State == state {
			return row
		}
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("night %s is %q (%v) after two minutes, want %s", key, row.State, err, state)
		}
	}
}

// start runs a schedule until the test ends.
func start(t *testing.T, s *Schedule) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestScheduleFiresAtItsTimes(t *testing.T) {
	w := warehousetest.Open(t)
	const old = 2500
	if err := w.Conn().Exec(t.Context(), fmt.Sprintf("INSERT INTO jobs (job, key, attempt, run, state, at) SELECT 'old', toString(number), 1, 'r', 'done', toDateTime64(1577836800 + number, 6, 'UTC') FROM numbers(%d)", old)); err != nil {
		t.Fatal(err)
	}
	clock := clockwork.NewFakeClockAt(tonight.Add(-time.Hour))
	s := &stage{}
	schedule := &Schedule{Runner: s.runner(w, clock), Zone: time.UTC, Entries: []ScheduleEntry{daily(t, JobScore, "0 3 * * *"), daily(t, JobTrain, "0 4 * * 0")}}
	start(t, schedule)
	// What was due before the start is caught up, once each.
	eventually(t, w, "score due 2026-11-21T03:00:00Z", warehouse.JobDone)
	eventually(t, w, "train due 2026-11-15T04:00:00Z", warehouse.JobDone)
	if diff := cmp.Diff([]string{JobImport, JobSnapshot, JobScore, JobMonitor, JobImport, JobTrain}, s.began()); diff != "" {
		t.Error("caught up:", diff)
	}
	wait := func() {
		t.Helper()
		if err := clock.BlockUntilContext(t.Context(), 3); err != nil { // the timers of both entries and of the look for missed ones
			t.Fatal(err)
		}
	}
	wait()
	clock.Advance(time.Hour)
	row := eventually(t, w, "score due 2026-11-22T03:00:00Z", warehouse.JobDone)
	if want := "import done, snapshot done, score done, monitor done"; row.Message != want || row.Rows != 4 {
		t.Errorf("the night says %q, %d rows; want %q, 4", row.Message, row.Rows, want)
	}
	wait()
	clock.Advance(time.Hour)
	eventually(t, w, "train due 2026-11-22T04:00:00Z", warehouse.JobDone)
	if diff := cmp.Diff([]string{JobImport, JobSnapshot, JobScore, JobMonitor, JobImport, JobTrain}, s.began()); diff != "" {
		t.Error("fired:", diff)
	}
	var left uint64
	if err := w.Conn().QueryRow(t.Context(), "SELECT count() FROM jobs WHERE job = 'old'").Scan(&left); err != nil || left >= old || left == 0 {
		t.Errorf("%d of %d old rows of the ledger are left (%v): the night prunes it to 2,000 rows", left, old, err)
	}
}

func TestMissedRunsAreCaughtUpOnce(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight.Add(time.Hour))
	s := &stage{}
	schedule := &Schedule{Runner: s.runner(w, clock), Zone: time.UTC, Entries: []ScheduleEntry{daily(t, JobMonitor, "0 3 * * *")}}
	for _, c := range []struct {
		name  string
		after time.Duration
		want  int
	}{
		{"never run", 0, 1}, {"run already", 0, 0}, {"ten nights missed", 240 * time.Hour, 1}, {"none since", time.Hour, 0},
	} {
		clock.Advance(c.after)
		if _, err := schedule.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.began()); n != c.want {
			t.Errorf("%s: %d runs, want %d", c.name, n, c.want)
		}
	}
	// One that failed was not missed: its retries are over.
	s.do = map[string]func(context.Context) (Outcome, error){JobMonitor: func(context.Context) (Outcome, error) { return Outcome{}, fmt.Errorf("no") }}
	clock.Advance(24 * time.Hour)
	if _, err := schedule.CatchUp(t.Context()); err == nil {
		t.Error("the failure is not told")
	}
	s.began()
	if _, err := schedule.CatchUp(t.Context()); err != nil || len(s.began()) != 0 {
		t.Errorf("a failed night is run again: %v", err)
	}
}

// A schedule that starts a minute after a firing does not wait for the next look: whoever ran that night is dead, or it never began. The firing
// before it, which nobody ran either, is made up for by it.
func TestAStartTakesUpWhatHasJustBeenDue(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight.Add(time.Minute))
	s := &stage{}
	start(t, &Schedule{Runner: s.runner(w, clock), Zone: time.UTC, Jitter: time.Hour, Entries: []ScheduleEntry{daily(t, JobScore, "0 3 * * *"), daily(t, JobMonitor, "0 5 * * *")}})
	eventually(t, w, "score due 2026-11-22T03:00:00Z", warehouse.JobDone)
	eventually(t, w, "monitor due 2026-11-21T05:00:00Z", warehouse.JobDone)
	if diff := cmp.Diff([]string{JobImport, JobSnapshot, JobScore, JobMonitor, JobMonitor}, s.began()); diff != "" {
		t.Error("caught up:", diff)
	}
}

// A firing that is due while the one before it is under way is left out, and nights of one process do not run beside each other.
func TestNoOverlap(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight.Add(-30 * time.Minute))
	begun, goOn := make(chan string, 10), make(chan bool)
	running, most := 0, 0
	s := &stage{}
	hold := func(context.Context) (Outcome, error) {
		running++ // unguarded: with a second one at once the race detector speaks, too
		most = max(most, running)
		begun <- ""
		<-goOn
		running--
		return Outcome{}, nil
	}
	s.do = map[string]func(context.Context) (Outcome, error){JobMonitor: hold, JobImport: hold}
	schedule := &Schedule{Runner: s.runner(w, clock), Zone: time.UTC, Entries: []ScheduleEntry{daily(t, JobMonitor, "0 * * * *"), daily(t, JobImport, "30 * * * *")}}
	start(t, schedule)
	for range 2 { // what was missed
		<-begun
		goOn <- true
	}
	eventually(t, w, "monitor due 2026-11-22T02:00:00Z", warehouse.JobDone)
	eventually(t, w, "import due 2026-11-22T02:30:00Z", warehouse.JobDone) // no firing of this process is on its way yet
	if err := clock.BlockUntilContext(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	clock.Advance(30 * time.Minute) // monitor begins
	<-begun
	for range 4 { // and is due twice, import twice, meanwhile
		if err := clock.BlockUntilContext(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		clock.Advance(30 * time.Minute)
	}
	select {
	case <-begun:
		t.Fatal("another job begins beside the one that runs")
	case <-time.After(time.Second):
	}
	close(goOn)
	eventually(t, w, "monitor due 2026-11-22T03:00:00Z", warehouse.JobDone)
	// The import that waited runs, too, for one of the times at which it was due.
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		rows, err := w.Jobs(t.Context(), JobNight, 100)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(rows, func(r warehouse.JobRow) bool {
			return strings.HasPrefix(r.Key, JobImport) && r.State == warehouse.JobDone && r.DueAt.After(tonight)
		}) {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("the import that waited does not run")
		}
	}
	if most != 1 {
		t.Errorf("%d at once", most)
	}
}

func TestJitter(t *testing.T) {
	entry := daily(t, JobScore, "0 3 * * *")
	s := &Schedule{Jitter: 10 * time.Minute, Host: "a"}
	other := &Schedule{Jitter: 10 * time.Minute, Host: "b"}
	different := 0
	for d := range 30 {
		due := tonight.AddDate(0, 0, d)
		x := s.delay(entry, due)
		if x < 0 || x >= s.Jitter || x != s.delay(entry, due) {
			t.Errorf("%v: a delay of %v", due, x)
		}
		if x != other.delay(entry, due) {
			different++
		}
	}
	if different < 29 {
		t.Errorf("two hosts differ on %d of 30 nights", different)
	}
	if x := (&Schedule{Host: "a"}).delay(entry, tonight); x != 0 {
		t.Errorf("no jitter is a delay of %v", x)
	}
}
