package serving

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"retain/models/actions"
)

// heldOutcomes is what came of the decisions of the run in force, in memory, so that answers cost no query. It is brought up to date by
// polling, and at once by what is told to this process.
type heldOutcomes struct {
	log OutcomeLog // nil: none are told

	refreshing sync.Mutex // one read at a time
	mu         sync.RWMutex
	run        string
	since      time.Time
	of         map[string][]actions.Outcome // by decision, ordered by time
}

// overlap is how much of what was read is read again: another process may write with a clock that is behind.
const overlap = time.Minute

// refresh reads what was told of the run since the last time.
func (h *heldOutcomes) refresh(ctx context.Context, runID string) error {
	if h.log == nil || runID == "" {
		return nil
	}
	h.refreshing.Lock()
	defer h.refreshing.Unlock()
	h.mu.RLock()
	since := h.since
	if h.run != runID {
		since = time.Unix(0, 0)
	}
	h.mu.RUnlock()
	ctx, cancel := context.WithTimeout(ctx, runReadTimeout)
	defer cancel()
	told, err := h.log.OfRun(ctx, runID, since)
	if err != nil {
		return fmt.Errorf("read outcomes of run %s: %w", runID, err)
	}
	fresh := map[string][]actions.Outcome{}
	for _, r := range told {
		fresh[r.DecisionID] = append(fresh[r.DecisionID], r.Outcome)
		if t := r.IngestedAt.Add(-overlap); t.After(since) {
			since = t
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run != runID || h.of == nil {
		h.run, h.of = runID, map[string][]actions.Outcome{}
	}
	h.since = since
	for decision, list := range fresh {
		sortOutcomes(list)
		h.of[decision] = list
	}
	return nil
}

// add holds what this process has recorded.
func (h *heldOutcomes) add(recorded []actions.Recorded) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range recorded {
		if r.RunID != h.run {
			continue
		}
		list := slices.DeleteFunc(slices.Clone(h.of[r.DecisionID]), func(o actions.Outcome) bool { return o.Outcome == r.Outcome.Outcome })
		list = append(list, r.Outcome)
		sortOutcomes(list)
		h.of[r.DecisionID] = list
	}
}

// outcomes are those of a decision, by time; never nil.
func (h *heldOutcomes) outcomes(decision string) []actions.Outcome {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return append([]actions.Outcome{}, h.of[decision]...)
}

// refreshOutcomes reads what came of the decisions of the run in force.
func (s *Server) refreshOutcomes(ctx context.Context) error {
	run := s.shelf.held.Load().current
	if run == nil { // nothing is served, so there is nothing to tell of it
		return nil
	}
	err := s.outcomes.refresh(ctx, run.run.ID)
	s.tell(ctx, "outcomes", err)
	return err
}
