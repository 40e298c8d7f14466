package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// stage is a bench of jobs that do what a test says.
type stage struct {
	mu    sync.Mutex
	order []string // of the jobs that began
	do    map[string]func(context.Context) (Outcome, error)
	after map[string][]string
}

func (s *stage) jobs() []Job {
	needs := map[string][]string{JobTrain: {JobImport}, JobSnapshot: {JobImport}, JobScore: {JobSnapshot}, JobMonitor: {JobScore}}
	var jobs []Job
	for _, name := range JobNames {
		jobs = append(jobs, Job{Name: name, Needs: needs[name], Follow: func(Entry) []string { return s.after[name] },
			Plan: func(context.Context, Call) (Work, error) {
				return Work{Do: func(ctx context.Context) (Outcome, error) {
					s.mu.Lock()
					s.order = append(s.order, name)
					s.mu.Unlock()
					if do := s.do[name]; do != nil {
						return do(ctx)
					}
					return Outcome{Rows: 1, Message: "well"}, nil
				}}, nil
			}})
	}
	return jobs
}

// began are the jobs that began since the last call.
func (s *stage) began() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := s.order
	s.order = nil
	return order
}

func (s *stage) runner(w *warehouse.Warehouse, clock clockwork.Clock) *Runner {
	return &Runner{Open: func(context.Context) (Bench, error) { return Bench{DB: w, Jobs: s.jobs()}, nil }, Who: "test", Clock: clock}
}

var tonight = time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)

// states tells the ledger's latest states, in the order of beginning.
func states(t *testing.T, w *warehouse.Warehouse) []string {
	t.Helper()
	rows, err := w.Jobs(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range slices.Backward(rows) {
		out = append(out, r.Job+" "+r.State)
	}
	return out
}

func TestNightOrderAndDependencies(t *testing.T) {
	bad := func(context.Context) (Outcome, error) { return Outcome{}, errors.New("the disk is full") }
	for _, c := range []struct {
		name  string
		asked []string
		do    map[string]func(context.Context) (Outcome, error)
		after map[string][]string
		began []string
		want  []string
	}{
		{"in order, whatever the order asked", []string{JobMonitor, JobScore, JobSnapshot, JobImport}, nil, nil,
			[]string{JobImport, JobSnapshot, JobScore, JobMonitor},
			[]string{"import done", "snapshot done", "score done", "monitor done"}},
		{"a failure stops what needs it, directly or not", chains[JobScore], map[string]func(context.Context) (Outcome, error){JobSnapshot: bad}, nil,
			[]string{JobImport, JobSnapshot},
			[]string{"import done", "snapshot failed", "score blocked", "monitor blocked"}},
		{"and nothing else", []string{JobImport, JobTrain, JobSnapshot}, map[string]func(context.Context) (Outcome, error){JobTrain: bad}, nil,
			[]string{JobImport, JobTrain, JobSnapshot},
			[]string{"import done", "train failed", "snapshot done"}},
		{"files that were set aside stop nothing", chains[JobScore], map[string]func(context.Context) (Outcome, error){JobImport: func(context.Context) (Outcome, error) {
			return Outcome{Rows: 3}, &WatchedFilesError{Folder: "in/failed", Files: []string{"usage.csv: is empty"}}
		}}, nil,
			[]string{JobImport, JobSnapshot, JobScore, JobMonitor},
			[]string{"import failed", "snapshot done", "score done", "monitor done"}},
		{"an outcome asks for more", chains[JobTrain], nil, map[string][]string{JobTrain: {JobSnapshot, JobScore}},
			[]string{JobImport, JobTrain, JobSnapshot, JobScore},
			[]string{"import done", "train done", "snapshot done", "score done"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := warehousetest.Open(t)
			s := &stage{do: c.do, after: c.after}
			rows, err := s.runner(w, clockwork.NewFakeClockAt(tonight)).RunAll(t.Context(), c.asked, Call{Due: tonight})
			if failed := c.do != nil; failed != (err != nil) {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(c.began, s.began()); diff != "" {
				t.Error("begun:", diff)
			}
			if len(rows) != len(c.want) {
				t.Fatalf("%d rows, want %d", len(rows), len(c.want))
			}
			for i, r := range rows {
				if got := r.Job + " " + r.State; got != c.want[i] {
					t.Errorf("row %d: %s, want %s", i, got, c.want[i])
				}
				if r.State == warehouse.JobBlocked && !strings.Contains(r.Error, "failed") {
					t.Errorf("a blocked job says %q", r.Error)
				}
			}
			if diff := cmp.Diff(c.want, states(t, w)); diff != "" {
				t.Error("the ledger:", diff)
			}
		})
	}
}

func TestWorkIsDoneOnce(t *testing.T) {
	w := warehousetest.Open(t)
	s := &stage{}
	r := s.runner(w, clockwork.NewFakeClockAt(tonight))
	for range 2 {
		row, err := r.Run(t.Context(), JobScore, Call{Due: tonight})
		if err != nil || row.State != warehouse.JobDone || row.Attempt != 1 || row.Rows != 1 || row.Who != "test" || !row.DueAt.Equal(tonight) || row.Message != "well" {
			t.Fatalf("%+v, %v", row, err)
		}
	}
	if n := len(s.began()); n != 1 {
		t.Errorf("done %d times, want once", n)
	}
	r.Again = true
	if row, err := r.Run(t.Context(), JobScore, Call{Due: tonight}); err != nil || row.Attempt != 2 || len(s.began()) != 1 {
		t.Errorf("asked for by hand: %+v, %v", row, err)
	}
}

func TestRetriesBackOff(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight)
	permanent := errors.New("a wrong column")
	failures := 2
	s := &stage{do: map[string]func(context.Context) (Outcome, error){
		JobImport: func(context.Context) (Outcome, error) { return Outcome{}, permanent },
		JobScore: func(context.Context) (Outcome, error) {
			if failures--; failures >= 0 {
				return Outcome{}, errors.New("connection refused")
			}
			return Outcome{}, nil
		}}}
	r := s.runner(w, clock)
	r.Retries, r.Backoff = 2, time.Minute
	r.Permanent = func(err error) bool { return errors.Is(err, permanent) }
	if row, err := r.Run(t.Context(), JobImport, Call{Due: tonight}); !errors.Is(err, permanent) || row.Attempt != 1 {
		t.Errorf("an error that stays: attempt %d, %v", row.Attempt, err)
	}
	ended := make(chan error)
	var row warehouse.JobRow
	go func() {
		var err error
		row, err = r.Run(t.Context(), JobScore, Call{Due: tonight})
		ended <- err
	}()
	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute} {
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(wait - time.Millisecond)
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Millisecond)
	}
	if err := <-ended; err != nil || row.State != warehouse.JobDone || row.Attempt != 3 {
		t.Errorf("after two failures: %+v, %v", row, err)
	}
}

