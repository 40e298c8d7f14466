package pipelines

import (
	"context"
	"errors"
	"fmt"
)

// errTimeout ends an attempt that took longer than Runner.Timeout.
var errTimeout = errors.New("took longer than schedule.timeout")

// limit is the time that one attempt has, by the runner's clock: planning and work together.
type limit struct {
	over context.Context // done with errTimeout when the time is up; nil: there is no limit
	stop func()
}

func (r *Runner) limit() limit {
	if r.Timeout == 0 {
		return limit{stop: func() {}}
	}
	over, cancel := context.WithCancelCause(context.Background())
	timer := r.clock().AfterFunc(r.Timeout, func() { cancel(fmt.Errorf("%w (%v)", errTimeout, r.Timeout)) })
	return limit{over, func() {
		timer.Stop()
		cancel(nil)
	}}
}

// do ends the context of the work when the time is up, and makes a panic an error.
func (l limit) do(ctx context.Context, work func(context.Context) (Outcome, error)) (Outcome, error) {
	if l.over == nil {
		return protect(ctx, work)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.over, func() { cancel(context.Cause(l.over)) })()
	o, err := protect(ctx, work)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		err = context.Cause(ctx)
	}
	return o, err
}
