package pipelines

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"retain/features/lifecycle"
	"retain/internal/warehouse"
	"retain/models"
)

// ErrNoStages says that a run has no lifecycle stages, because an older program made it.
var ErrNoStages = errors.New("the run has no lifecycle stages: `retain score` finds them")

// BoardSpan is the history of a board: points in [From, To]. A zero From is StageMonths month starts back, a zero To the cutoff of the run.
type BoardSpan struct{ From, To time.Time }

// months are the month starts of the span before a cutoff, and whether the cutoff itself is in it.
func (b BoardSpan) months(cutoff time.Time) (months []time.Time, last bool) {
	for _, month := range lifecycle.MonthsBefore(cutoff, lifecycle.MaxPoints-1) {
		if b.From.IsZero() && month.Before(cutoff.AddDate(0, -StageMonths, 0)) || month.Before(b.From) || !b.To.IsZero() && month.After(b.To) {
			continue
		}
		months = append(months, month)
	}
	return months, b.To.IsZero() || !b.To.Before(cutoff)
}

// StageBoard tells the stages stored with a run and the months before it. ErrNoStages where the run has none.
func StageBoard(ctx context.Context, db *warehouse.Warehouse, run models.Run, span BoardSpan) (*lifecycle.Board, error) {
	history, err := stageHistory(ctx, db, run, span)
	if err != nil {
		return nil, err
	}
	paths := lifecycle.Paths{Count: map[lifecycle.Path]int{}}
	for _, set := range history.sets {
		paths.Points = append(paths.Points, set.Cutoff)
	}
	err = db.StagePaths(ctx, history.sets, history.rules.Names(), func(path []uint8, customers int) {
		var p lifecycle.Path
		copy(p[:], path)
		paths.Count[p] += customers
	})
	if err != nil {
		return nil, err
	}
	board, err := history.rules.Board(&paths)
	if err != nil {
		return nil, err
	}
	board.Version, board.RunID, board.Cutoff, board.Stored, board.KPIs = history.version, run.ID, run.Cutoff, true, []any{}
	return board, nil
}

// history are the stored sets of a board, oldest first.
type history struct {
	rules   *lifecycle.Set
	version string
	sets    []warehouse.StageSet
}

func stageHistory(ctx context.Context, db *warehouse.Warehouse, run models.Run, span BoardSpan) (*history, error) {
	own, ok, err := db.StageSet(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoStages
	}
	document, err := stageDocumentOf(own)
	if err != nil {
		return nil, err
	}
	sets, err := db.MonthStages(ctx, own.Rules, run.Cutoff.Add(-time.Millisecond))
	if err != nil {
		return nil, err
	}
	months, last := span.months(run.Cutoff)
	h := &history{rules: document.Set, version: own.Rules}
	for _, set := range sets {
		of, err := stageDocumentOf(set)
		if err != nil {
			return nil, err
		}
		empty := len(h.sets) == 0 && set.Customers == 0 // before the first customer
		if slices.Contains(months, set.Cutoff) && bytes.Equal(of.Churn, document.Churn) && !empty {
			h.sets = append(h.sets, set)
		}
	}
	if last {
		h.sets = append(h.sets, own)
	}
	if len(h.sets) == 0 {
		return nil, fmt.Errorf("no stages are stored from %s to %s", span.From.Format(time.DateOnly), span.To.Format(time.DateOnly))
	}
	return h, nil
}

func stageDocumentOf(set warehouse.StageSet) (d stageDocument, err error) {
	if err := json.Unmarshal([]byte(set.Document), &d); err != nil || d.Set == nil || len(d.Stages) == 0 {
		return d, errors.Join(fmt.Errorf("lifecycle stages of %s: their rule set cannot be read", set.Cutoff.Format(time.DateOnly)), err)
	}
	return d, nil
}

// Board computes the board of a rule set on a run and the months before it, and keeps nothing.
func (s *Stages) Board(ctx context.Context, run models.Run, span BoardSpan) (*lifecycle.Board, error) {
	board, _, err := s.board(ctx, run, span)
	return board, err
}

