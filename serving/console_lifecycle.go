package serving

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"retain/features/lifecycle"
)

// lifecycleView is what the lifecycle page shows.
type lifecycleView struct {
	Run      runView
	Preset   string
	Since    string // day of the first point
	Months   int    // steps from one month start to the next
	Journey  []stageView
	Beside   []stageView
	Matrix   []matrixRow
	Happened []happenedView
	From, To string // of the events, as days
}

// stageView is a stage's card.
type stageView struct {
	Name, Title, Address string // Address: the scored customers of the stage, "" where there are none
	Customers, Share     string
	Width                string // of the card's bar
	Entered, Days        string
	On, Back, Left       string
	Trend                []trendBar
}

// trendBar is one month of a card's little chart, in a box of 100 × 28.
type trendBar struct{ X, Y, Width, Height, Words string }

// matrixRow is one row of the transition matrix.
type matrixRow struct {
	Name  string
	Cells []matrixCell
}

// matrixCell is a share in words and its depth of colour, 0 to 9.
type matrixCell struct {
	To, Share, Words string
	Depth            int
	Stays            bool
}

// happenedView is one stage of the journey map.
type happenedView struct {
	Name, Months string
	Sources      []happenedSource
}

type happenedSource struct{ Name, Words string }

// lifecycleView answers GET /lifecycle.
func (s *Server) lifecycleView(c *gin.Context) {
	run, err := s.shelf.current()
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), stagePatience)
	defer cancel()
	board, err := s.stages.board(ctx, run.run.ID, StageSpan{})
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	v := lifecycleView{Run: s.runView(run), Preset: board.Preset, Since: board.From.UTC().Format("2 January 2006")}
	v.cards(board, run)
	v.matrix(board)
	if journey, err := s.stages.journey(ctx, run.run.ID, StageSpan{}); err == nil {
		v.happened(journey)
	} else {
		s.log.WarnContext(ctx, "journey map not told", "error", err)
	}
	s.render(c, http.StatusOK, "lifecycle", frame{Title: "Lifecycle", RunID: run.run.ID, Page: v})
}

func (v *lifecycleView) cards(b *lifecycle.Board, run *snapshot) {
	total, most := 0, 1
	for _, stage := range b.Stages {
		total, most = total+stage.Customers, max(most, stage.Customers)
	}
	scored := run.scoredStages()
	for i, stage := range b.Stages {
		share := float64(stage.Customers) / float64(max(total, 1))
		card := stageView{Name: words(stage.Name), Title: stage.Title, Customers: count(stage.Customers), Share: percent(&share), Width: cent(100 * float64(stage.Customers) / float64(most)),
			Entered: count(stage.Entered), Days: unknown, On: percent(stage.Conversion), Back: percent(stage.FellBack), Left: percent(stage.DropOff)}
		if stage.MedianDays != nil {
			card.Days = strconv.FormatFloat(*stage.MedianDays, 'f', 0, 64)
		}
		if scored[stage.Name] {
			card.Address = "/?" + url.Values{"stage": {stage.Name}}.Encode()
		}
		peak := 1
		for _, month := range b.Months {
			peak = max(peak, month.Customers[i])
		}
		width := 100 / float64(len(b.Months))
		for k, month := range b.Months {
			height := 28 * float64(month.Customers[i]) / float64(peak)
			number := func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
			card.Trend = append(card.Trend, trendBar{number(float64(k) * width), number(28 - height), number(width * .72), number(height), count(month.Customers[i]) + " on " + month.At.UTC().Format("2 Jan 2006")})
		}
		if stage.DropOff == nil && stage.Conversion == nil && (stage.Name == lifecycle.Churned || stage.Name == lifecycle.WonBack) {
			v.Beside = append(v.Beside, card)
			continue
		}
		v.Journey = append(v.Journey, card)
	}
}

// matrix fills the transition matrix; a board without two month starts has none.
func (v *lifecycleView) matrix(b *lifecycle.Board) {
	if len(b.Transitions) == 0 {
		return
	}
	for k := range len(b.Months) - 1 {
		if b.Months[k+1].At.Equal(b.Months[k].At.AddDate(0, 1, 0)) {
			v.Months++
		}
	}
	for _, from := range b.Stages {
		row := matrixRow{Name: words(from.Name)}
		for _, to := range b.Stages {
			cell := matrixCell{To: words(to.Name), Stays: from.Name == to.Name}
			if i := slices.IndexFunc(b.Transitions, func(t lifecycle.Transition) bool { return t.From == from.Name && t.To == to.Name }); i >= 0 {
				t := b.Transitions[i]
				cell.Share, cell.Depth = percent(&t.Share), min(9, int(10*t.Share))
				cell.Words = count(t.Customers) + " times from " + words(t.From) + " to " + words(t.To)
				if cell.Stays {
					cell.Words = count(t.Customers) + " times still in " + words(t.From)
				}
			}
			row.Cells = append(row.Cells, cell)
		}
		v.Matrix = append(v.Matrix, row)
	}
}

// happenedKinds are told of a stage and source, those that happen at least leastTold times to 100 customers in a month.
const (
	happenedKinds = 4
	leastTold     = .05
)

func (v *lifecycleView) happened(j *lifecycle.Journey) {
	v.From, v.To = j.From.UTC().Format("2 January 2006"), j.To.UTC().Format("2 January 2006")
	for _, stage := range j.Stages {
		h := happenedView{Name: words(stage.Name), Months: count(stage.Months)}
		for _, e := range stage.Events {
			if e.Rate != nil && *e.Rate < leastTold {
				continue
			}
			text := words(e.Kind)
			if e.Channel != "" {
				text = strings.TrimSpace(text + " by " + words(e.Channel))
			}
			if e.Rate != nil {
				text = strings.TrimSpace(text + " " + strconv.FormatFloat(*e.Rate, 'f', 1, 64))
			}
			k := slices.IndexFunc(h.Sources, func(x happenedSource) bool { return x.Name == e.Source })
			if k < 0 {
				h.Sources = append(h.Sources, happenedSource{e.Source, text})
			} else if strings.Count(h.Sources[k].Words, ", ") < happenedKinds-1 {
				h.Sources[k].Words += ", " + text
			}
		}
		if len(h.Sources) > 0 {
			v.Happened = append(v.Happened, h)
		}
	}
}

// words is a name as it is spoken.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// scoredStages are the stages that scored customers stand in.
func (s *snapshot) scoredStages() map[string]bool {
	stages := map[string]bool{}
	var last uint16
	for _, i := range s.byLoss {
		if k := s.rows[i].stage; k != 0 && k != last {
			stages[s.words[k]] = true
			last = k
		}
	}
	return stages
}
