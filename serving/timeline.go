package serving

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/features/timeline"
)

// History is the part of the sources that a customer's page needs. Everything it tells was known at the cutoff it is asked for, in
// both clocks. It reads the warehouse: the hot path does without. Its errors are logged, so they must hold nothing of the customer.
type History interface {
	// Events returns a stretch of a customer's timeline, newest first, and where the next one begins, nil at the end.
	Events(ctx context.Context, q timeline.Query) ([]timeline.Event, *timeline.Place, error)
	// Overview returns how much there is of each source and what the sparklines show.
	Overview(ctx context.Context, customer string, cutoff time.Time) (timeline.Overview, error)
}

// noHistory is the History of a service that was given none.
type noHistory struct{}

func (noHistory) Events(context.Context, timeline.Query) ([]timeline.Event, *timeline.Place, error) {
	return nil, nil, nil
}

func (noHistory) Overview(context.Context, string, time.Time) (timeline.Overview, error) {
	return timeline.Overview{}, nil
}

// historyPatience bounds the reads of one page; without an answer the page stands without what they would have told.
const historyPatience = 5 * time.Second

// Timeline is a stretch of what happened to a customer.
type Timeline struct {
	Items      []timeline.Event `json:"items" nullable:"false" doc:"Newest first."`
	NextCursor *string          `json:"next_cursor" doc:"Cursor of the events before these; null at the beginning of the customer's history."`
	RunID      string           `json:"run_id" doc:"The run whose cutoff bounds the timeline."`
	Cutoff     time.Time        `json:"cutoff" doc:"Only what was known at this instant: what the model saw."`
}

type timelineInput struct {
	ID     string `path:"id" minLength:"1" doc:"customer_id, percent-encoded, slashes included (a/b is a%2Fb)."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Events in the answer."`
	Cursor string `query:"cursor" doc:"next_cursor of the answer before. It carries the source: leave that out, or give the same."`
	Source string `query:"source" enum:"surveys,tickets,subscriptions,purchases,contacts,touchpoints,usage,customers" doc:"Only this source; usage is then told by day, else by week."`
}

type timelineOutput struct{ Body Timeline }

func (s *Server) registerTimeline(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "get-timeline", Method: http.MethodGet, Path: "/v1/customers/{id}/timeline", Tags: []string{"customers"},
		Summary: "What happened to a customer over all sources, as it was known at the cutoff of the run in force",
		Errors:  []int{http.StatusNotFound, http.StatusGone},
	}), func(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, historyPatience)
		defer cancel()
		ask, err := s.askTimeline(in.ID, in.Source, in.Cursor)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		ask.query.Limit = in.Limit
		events, next, err := s.events(ctx, ask)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		body := Timeline{Items: append([]timeline.Event{}, events...), RunID: ask.run.run.ID, Cutoff: ask.query.Cutoff}
		if next != "" {
			body.NextCursor = &next
		}
		return &timelineOutput{body}, nil
	})
}

// timelineAsk is a question for a timeline, with the run that bounds it.
type timelineAsk struct {
	run   *snapshot
	row   uint32 // of the customer
	query timeline.Query
}

// askTimeline reads what a caller asks: of the cursor's run from its place, or of the run in force from the newest.
func (s *Server) askTimeline(id, source, cursorText string) (timelineAsk, error) {
	ask := timelineAsk{query: timeline.Query{Customer: id, Source: source}}
	if source != "" && !slices.Contains(timeline.Sources, source) {
		return ask, errSource
	}
	var err error
	if cursorText == "" {
		ask.run, err = s.shelf.current()
	} else {
		var c timelineCursor
		if c, err = decodeTimelineCursor(cursorText); err != nil {
			return ask, err
		}
		if source != "" && source != c.Source {
			return ask, errCursorSource
		}
		ask.query.Source, ask.query.From = c.Source, &c.Place
		ask.run, err = s.shelf.pinned(c.RunID)
	}
	if err != nil {
		return ask, err
	}
	row, ok := ask.run.find(id)
	if !ok {
		return ask, errNoCustomer
	}
	ask.row, ask.query.Cutoff = row, ask.run.run.Cutoff.UTC()
	return ask, nil
}

// events reads a stretch and the cursor of the next one, "" at the end.
func (s *Server) events(ctx context.Context, ask timelineAsk) ([]timeline.Event, string, error) {
	events, next, err := s.options.History.Events(ctx, ask.query)
	if errors.Is(err, timeline.ErrPlace) {
		return nil, "", errCursor
	}
	if err != nil {
		s.log.ErrorContext(ctx, "timeline cannot be read", "error", err)
		return nil, "", err
	}
	if next == nil {
		return events, "", nil
	}
	return events, timelineCursor{RunID: ask.run.run.ID, Source: ask.query.Source, Place: *next}.encode(), nil
}

// timelineCursor is a place in a timeline as of one run. Like cursor it is not signed: it opens nothing that its bearer could not read anyway.
type timelineCursor struct {
	Version int            `json:"v"`
	RunID   string         `json:"r"`
	Source  string         `json:"o"` // only this one; "" all
	Place   timeline.Place `json:"p"`
}

var (
	errSource       = errors.New("source is one of " + strings.Join(timeline.Sources, ", "))
	errCursorSource = errors.New("the cursor belongs to a timeline of another source: leave source out, or start anew without the cursor")
)

// encode returns the opaque text of a cursor.
func (c timelineCursor) encode() string {
	c.Version, c.Place.At = cursorVersion, c.Place.At.UTC()
	return opaque(c) // only a year beyond 9999 would fail, and the warehouse holds none
}

// decodeTimelineCursor accepts exactly what encode returns.
func decodeTimelineCursor(text string) (timelineCursor, error) {
	var c timelineCursor
	if err := readOpaque(text, &c); err != nil {
		return c, err
	}
	known := (c.Source == "" || slices.Contains(timeline.Sources, c.Source)) && slices.Contains(timeline.Sources, c.Place.Source)
	if y := c.Place.At.Year(); !known || c.RunID == "" || c.Place.Skip < 0 || y < 1900 || y > 2299 || c.encode() != text {
		return c, errCursor
	}
	return c, nil
}
