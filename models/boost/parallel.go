package boost

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Work is shared in two ways. The functions here start goroutines for one piece of work and wait for them: for what is done once, such as
// binning, scoring and explaining. A fit does thousands of pieces that are over sooner than goroutines are started, and keeps its own (see crew).

// workers is how many goroutines share work.
func workers() int { return runtime.GOMAXPROCS(0) }

// parallel calls f for 0..tasks-1 on up to GOMAXPROCS goroutines and returns when all are done. Which goroutine takes which
// task is left to chance, so f must write only to places of its own task.
func parallel(tasks int, f func(task int)) {
	workers := min(workers(), tasks)
	if workers <= 1 {
		inTurn(tasks, f)
		return
	}
	work := shared(tasks, f)
	var wg sync.WaitGroup
	for range workers - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// parallelIf is parallel where the work is worth the goroutines, else a plain loop.
func parallelIf(worth bool, tasks int, f func(task int)) {
	if worth {
		parallel(tasks, f)
	} else {
		inTurn(tasks, f)
	}
}

// parallelWorkers calls f on up to GOMAXPROCS goroutines, each of which has room of its own and takes tasks from next until that
// returns -1. As with parallel, f must write only to places of its tasks.
func parallelWorkers(tasks int, f func(next func() int)) {
	next := counter(tasks)
	parallel(min(workers(), tasks), func(int) { f(next) })
}

// inTurn calls f for 0..tasks-1 one after another.
func inTurn(tasks int, f func(task int)) {
	for k := range tasks {
		f(k)
	}
}

// shared returns work for any number of goroutines, which together call f once for each of 0..tasks-1.
func shared(tasks int, f func(task int)) (work func()) {
	next := counter(tasks)
	return func() {
		for k := next(); k >= 0; k = next() {
			f(k)
		}
	}
}

// counter returns a function that gives each of 0..tasks-1 to one caller, then -1.
func counter(tasks int) (next func() int) {
	var taken atomic.Int64
	return func() int {
		if k := int(taken.Add(1)) - 1; k < tasks {
			return k
		}
		return -1
	}
}
