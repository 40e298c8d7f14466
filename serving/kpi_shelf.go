package serving

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"retain/features/lifecycle/kpi"
)

const (
	kpiPatience     = 50 * time.Second // below writeTimeout: a large warehouse takes its time the first time
	kpiPagePatience = 8 * time.Second  // a page says by then what it waits for
	kpiLongest      = 15 * time.Minute // an answer is given up after it
	kpisHeld        = 16               // answers kept of one run, those in the making included
)

// errCounting says that an answer is still in the making.
var errCounting = errors.New("the key figures are still being counted; ask again in a moment, or for fewer of them (kpi) or fewer months")

// kpiQuestion is what an answer depends on.
type kpiQuestion struct {
	from, to time.Time
	by       kpi.By
	names    string // of the figures, sorted, commas between them; "" = all
}

// kpiAnswer is an answer, or one in the making. The others may be read once done is closed.
type kpiAnswer struct {
	done   chan struct{}
	cancel context.CancelFunc
	report *kpi.Report
	err    error
}

func (a *kpiAnswer) ready() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// kpiShelf keeps the answers of a run. An answer is counted to its end whether or not whoever asked still waits for it: who asks again then has it.
type kpiShelf struct {
	reader KPIReader // nil: there are no figures
	turn   chan struct{}

	mu    sync.Mutex
	runID string
	held  map[kpiQuestion]*kpiAnswer
	work  sync.WaitGroup
}

func newKPIShelf(reader KPIReader) *kpiShelf {
	return &kpiShelf{reader: reader, turn: make(chan struct{}, 1)}
}

// report is the answer to a question, which is not to be changed; errCounting if it is not there when ctx is over. The answer holds the figures asked for,
// and maybe others.
func (h *kpiShelf) report(ctx context.Context, run *snapshot, q kpiQuestion) (*kpi.Report, error) {
	if h.reader == nil {
		return &kpi.Report{Cutoff: run.run.Cutoff.UTC(), Months: []time.Time{}, KPIs: []kpi.Value{}, LeftOut: []kpi.LeftOut{}, Warnings: []string{}}, nil
	}
	a, err := h.ask(ctx, run, q)
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.report, a.err
	case <-ctx.Done():
		return nil, errCounting
	}
}

// ask finds the answer to a question, or begins it.
func (h *kpiShelf) ask(ctx context.Context, run *snapshot, q kpiQuestion) (*kpiAnswer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.runID != run.run.ID {
		h.clear(true)
		h.runID = run.run.ID
	}
	whole := q
	whole.names = ""
	if a := h.held[whole]; a != nil && (a.ready() || q.names == "") {
		return a, nil
	}
	if a := h.held[q]; a != nil {
		return a, nil
	}
	if len(h.held) >= kpisHeld {
		h.clear(false)
	}
	if len(h.held) >= kpisHeld {
		return nil, errCounting
	}
	o := kpi.Options{Cutoff: run.run.Cutoff.UTC(), From: q.from, To: q.to, By: q.by}
	if q.names != "" {
		o.Names = strings.Split(q.names, ",")
	}
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), kpiLongest)
	a := &kpiAnswer{done: make(chan struct{}), cancel: cancel}
	h.held[q] = a
	h.work.Go(func() {
		defer cancel()
		defer close(a.done)
		select {
		case h.turn <- struct{}{}: // one at a time: each takes all cores
			a.report, a.err = h.reader.KPIs(counting, o)
			<-h.turn
		case <-counting.Done():
			a.err = counting.Err()
		}
		if a.err != nil {
			h.forget(q, a)
		}
	})
	return a, nil
}

// forget drops an answer that failed, so that who asks again begins anew.
func (h *kpiShelf) forget(q kpiQuestion, a *kpiAnswer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[q] == a {
		delete(h.held, q)
	}
}

// clear drops the answers; those in the making only where all are to go.
func (h *kpiShelf) clear(all bool) {
	kept := map[kpiQuestion]*kpiAnswer{}
	for q, a := range h.held {
		switch {
		case a.ready():
		case all:
			a.cancel()
		default:
			kept[q] = a
		}
	}
	h.held = kept
}

// close gives up what is in the making and waits for it.
func (h *kpiShelf) close() {
	h.mu.Lock()
	h.clear(true)
	h.mu.Unlock()
	h.work.Wait()
}

// namesOf are names of figures as a question has them.
func namesOf(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ",")
}