func TestTimeout(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight)
	s := &stage{do: map[string]func(context.Context) (Outcome, error){JobScore: func(ctx context.Context) (Outcome, error) {
		clock.Advance(2 * time.Hour)
		<-ctx.Done()
		return Outcome{}, ctx.Err()
	}}}
	r := s.runner(w, clock)
	r.Timeout = time.Hour
	row, err := r.Run(t.Context(), JobScore, Call{Due: tonight})
	if !errors.Is(err, errTimeout) || row.State != warehouse.JobFailed || !strings.Contains(row.Error, "schedule.timeout") || row.Seconds != 7200 {
		t.Errorf("%+v, %v", row, err)
	}
}

// Planning reads the rows known at the cutoff, which can hang as the work can.
func TestTimeoutCoversPlanning(t *testing.T) {
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(tonight)
	for name, plan := range map[string]func(context.Context, Call) (Work, error){
		"all of it": func(ctx context.Context, _ Call) (Work, error) {
			clock.Advance(2 * time.Hour)
			<-ctx.Done()
			return Work{}, fmt.Errorf("digest: %w", ctx.Err())
		},
		"a part": func(context.Context, Call) (Work, error) {
			clock.Advance(40 * time.Minute)
			return Work{Key: "k", Do: func(ctx context.Context) (Outcome, error) {
				clock.Advance(40 * time.Minute)
				<-ctx.Done()
				return Outcome{}, ctx.Err()
			}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Runner{Clock: clock, Timeout: time.Hour, Open: func(context.Context) (Bench, error) {
				return Bench{DB: w, Jobs: []Job{{Name: JobScore, Plan: plan}}}, nil
			}}
			row, err := r.Run(t.Context(), JobScore, Call{Due: tonight})
			if !errors.Is(err, errTimeout) || row.State != warehouse.JobFailed || !strings.Contains(row.Error, "schedule.timeout (1h0m0s)") {
				t.Errorf("%+v, %v", row, err)
			}
		})
	}
}