// board computes a board, and the stages at its last point.
func (s *Stages) board(ctx context.Context, run models.Run, span BoardSpan) (*lifecycle.Board, *staged, error) {
	months, last := span.months(run.Cutoff)
	if last {
		months = append(months, run.Cutoff)
	}
	if s.Say != nil {
		s.Say(fmt.Sprintf("computing the lifecycle stages by %s at %d instants; nothing is stored", s.Rules.Set.Name, len(months)))
	}
	var of tracks
	var x *staged
	for _, month := range months {
		var err error
		if x, err = s.month(ctx, month, x); err != nil {
			return nil, nil, err
		}
		if len(x.customer) == 0 && len(of.points) == 0 {
			continue // before the first customer
		}
		of.add(x)
	}
	if len(of.points) == 0 {
		return nil, nil, fmt.Errorf("nobody exists from %s to %s", span.From.Format(time.DateOnly), span.To.Format(time.DateOnly))
	}
	board, err := s.Rules.Set.Board(of.paths())
	if err != nil {
		return nil, nil, err
	}
	board.Version, board.RunID, board.Cutoff, board.KPIs = s.Rules.Version, run.ID, run.Cutoff, []any{}
	return board, x, nil
}

// tracks gather the paths of customers point by point: 25 bytes a customer beside the ids.
type tracks struct {
	points []time.Time
	of     map[string]*lifecycle.Path
}

func (t *tracks) add(x *staged) {
	if t.of == nil {
		t.of = make(map[string]*lifecycle.Path, len(x.customer))
	}
	k := len(t.points)
	t.points = append(t.points, x.cutoff)
	for i, id := range x.customer {
		path := t.of[id]
		if path == nil {
			path = new(lifecycle.Path)
			t.of[id] = path
		}
		path[k] = x.place[i] + 1
	}
}

func (t *tracks) paths() *lifecycle.Paths {
	p := &lifecycle.Paths{Points: t.points, Count: map[lifecycle.Path]int{}}
	for _, path := range t.of {
		p.Count[*path]++
	}
	return p
}

// moveExamples are named of those who would move from one stage to another.
const moveExamples = 5

// Compare tells what a rule set would change against the one that a run is stored with: its board, and who would stand elsewhere. ErrNoStages where the
// run has none.
func (s *Stages) Compare(ctx context.Context, run models.Run, span BoardSpan) (*lifecycle.Comparison, error) {
	own, ok, err := s.DB.StageSet(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoStages
	}
	document, err := stageDocumentOf(own)
	if err != nil {
		return nil, err
	}
	span.To = time.Time{} // moves are those at the run
	board, x, err := s.board(ctx, run, span)
	if err != nil {
		return nil, err
	}
	held, err := s.DB.Stages(ctx, own)
	if err != nil {
		return nil, err
	}
	c := &lifecycle.Comparison{Board: board, From: own.Rules, To: s.Rules.Version, Moves: []lifecycle.Move{}}
	moves := map[[2]string]*lifecycle.Move{}
	at := cursor{ids: held.Customer}
	for i, id := range x.customer {
		k, ok := at.find(id)
		if !ok {
			continue // became known since
		}
		cell := [2]string{held.Stage[k], s.Rules.Name(int(x.place[i]))}
		m := moves[cell]
		if m == nil {
			m = &lifecycle.Move{From: cell[0], To: cell[1], Examples: []string{}}
			moves[cell] = m
		}
		m.Customers++
		if cell[0] != cell[1] {
			c.Moved++
			if len(m.Examples) < moveExamples {
				m.Examples = append(m.Examples, id)
			}
		}
	}
	rows, columns := document.Names(), s.Rules.Set.Names()
	cells := slices.Collect(maps.Keys(moves))
	slices.SortFunc(cells, func(a, b [2]string) int {
		if a[0] != b[0] {
			return slices.Index(rows, a[0]) - slices.Index(rows, b[0])
		}
		return slices.Index(columns, a[1]) - slices.Index(columns, b[1])
	})
	for _, cell := range cells {
		c.Moves = append(c.Moves, *moves[cell])
	}
	return c, nil
}
