package boost

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel calls f for 0..tasks-1 on up to GOMAXPROCS goroutines and returns when all are done. Which goroutine takes which
// task is left to chance, so f must write only to places of its own task.
func parallel(tasks int, f func(task int)) {
	workers := min(workers(), tasks)
	if workers <= 1 {
		for k := range tasks {
			f(k)
		}
		return
	}
	var next atomic.Int64
	work := func() {
		for {
			k := int(next.Add(1)) - 1
			if k >= tasks {
				return
			}
			f(k)
		}
	}
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// workers is how many goroutines share work.
func workers() int { return runtime.GOMAXPROCS(0) }

// parallelIf is parallel where the work is worth the goroutines, else a plain loop.
func parallelIf(worth bool, tasks int, f func(task int)) {
	if worth {
		parallel(tasks, f)
		return
	}
	for k := range tasks {
		f(k)
	}
}
