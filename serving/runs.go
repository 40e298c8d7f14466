package serving

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"retain/models"
)

// ErrNoRun is what a RunReader returns while no scoring run is there.
var ErrNoRun = errors.New("serving: no scoring run yet")

// RunReader is the part of the score store that the service needs.
type RunReader interface {
	// InForce returns the run with the greatest cutoff, among equals the latest finished; ErrNoRun when there is none.
	InForce(ctx context.Context) (models.Run, error)
	// Scores streams the score of everyone in the run, each once, fastest in the order of the ids' bytes.
	// An error ends the stream and discards what was read.
	Scores(ctx context.Context, runID string) iter.Seq2[models.Score, error]
}

// runReadTimeout bounds the small read of each poll; loading a run takes as long as it takes.
const runReadTimeout = 30 * time.Second

// held is what is served: the run in force and the one before, kept for cursors that are pinned to it.
type held struct {
	current, previous *snapshot
}

// shelf holds the runs in memory and loads the one in force when it changes.
type shelf struct {
	reader    RunReader
	decisions DecisionReader // nil: none are served
	now       func() time.Time

	held atomic.Pointer[held]
	why  atomic.Pointer[string] // why nothing is held, for readyz; safe to tell
	mu   sync.Mutex             // one load at a time
}

func newShelf(reader RunReader, decisions DecisionReader, now func() time.Time) *shelf {
	s := &shelf{reader: reader, decisions: decisions, now: now}
	s.held.Store(&held{})
	s.explain("the run in force is not read yet")
	return s
}

// refresh looks which run is in force and loads it when it is another one. The old one serves meanwhile, and on when loading fails.
// loaded says that a new run was swapped in. ErrNoRun is not an error once a run is held.
func (s *shelf) refresh(ctx context.Context) (loaded bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.held.Load()
	run, err := s.inForce(ctx)
	switch {
	case errors.Is(err, ErrNoRun):
		s.explain("there is no scoring run yet; `retain score` makes one, `retain demo` shows one")
		return false, nil
	case err != nil:
		s.explain("the run in force cannot be read; the log says why")
		return false, fmt.Errorf("read the run in force: %w", err)
	case old.current != nil && old.current.run.ID == run.ID:
		return false, nil
	}
	if old.previous != nil { // three runs at once would be one too many
		old = &held{current: old.current}
		s.held.Store(old)
	}
	fresh, err := s.load(ctx, run)
	if err != nil {
		s.explain("the run in force cannot be loaded; the log says why")
		return false, fmt.Errorf("load run %s: %w", run.ID, err)
	}
	s.held.Store(&held{current: fresh, previous: old.current})
	return true, nil
}

func (s *shelf) inForce(ctx context.Context) (models.Run, error) {
	ctx, cancel := context.WithTimeout(ctx, runReadTimeout)
	defer cancel()
	run, err := s.reader.InForce(ctx)
	if err == nil && run.ID == "" {
		return run, ErrNoRun
	}
	return run, err
}

func (s *shelf) load(ctx context.Context, run models.Run) (*snapshot, error) {
	b := newBuilder(run)
	for score, err := range s.reader.Scores(ctx, run.ID) {
		if err != nil {
			return nil, err
		}
		if err := b.add(&score); err != nil {
			return nil, err
		}
	}
	fresh, err := b.snapshot()
	if err != nil || s.decisions == nil {
		return fresh, err
	}
	fresh.decided, err = loadDecisions(ctx, s.decisions, fresh)
	return fresh, err
}

func (s *shelf) explain(why string) { s.why.Store(&why) }

// current returns the run in force, or an error that says why there is none.
func (s *shelf) current() (*snapshot, error) {
	if c := s.held.Load().current; c != nil {
		return c, nil
	}
	return nil, &notReadyError{why: *s.why.Load()}
}

// pinned returns the run of a cursor, or errCursorExpired.
func (s *shelf) pinned(runID string) (*snapshot, error) {
	h := s.held.Load()
	for _, c := range []*snapshot{h.current, h.previous} {
		if c != nil && c.run.ID == runID {
			return c, nil
		}
	}
	if h.current == nil {
		return nil, &notReadyError{why: *s.why.Load()}
	}
	return nil, errCursorExpired
}

// notReadyError says why no run is served yet.
type notReadyError struct{ why string }

func (e *notReadyError) Error() string { return e.why }
