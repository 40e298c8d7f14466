package pipelines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"retain/internal/warehouse"
)

// busyPoll is how often a job looks whether the other process that does the same work is through.
const busyPoll = 500 * time.Millisecond

// maxBackoff bounds the pause between two attempts.
const maxBackoff = time.Hour

// Bench is what jobs work with: a warehouse, which keeps the ledger, and the jobs on it.
type Bench struct {
	DB   *warehouse.Warehouse
	Jobs []Job
}

// Runner runs jobs and keeps the ledger: who did what, when, and how it ended. Its fields are set before use; it is safe for concurrent use.
type Runner struct {
	// Open returns the bench. It is asked before every attempt, so that it can open the warehouse anew when the process that held it is gone. Required.
	Open      func(ctx context.Context) (Bench, error)
	Who       string           // written into the ledger
	Timeout   time.Duration    // of one attempt, its planning included; 0 = none
	Retries   int              // attempts after the first one that failed
	Backoff   time.Duration    // before the first retry, doubled each time; 0 = a minute
	Permanent func(error) bool // errors that another attempt would meet again; nil: none is
	Again     bool             // do also what the ledger says is done
	Clock     clockwork.Clock  // nil = the real one
	Log       *slog.Logger     // nil discards

	final []string // states of an attempt after which there is no other; nil: done
}

func (r *Runner) clock() clockwork.Clock {
	if r.Clock == nil {
		return clockwork.NewRealClock()
	}
	return r.Clock
}

func (r *Runner) log() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// Run does one job and returns its row of the ledger. Where the work is done already (and not Again), that row is returned. While another process does
// the same work, Run waits for it, and takes over should that one die. The error is why the job is not done.
func (r *Runner) Run(ctx context.Context, name string, c Call) (warehouse.JobRow, error) {
	row, _, err := r.job(ctx, name, c)
	return row, err
}

