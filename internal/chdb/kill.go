package chdb

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// killer stops statements from the outside: libchdb has no call that interrupts one which computes.
type killer struct {
	nonce int64 // tells this engine's statements from another's in the same query log
	count atomic.Uint64

	mu sync.Mutex
	c  *conn // nil when closed
}

// tag returns a comment that stands before one statement and no other.
func (k *killer) tag() string { return fmt.Sprintf("/*q%d.%d*/ ", k.nonce, k.count.Add(1)) }

// pace is the time between two tries to kill: a statement may not have reached the process list yet.
const pace = 20 * time.Millisecond

// kill kills the statement of that tag, again and again until it is gone.
func (k *killer) kill(tag string, gone <-chan struct{}) {
	for {
		k.mu.Lock()
		if k.c == nil {
			k.mu.Unlock()
			return
		}
		// An error here has nobody to go to and the next try is due anyway.
		_ = k.c.exec("KILL QUERY WHERE startsWith(query, " + literal(tag) + ") ASYNC")
		k.mu.Unlock()
		select {
		case <-gone:
			return
		case <-time.After(pace):
		}
	}
}

// watch kills the statement of that tag when ctx ends before gone closes.
func (k *killer) watch(ctx context.Context, tag string, gone <-chan struct{}) {
	if ctx.Done() == nil {
		return
	}
	go func() {
		select {
		case <-gone:
		case <-ctx.Done():
			k.kill(tag, gone)
		}
	}()
}

func (k *killer) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.c.close()
	k.c = nil
}