func TestCancelLeavesTheLedgerConsistent(t *testing.T) {
	w := warehousetest.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &stage{do: map[string]func(context.Context) (Outcome, error){JobScore: func(ctx context.Context) (Outcome, error) {
		cancel()
		<-ctx.Done()
		return Outcome{}, fmt.Errorf("predict: %w", ctx.Err())
	}}}
	begin := time.Now()
	_, err := s.runner(w, nil).RunAll(ctx, chains[JobScore], Call{Due: tonight})
	if !errors.Is(err, context.Canceled) || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	if diff := cmp.Diff([]string{"import done", "snapshot done", "score cancelled"}, states(t, w)); diff != "" {
		t.Error(diff)
	}
	s.do = nil
	s.began()
	if _, err := s.runner(w, nil).RunAll(t.Context(), chains[JobScore], Call{Due: tonight}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{JobScore, JobMonitor}, s.began()); diff != "" {
		t.Error("the next start finishes the work:", diff)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	w := warehousetest.Open(t)
	s := &stage{do: map[string]func(context.Context) (Outcome, error){JobScore: func(context.Context) (Outcome, error) { panic("index out of range") }}}
	row, err := s.runner(w, nil).Run(t.Context(), JobScore, Call{Due: tonight})
	if err == nil || row.State != warehouse.JobFailed || !strings.Contains(row.Error, "index out of range") {
		t.Errorf("%+v, %v", row, err)
	}
}

func TestUnknownJob(t *testing.T) {
	w := warehousetest.Open(t)
	if _, err := (&stage{}).runner(w, nil).Run(t.Context(), "dance", Call{}); err == nil || !strings.Contains(err.Error(), "import, train") {
		t.Errorf("%v, want the jobs there are", err)
	}
}

// A plan that cannot be made is in the ledger, too.
func TestPlanFails(t *testing.T) {
	w := warehousetest.Open(t)
	r := &Runner{Open: func(context.Context) (Bench, error) {
		return Bench{DB: w, Jobs: []Job{{Name: JobScore, Plan: func(context.Context, Call) (Work, error) { return Work{}, errors.New("no model serves yet") }}}}, nil
	}}
	row, err := r.Run(t.Context(), JobScore, Call{Due: tonight})
	if err == nil || row.State != warehouse.JobFailed || row.Error != "no model serves yet" || !strings.HasPrefix(row.Key, "not planned") {
		t.Errorf("%+v, %v", row, err)
	}
}

func TestPanicWhilePlanningIsAFailure(t *testing.T) {
	w := warehousetest.Open(t)
	r := &Runner{Open: func(context.Context) (Bench, error) {
		return Bench{DB: w, Jobs: []Job{{Name: JobScore, Plan: func(context.Context, Call) (Work, error) { panic("no such column") }}}}, nil
	}}
	row, err := r.Run(t.Context(), JobScore, Call{Due: tonight})
	if err == nil || row.State != warehouse.JobFailed || !strings.Contains(row.Error, "no such column") {
		t.Errorf("%+v, %v", row, err)
	}
}

// While another process does the work it is waited for; when that one is silent for good, the work is taken over.
func TestWaitThenTakeOver(t *testing.T) {
	w := warehousetest.Open(t)
	s := &stage{}
	other, _, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: JobScore, Key: Call{Due: tonight}.when()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan warehouse.JobRow)
	go func() {
		row, err := s.runner(w, nil).Run(t.Context(), JobScore, Call{Due: tonight})
		if err != nil {
			t.Error(err)
		}
		ended <- row
	}()
	select {
	case <-ended:
		t.Fatal("did not wait for the process that does the work")
	case <-time.After(3 * busyPoll):
	}
	other.Owner = "" // as of a process that is gone
	if _, err := w.RecordJob(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if row := <-ended; row.Attempt != 2 || row.State != warehouse.JobDone || len(s.began()) != 1 {
		t.Errorf("%+v", row)
	}
}
