package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"retain/internal/warehouse"
)

// errTakenOver ends an attempt that another process has taken for dead: it was asleep or cut off for minutes.
var errTakenOver = errors.New("another process took this job over while this one stood still")

const (
	jobBeat  = 15 * time.Second // between signs of life
	lastWord = 10 * time.Second // to write how an attempt ended, also when it was cancelled
)

// attempt is a claimed row of the ledger and the signs of life that go with it.
type attempt struct {
	db  *warehouse.Warehouse
	row warehouse.JobRow // the latest; live changes it while it runs
}

// run does the work, which must not panic (see protect), under the claimed row and writes how it ended. The error is the work's, not the ledger's;
// unsettled is the last row where the ledger could not take it.
func (a *attempt) run(ctx context.Context, clock func() time.Time, do func(context.Context) (Outcome, error)) (unsettled *warehouse.JobRow, err error) {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var beats sync.WaitGroup
	stop := make(chan struct{})
	beats.Go(func() { a.live(running, stop, cancel) })
	outcome, err := do(running)
	close(stop)
	beats.Wait()
	if cause := context.Cause(running); err != nil && cause != nil {
		err = cause // why it was stopped says more than that it was
	}
	a.settle(outcome, err, ctx.Err() != nil, clock())
	last, done := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer done()
	row, failed := a.db.RecordJob(last, a.row)
	if failed != nil {
		return &a.row, err
	}
	a.row = row
	return nil, err
}

// live writes signs of life until stop closes, and cancels when another process has taken over.
func (a *attempt) live(ctx context.Context, stop <-chan struct{}, cancel context.CancelCauseFunc) {
	t := time.NewTicker(jobBeat)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-t.C:
			newest, err := a.db.LatestJob(ctx, a.row.Job, a.row.Key)
			if err == nil && newest.Run != a.row.Run {
				cancel(errTakenOver)
				return
			}
			// A missed beat is no reason to stop: the work itself meets the same fault and tells it.
			if row, err := a.db.RecordJob(ctx, a.row); err == nil {
				a.row = row
			}
		}
	}
}

// settle writes the outcome into the row.
func (a *attempt) settle(o Outcome, err error, cancelled bool, now time.Time) {
	r := &a.row
	finished := now.UTC()
	r.FinishedAt, r.Seconds = &finished, finished.Sub(r.StartedAt).Seconds()
	r.Rows, r.Message = uint64(max(o.Rows, 0)), o.Message
	if o.Report != nil {
		if text, failed := json.Marshal(o.Report); failed == nil {
			r.Report = string(text)
		} else {
			err = errors.Join(err, fmt.Errorf("write the report: %w", failed))
		}
	}
	switch {
	case err == nil:
		r.State = warehouse.JobDone
	case cancelled || errors.Is(err, errTakenOver):
		r.State, r.Error = warehouse.JobCancelled, withoutValue(err)
	default:
		r.State, r.Error = warehouse.JobFailed, withoutValue(err)
	}
}

// withoutValue is the text of an error without the cell of a file that it quotes: what is known of customers belongs neither into the ledger nor into a log.
func withoutValue(err error) string {
	text := err.Error()
	var bad *BadRowError
	if errors.As(err, &bad) && bad.Value != "" {
		text = strings.ReplaceAll(text, fmt.Sprintf("%q ", bad.Value), "")
	}
	return text
}

// protect makes a panic an error: one job must not end the others, nor leave the ledger in the dark.
func protect(ctx context.Context, do func(context.Context) (Outcome, error)) (o Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	return do(ctx)
}

// panicError is a panic within a job.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string {
	return fmt.Sprintf("a fault of this program: %v; the log has the stack", e.value)
}
