package training

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// spread runs n tasks on all cores; each writes a place of its own. It ends early with the first error, or that of ctx.
func spread(ctx context.Context, n int, task func(k int) error) error {
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k := range n {
		group.Go(func() error {
			if err := inner.Err(); err != nil {
				return err
			}
			return task(k)
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// each runs n tasks on all cores, the last first since the slow families stand last in the table, then tells the wall time of each in order.
func each(ctx context.Context, n int, run func(ctx context.Context, task int), done func(task int, seconds float64)) error {
	seconds := make([]float64, n)
	err := spread(ctx, n, func(k int) error {
		task, begin := n-1-k, time.Now()
		run(ctx, task)
		seconds[task] = time.Since(begin).Seconds()
		return nil
	})
	if err != nil {
		return err
	}
	for task, s := range seconds {
		done(task, s)
	}
	return nil
}
