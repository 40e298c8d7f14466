package serving

import (
	"context"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"retain/models"
)

// AtRisk is one page of the at-risk list: customers of status scored only.
type AtRisk struct {
	Items      []models.Score `json:"items" nullable:"false" doc:"The page, riskiest first: by the figure of sort falling with null last, then margin falling, then id."`
	NextCursor *string        `json:"next_cursor" doc:"Cursor of the next page; null on the last."`
	RunID      string         `json:"run_id" doc:"The run that the page is from. Pages of one cursor chain are all from one run."`
	Cutoff     time.Time      `json:"cutoff" doc:"The run's cutoff."`
	Total      int            `json:"total" doc:"Customers on all pages of this list."`
}

type atRiskInput struct {
	Limit    int      `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Customers on a page."`
	Cursor   string   `query:"cursor" doc:"next_cursor of the page before. It carries sort, band, stage, action and min_value: leave them out, or give the same."`
	Band     string   `query:"band" enum:"high,medium,low" doc:"Only this band."`
	Stage    string   `query:"stage" pattern:"^[a-z][a-z0-9_]{0,31}$" doc:"Only this stage of the lifecycle; GET /v1/lifecycle/stages lists them."`
	Action   string   `query:"action" pattern:"^[a-z][a-z0-9_]*$" maxLength:"64" doc:"Only customers whose next best action is this one (id in the catalogue of actions)."`
	MinValue optional `query:"min_value" doc:"Only customers whose expected_value is known and at least this."`
	Sort     string   `query:"sort" enum:"expected_loss,churn_probability" doc:"What comes first; expected_loss when left out."`
}

type atRiskOutput struct{ Body AtRisk }

// optional is a number in the query that tells 0 from absent.
type optional struct {
	Value float64
	Given bool
}

// Receiver is where huma puts the number (huma.ParamWrapper).
func (o *optional) Receiver() reflect.Value { return reflect.ValueOf(o).Elem().Field(0) }

// OnParamSet says whether there was one (huma.ParamReactor).
func (o *optional) OnParamSet(given bool, _ any) { o.Given = given }

// Schema is the number's (huma.SchemaProvider).
func (o optional) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[float64]())
}

func (s *Server) registerAtRisk(api huma.API) {
	huma.Register(api, operation(huma.Operation{
		OperationID: "list-at-risk", Method: http.MethodGet, Path: "/v1/at-risk", Tags: []string{"customers"},
		Summary: "Customers at risk, most to lose first",
		Errors:  []int{http.StatusGone},
	}), func(ctx context.Context, in *atRiskInput) (*atRiskOutput, error) {
		ask := listing{Sort: in.Sort, Band: in.Band, Stage: in.Stage, Action: in.Action}
		if in.MinValue.Given {
			ask.MinValue = &in.MinValue.Value
		}
		page, err := s.atRisk(ask, in.Cursor, in.Limit)
		if err != nil {
			return nil, refusal(ctx, err)
		}
		body := AtRisk{
			Items:  make([]models.Score, len(page.rows)),
			RunID:  page.run.run.ID,
			Cutoff: page.run.run.Cutoff.UTC(),
			Total:  page.total,
		}
		now := s.now()
		for k, i := range page.rows {
			body.Items[k] = page.run.score(i, now)
		}
		if page.next != "" {
			body.NextCursor = &page.next
		}
		return &atRiskOutput{body}, nil
	})
}

// listPage is a page of the at-risk list, for the API and the console alike.
type listPage struct {
	run   *snapshot
	list  listing // what it answers: the cursor's, when there was one
	rows  []uint32
	total int
	first int    // place of the page's first row in the order of the run, 0 on the first page
	next  string // cursor; "" on the last page
}

// atRisk returns at most limit rows of the list: of the cursor's run from its place, or of the run in force from the top.
// ask.Sort "" is SortLoss, or the cursor's.
func (s *Server) atRisk(ask listing, cursorText string, limit int) (listPage, error) {
	if ask.MinValue != nil && (math.IsNaN(*ask.MinValue) || math.IsInf(*ask.MinValue, 0)) {
		return listPage{}, errMinValue
	}
	place := 0
	var run *snapshot
	var err error
	if cursorText == "" {
		run, err = s.shelf.current()
	} else {
		var c cursor
		if c, err = decodeCursor(cursorText); err != nil {
			return listPage{}, err
		}
		if !ask.agrees(c.listing()) {
			return listPage{}, errCursorOther
		}
		ask, place = c.listing(), c.Place
		run, err = s.shelf.pinned(c.RunID)
	}
	if err != nil {
		return listPage{}, err
	}
	if ask.Sort == "" {
		ask.Sort = SortLoss
	}
	if place > len(ask.order(run)) {
		return listPage{}, errCursor
	}
	page := listPage{run: run, list: ask, first: place, total: run.total(ask)}
	var next int
	page.rows, next = run.page(ask, place, limit)
	if next > 0 {
		page.next = cursor{RunID: run.run.ID, Sort: ask.Sort, Band: ask.Band, Stage: ask.Stage, Action: ask.Action, MinValue: ask.MinValue, Place: next}.encode()
	}
	return page, nil
}

// agrees says whether what the caller gave beside a cursor is what the cursor says; what was left out agrees.
func (l listing) agrees(c listing) bool {
	if l.Sort != "" && l.Sort != c.Sort || l.Band != "" && l.Band != c.Band || l.Stage != "" && l.Stage != c.Stage || l.Action != "" && l.Action != c.Action {
		return false
	}
	return l.MinValue == nil || c.MinValue != nil && *l.MinValue == *c.MinValue
}

// amount is a number as a query parameter.
func amount(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
