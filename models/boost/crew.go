package boost

import (
	"runtime"
	"sync/atomic"
)

// crew is the goroutines of one fit (for other work see parallel). A tree is hundreds of short phases, one after another; to start goroutines for each, or to wake
// them, takes longer than many phases do. So the crew stays: after a phase its members look out for the next one for a moment,
// giving way to any other goroutine, and only then sleep. Nobody waits for a member that comes late.
type crew struct {
	members []*member
	phases  uint64
	open    atomic.Uint64 // the number of the phase that members may join; 0: none
	busy    atomic.Int32  // members that have joined, or are about to see that they must not
	work    func()        // of the open phase; nil sends the members home
}

// member is a goroutine beside the one that calls the phases.
type member struct {
	asleep atomic.Bool
	bell   chan struct{}
}

// newCrew starts GOMAXPROCS-1 members; dismiss ends them.
func newCrew() *crew {
	c := &crew{members: make([]*member, workers()-1)}
	for k := range c.members {
		m := &member{bell: make(chan struct{}, 1)}
		c.members[k] = m
		go c.serve(m)
	}
	return c
}

// dismiss sends the members home. No phase may follow.
func (c *crew) dismiss() { c.begin(nil) }

// size is how many goroutines share a phase at most.
func (c *crew) size() int { return len(c.members) + 1 }

// begin opens a phase and wakes who sleeps.
func (c *crew) begin(work func()) {
	c.work = work
	c.phases++
	c.open.Store(c.phases)
	for _, m := range c.members {
		if m.asleep.CompareAndSwap(true, false) {
			m.bell <- struct{}{}
		}
	}
}

// end closes the phase and waits for those who joined.
func (c *crew) end() {
	c.open.Store(0)
	for k := 1; c.busy.Load() > 0; k++ {
		if k%looksAlone == 0 {
			runtime.Gosched()
		}
	}
}

// serve is the life of a member.
func (c *crew) serve(m *member) {
	var last uint64
	for {
		phase := c.await(m, last)
		c.busy.Add(1)
		if c.open.Load() != phase { // it is over
			c.busy.Add(-1)
			continue
		}
		work := c.work
		if work != nil {
			work()
		}
		c.busy.Add(-1)
		if work == nil {
			return
		}
		last = phase
	}
}

// How often a member looks for a phase before it sleeps, and how often in a row: then any other goroutine may run.
const (
	looks      = 20_000 // about 50 µs
	looksAlone = 200
)

// await returns the number of an open phase after the last one.
func (c *crew) await(m *member, last uint64) uint64 {
	for {
		for k := range looks {
			if phase := c.open.Load(); phase > last {
				return phase
			}
			if k%looksAlone == looksAlone-1 {
				runtime.Gosched()
			}
		}
		m.asleep.Store(true)
		if c.open.Load() > last && m.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-m.bell
	}
}

// parallel calls f for 0..tasks-1 on the caller and those members who are there in time, and returns when all are done. As with the function
// of this name, f must write only to places of its own task. One goroutine at a time may call it.
func (c *crew) parallel(tasks int, f func(task int)) {
	if len(c.members) == 0 || tasks <= 1 {
		inTurn(tasks, f)
		return
	}
	work := shared(tasks, f)
	c.begin(work)
	work()
	c.end()
}

// parallelIf is parallel where the work is worth a phase, else a plain loop.
func (c *crew) parallelIf(worth bool, tasks int, f func(task int)) {
	if worth {
		c.parallel(tasks, f)
	} else {
		inTurn(tasks, f)
	}
}
