package boost

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// Every task of every phase is done once, whether the members are awake, asleep or late.
func TestCrewDoesEveryTaskOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	before := runtime.NumGoroutine()
	c := newCrew()
	for phase := range 3000 {
		done := make([]atomic.Int32, phase%23)
		c.parallel(len(done), func(k int) { done[k].Add(1) })
		for k := range done {
			if n := done[k].Load(); n != 1 {
				t.Fatalf("phase %d: task %d was done %d times", phase, k, n)
			}
		}
		if phase%500 == 0 {
			time.Sleep(5 * time.Millisecond) // long enough to fall asleep
		}
	}
	c.dismiss()
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before the crew came", runtime.NumGoroutine(), before)
}

// What a task writes is seen after its phase, and by the next one.
func TestCrewSharesMemory(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	c := newCrew()
	defer c.dismiss()
	cells := make([]int, 64)
	for phase := range 2000 {
		c.parallel(len(cells), func(k int) {
			if v := cells[(k+1)%len(cells)]; v != phase {
				t.Errorf("phase %d: the value of phase %d", phase, v)
			}
		})
		c.parallelIf(phase%2 == 0, len(cells), func(k int) { cells[k] = phase + 1 })
	}
	for k, v := range cells {
		if v != 2000 {
			t.Errorf("cell %d holds %d", k, v)
		}
	}
}

func TestACrewOfOne(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	c := newCrew()
	defer c.dismiss()
	sum := 0
	c.parallel(10, func(k int) { sum += k })
	if sum != 45 || c.size() != 1 {
		t.Errorf("the tasks add up to %d, want 45, in a crew of %d", sum, c.size())
	}
}
