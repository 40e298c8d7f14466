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

// parallelWorkers calls f on up to GOMAXPROCS goroutines, each of which has room of its own and takes tasks from next until that
// returns -1. As with parallel, f must write only to places of its tasks.
func parallelWorkers(tasks int, f func(next func() int)) {
	var taken atomic.Int64
	next := func() int {
		if k := int(taken.Add(1)) - 1; k < tasks {
			return k
		}
		return -1
	}
	parallel(min(workers(), tasks), func(int) { f(next) })
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