// RunAll runs jobs in the order of JobNames, and those that they ask for by their outcome. A job one of whose needs failed or was blocked is not run, and the ledger says so.
// An import that only set files aside (WatchedFilesError) failed, but blocks nothing: a file that nobody mends must not keep the others from being scored and trained on.
// It returns the rows in the order of running, and why the night is not whole.
func (r *Runner) RunAll(ctx context.Context, names []string, c Call) (rows []warehouse.JobRow, err error) {
	asked := slices.Clone(names)
	broken := map[string]bool{}
	var errs []error
	for _, name := range JobNames {
		if !slices.Contains(asked, name) {
			continue
		}
		if need, err := r.brokenNeed(ctx, name, broken); err != nil {
			return rows, err
		} else if need != "" {
			broken[name] = true
			row, err := r.block(ctx, name, need, c)
			if err != nil {
				return rows, err
			}
			rows = append(rows, row)
			continue
		}
		row, follow, err := r.job(ctx, name, c)
		rows = append(rows, row)
		if err != nil {
			if ctx.Err() != nil {
				return rows, context.Cause(ctx)
			}
			var aside *WatchedFilesError
			broken[name] = !errors.As(err, &aside)
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		asked = append(asked, follow...)
	}
	return rows, errors.Join(errs...)
}

// brokenNeed names a need of the job that failed or was blocked this night.
func (r *Runner) brokenNeed(ctx context.Context, name string, broken map[string]bool) (string, error) {
	if len(broken) == 0 {
		return "", nil
	}
	_, job, err := r.bench(ctx, name)
	if err != nil {
		return "", err
	}
	for _, need := range job.Needs {
		if broken[need] {
			return need, nil
		}
	}
	return "", nil
}

// bench opens the bench and finds the job on it.
func (r *Runner) bench(ctx context.Context, name string) (Bench, Job, error) {
	bench, err := r.Open(ctx)
	if err != nil {
		return bench, Job{}, err
	}
	for _, job := range bench.Jobs {
		if job.Name == name {
			return bench, job, nil
		}
	}
	return bench, Job{}, fmt.Errorf("no job %q; there are %s", name, strings.Join(JobNames, ", "))
}

// block writes into the ledger that a job is not run.
func (r *Runner) block(ctx context.Context, name, need string, c Call) (row warehouse.JobRow, err error) {
	bench, err := r.Open(ctx)
	if err != nil {
		return row, err
	}
	c.Now = r.clock().Now()
	row, claimed, err := bench.DB.ClaimJob(ctx, r.row(name, Work{Key: "not begun, " + c.when()}, c))
	if err != nil || !claimed {
		return row, err
	}
	row.State, row.Error = warehouse.JobBlocked, fmt.Sprintf("not begun, because %s failed", need)
	row.FinishedAt = &row.StartedAt
	row, err = bench.DB.RecordJob(ctx, row)
	r.tell(ctx, row, nil)
	return row, err
}

// job tries one job until it is done, fails for good or is cancelled. follow are the jobs that its outcome asks for.
func (r *Runner) job(ctx context.Context, name string, c Call) (row warehouse.JobRow, follow []string, err error) {
	var unsettled *warehouse.JobRow
	backoff := r.Backoff
	if backoff == 0 {
		backoff = time.Minute
	}
	for failures := 0; ; {
		var busy bool
		row, follow, busy, err = r.attempt(ctx, name, c, &unsettled)
		switch {
		case ctx.Err() != nil:
			return row, follow, errors.Join(err, contextError(ctx, err))
		case busy:
			if err := r.await(ctx, row); err != nil {
				return row, follow, err
			}
			continue
		case err == nil:
			return row, follow, nil
		}
		if failures++; failures > r.Retries || r.Permanent != nil && r.Permanent(err) {
			return row, follow, err
		}
		r.log().WarnContext(ctx, "job is tried again", "job", name, "after", backoff.String(), "error", withoutValue(err))
		if stopped := pause(ctx, r.clock(), backoff); stopped != nil {
			return row, follow, errors.Join(err, stopped)
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// await waits until another process is through with the work of the row, or dead. What the ledger cannot tell, the next attempt finds out.
func (r *Runner) await(ctx context.Context, row warehouse.JobRow) error {
	for {
		if err := pause(ctx, clockwork.NewRealClock(), busyPoll); err != nil {
			return err
		}
		bench, err := r.Open(ctx)
		if err != nil {
			return nil //nolint:nilerr // told by the attempt that follows
		}
		last, err := bench.DB.LatestJob(ctx, row.Job, row.Key)
		if err != nil || last.State != warehouse.JobRunning || last.Dead(time.Now()) {
			return nil //nolint:nilerr // as above
		}
	}
}

// contextError is why ctx ended, unless err says so already.
func contextError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); !errors.Is(err, cause) {
		return cause
	}
	return nil
}

// pause waits for d by the clock or for the end of ctx, which is its error.
func pause(ctx context.Context, clock clockwork.Clock, d time.Duration) error {
	timer := clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.Chan():
		return nil
	}
}

// attempt tries a job once; busy says that another process does the same work right now. unsettled is an attempt of ours whose end the ledger could not take yet.
func (r *Runner) attempt(ctx context.Context, name string, c Call, unsettled **warehouse.JobRow) (row warehouse.JobRow, follow []string, busy bool, err error) {
	bench, job, err := r.bench(ctx, name)
	if err != nil {
		return row, nil, false, err
	}
	if *unsettled != nil {
		if _, err := bench.DB.RecordJob(ctx, **unsettled); err != nil {
			return row, nil, false, err
		}
		*unsettled = nil
	}
	c.Now = r.clock().Now()
	limit := r.limit()
	defer limit.stop()
	var work Work
	_, planning := limit.do(ctx, func(ctx context.Context) (_ Outcome, err error) {
		work, err = job.Plan(ctx, c)
		return Outcome{}, err
	})
	if planning != nil {
		work = Work{Key: "not planned, " + c.when(), Do: func(context.Context) (Outcome, error) { return Outcome{}, planning }}
	}
	if work.Key == "" {
		work.Key = c.when()
	}
	final := r.final
	if final == nil && !r.Again {
		final = []string{warehouse.JobDone}
	}
	row, claimed, err := bench.DB.ClaimJob(ctx, r.row(name, work, c), final...)
	switch {
	case err != nil:
		return row, nil, false, err
	case !claimed && row.State == warehouse.JobRunning:
		return row, nil, true, nil
	case !claimed:
		r.log().InfoContext(ctx, "job was done before", "job", name, "key", row.Key)
		return row, job.follow(row), false, nil
	}
	a := &attempt{db: bench.DB, row: row}
	*unsettled, err = a.run(ctx, r.clock().Now, func(ctx context.Context) (Outcome, error) { return limit.do(ctx, work.Do) })
	r.tell(ctx, a.row, err)
	return a.row, job.follow(a.row), false, err
}

// row is what the ledger notes of work that begins.
func (r *Runner) row(name string, w Work, c Call) warehouse.JobRow {
	row := warehouse.JobRow{Job: name, Key: w.Key, Who: r.Who, StartedAt: c.Now.UTC()}
	if !c.Due.IsZero() {
		due := c.Due.UTC()
		row.DueAt = &due
	}
	if !w.Cutoff.IsZero() {
		cutoff := w.Cutoff.UTC()
		row.Cutoff = &cutoff
	}
	return row
}

// tell logs how an attempt ended: one line a job.
func (r *Runner) tell(ctx context.Context, row warehouse.JobRow, err error) {
	attributes := []any{"job", row.Job, "key", row.Key, "attempt", row.Attempt, "rows", row.Rows, "seconds", row.Seconds}
	if row.Cutoff != nil {
		attributes = append(attributes, "cutoff", row.Cutoff.Format(time.RFC3339))
	}
	var fault *panicError
	if errors.As(err, &fault) {
		attributes = append(attributes, "stack", string(fault.stack))
	}
	switch row.State {
	case warehouse.JobDone:
		r.log().InfoContext(ctx, "job done", append(attributes, "message", row.Message)...)
	case warehouse.JobCancelled:
		r.log().WarnContext(ctx, "job cancelled", append(attributes, "error", row.Error)...)
	case warehouse.JobBlocked:
		r.log().WarnContext(ctx, "job blocked", append(attributes, "error", row.Error)...)
	default:
		r.log().ErrorContext(ctx, "job failed", append(attributes, "error", row.Error)...)
	}
}
