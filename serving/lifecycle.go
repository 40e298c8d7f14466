package serving

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/features/lifecycle"
)

// StageReader tells where the customers of a run stand on their way. It reads the warehouse: the service asks once per run and span, and keeps the answer.
type StageReader interface {
	// Board returns the stages of a run and the month starts before it, from From to To; ErrNoStages where the run has none.
	Board(ctx context.Context, runID string, span StageSpan) (*lifecycle.Board, error)
	// Journey returns what happened in which stage; ErrNoStages where the run has none.
	Journey(ctx context.Context, runID string, span StageSpan) (*lifecycle.Journey, error)
}

// StageSpan is the history of a board. A zero From is 12 month starts back, a zero To the cutoff of the run.
type StageSpan struct{ From, To time.Time }

// ErrNoStages says that a run has no lifecycle stages: an older program made it.
var ErrNoStages = errors.New("the run in force has no lifecycle stages: the next one will")

// errSpan refuses a history that ends before it begins.
var errSpan = errors.New("to must not be before from")

const (
	stagePatience = 30 * time.Second // one answer counts a year of events
	stagesHeld    = 32               // answers kept; more spans than that of one run are asked anew
)

// stageShelf keeps the answers of a run.
type stageShelf struct {
	reader StageReader
	mu     sync.Mutex // held while an answer is made: the same question waits for it
	runID  string
	boards map[StageSpan]*lifecycle.Board
	maps   map[StageSpan]*lifecycle.Journey
}

// turn forgets the answers of other runs.
func (h *stageShelf) turn(runID string) {
	if h.runID != runID || len(h.boards)+len(h.maps) >= stagesHeld {
		h.runID, h.boards, h.maps = runID, map[StageSpan]*lifecycle.Board{}, map[StageSpan]*lifecycle.Journey{}
	}
}

func (h *stageShelf) board(ctx context.Context, runID string, span StageSpan) (*lifecycle.Board, error) {
	if h.reader == nil {
		return nil, ErrNoStages
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(runID)
	if b := h.boards[span]; b != nil {
		return b, nil
	}
	b, err := h.reader.Board(ctx, runID, span)
	if err == nil {
		h.boards[span] = b
	}
	return b, err
}

func (h *stageShelf) journey(ctx context.Context, runID string, span StageSpan) (*lifecycle.Journey, error) {
	if h.reader == nil {
		return nil, ErrNoStages
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.turn(runID)
	if j := h.maps[span]; j != nil {
		return j, nil
	}
	j, err := h.reader.Journey(ctx, runID, span)
	if err == nil {
		h.maps[span] = j
	}
	return j, err
}

// LifecycleRun says what a lifecycle answer is from.
type LifecycleRun struct {
	Preset  string    `json:"preset" doc:"Name of the rule set."`
	Version string    `json:"version" doc:"Hash of what the rule set computes."`
	RunID   string    `json:"run_id" doc:"The run in force."`
	Cutoff  time.Time `json:"cutoff" doc:"Its cutoff."`
	From    time.Time `json:"from" doc:"The first point of the history, a month start."`
	To      time.Time `json:"to" doc:"Its last point."`
}

func lifecycleRun(b *lifecycle.Board) LifecycleRun {
	return LifecycleRun{b.Preset, b.Version, b.RunID, b.Cutoff.UTC(), b.From.UTC(), b.To.UTC()}
}

// LifecycleStages are the stages with their customers.
type LifecycleStages struct {
	LifecycleRun
	Items  []lifecycle.StageCount `json:"items" nullable:"false" doc:"The stages of the journey in order, then churned, won_back and others beside it."`
	Months []lifecycle.Month      `json:"months" nullable:"false" doc:"Customers per stage, in the order of items, at each point of the history."`
}

// LifecycleTransitions is the transition matrix.
type LifecycleTransitions struct {
	LifecycleRun
	Items []lifecycle.Transition `json:"items" nullable:"false" doc:"From one month start to the next, all months added up; cells that are not there are 0."`
}

type lifecycleInput struct {
	From time.Time `query:"from" timeFormat:"2006-01-02" format:"date" doc:"History from the first month start on or after this day; 12 months back when left out, 24 at most."`
	To   time.Time `query:"to" timeFormat:"2006-01-02" format:"date" doc:"And to this day; the cutoff of the run in force when left out."`
}

type (
	stagesOutput      struct{ Body LifecycleStages }
	transitionsOutput struct{ Body LifecycleTransitions }
	journeyOutput     struct{ Body lifecycle.Journey }
)

// span reads what a caller asks, and which run is in force.
func (s *Server) span(in *lifecycleInput) (string, StageSpan, error) {
	if !in.From.IsZero() && !in.To.IsZero() && in.To.Before(in.From) {
		return "", StageSpan{}, errSpan
	}
	run, err := s.shelf.current()
	if err != nil {
		return "", StageSpan{}, err
	}
	return run.run.ID, StageSpan{in.From.UTC(), in.To.UTC()}, nil
}

func (s *Server) boardOf(ctx context.Context, in *lifecycleInput) (*lifecycle.Board, error) {
	ctx, cancel := context.WithTimeout(ctx, stagePatience)
	defer cancel()
	run, span, err := s.span(in)
	if err != nil {
		return nil, err
	}
	return s.stages.board(ctx, run, span)
}

func (s *Server) registerLifecycle(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-lifecycle-stages", Method: http.MethodGet, Path: "/v1/lifecycle/stages", Tags: []string{"lifecycle"},
		Summary: "How many customers stand in which stage, and how they move on", Errors: []int{http.StatusNotFound},
	}), func(ctx context.Context, in *lifecycleInput) (*stagesOutput, error) {
		b, err := s.boardOf(ctx, in)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return &stagesOutput{LifecycleStages{lifecycleRun(b), b.Stages, b.Months}}, nil
	})
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-lifecycle-transitions", Method: http.MethodGet, Path: "/v1/lifecycle/transitions", Tags: []string{"lifecycle"},
		Summary: "From which stage to which, from one month start to the next", Errors: []int{http.StatusNotFound},
	}), func(ctx context.Context, in *lifecycleInput) (*transitionsOutput, error) {
		b, err := s.boardOf(ctx, in)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return &transitionsOutput{LifecycleTransitions{lifecycleRun(b), b.Transitions}}, nil
	})
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-lifecycle-journey", Method: http.MethodGet, Path: "/v1/lifecycle/journey", Tags: []string{"lifecycle"},
		Summary: "What happened in which stage: touchpoints, contacts, tickets, surveys, orders", Errors: []int{http.StatusNotFound},
	}), func(ctx context.Context, in *lifecycleInput) (*journeyOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, stagePatience)
		defer cancel()
		run, span, err := s.span(in)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		j, err := s.stages.journey(ctx, run, span)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		return &journeyOutput{*j}, nil
	})
}
