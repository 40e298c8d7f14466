package serving

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"retain/models"
)

const pageRows = 25

// runView is what pages tell of the run they are from.
type runView struct {
	ID, Cutoff, Model string
	Age               string
	HorizonDays       int
	Scored, Customers string
	Stale             bool // the cutoff lies further back than Options.StaleAfter
	Hindsight         bool
}

// listView is the at-risk list.
type listView struct {
	Run      runView
	Newer    bool // the page is pinned to a run that is no longer in force
	Bands    []bandView
	Band     string
	Stage    string
	Stages   []string // that scored customers stand in, in the order of names
	Action   string
	Actions  []choiceView // that were chosen for scored customers, by title
	MinValue string
	Sort     string
	Rows     []rowView
	Total    string
	Range    string // "26–50 of 953"
	First    string // address of the first page, "" on it
	Next     string // address of the next page, "" on the last
	Filtered bool
	Decided  bool // the run says what to do next
}

// bandView is a band's card; its address shows the band alone, or all again when it is shown already.
type bandView struct {
	Name, Address   string
	Customers, Loss string
	Share, Per      string // of the scored customers: width of the card's bar, and in words
	Active          bool
}

// rowView is one line of the list.
type rowView struct {
	ID, Address string
	Probability string
	Width       string // of the bar
	Band        string
	Reason      string
	Up          bool
	Next        string // title of the action to take, nothingNow, or "" where nothing was decided
	Idle        bool   // nothing is to be done now
	Loss, Value string
	Percentile  string
}

func (s *Server) runView(run *snapshot) runView {
	since := s.now().Sub(run.run.Cutoff)
	return runView{
		ID: run.run.ID, Cutoff: instant(run.run.Cutoff), Age: age(since), HorizonDays: run.run.HorizonDays,
		Model:  run.run.Model.Name + " v" + strconv.Itoa(run.run.Model.Version),
		Scored: count(len(run.byLoss)), Customers: count(len(run.rows)),
		Stale: since > s.options.StaleAfter, Hindsight: run.run.Hindsight,
	}
}

// listView answers GET / with the query band, min_value, sort, cursor and, for the words "26–50" only, after.
func (s *Server) listView(c *gin.Context) {
	ask := listing{Sort: c.Query("sort"), Band: c.Query("band"), Stage: c.Query("stage"), Action: c.Query("action")}
	if ask.Band != "" && !slices.Contains(Bands, ask.Band) || ask.Sort != "" && ask.Sort != SortLoss && ask.Sort != SortProbability {
		s.fail(c, problem(http.StatusUnprocessableEntity, "band is one of high, medium, low; sort is expected_loss or churn_probability"))
		return
	}
	if text := c.Query("min_value"); text != "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			s.pageFailure(c, errMinValue)
			return
		}
		ask.MinValue = &v
	}
	page, err := s.atRisk(ask, c.Query("cursor"), pageRows)
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	after, _ := strconv.Atoi(c.Query("after"))
	after = max(0, min(after, page.total-len(page.rows)))
	s.render(c, http.StatusOK, "list", frame{Title: "Customers at risk", RunID: page.run.run.ID, Page: s.listed(page, after)})
}

// listed is a page of the list as it is shown, after so many rows on the pages before.
func (s *Server) listed(page listPage, after int) listView {
	run, now := page.run, s.now()
	v := listView{
		Run: s.runView(run), Band: page.list.Band, Stage: page.list.Stage, Stages: slices.Sorted(maps.Keys(run.scoredStages())), Sort: page.list.Sort, Total: count(page.total),
		Action: page.list.Action, Actions: run.chosenActions(),
		Decided: run.decided != nil, Newer: s.shelf.held.Load().current != run, Filtered: !page.list.all(),
		Range: count(after+min(1, len(page.rows))) + "–" + count(after+len(page.rows)) + " of " + count(page.total),
	}
	if page.list.MinValue != nil {
		v.MinValue = amount(*page.list.MinValue)
	}
	for _, b := range run.bands {
		other := page.list
		other.Band = b.Band
		if page.list.Band == b.Band {
			other.Band = ""
		}
		view := bandView{Name: b.Band, Address: listAddress(other), Customers: count(b.Customers), Loss: unknown, Share: "0%", Per: "0%", Active: page.list.Band == b.Band}
		if b.Known > 0 {
			view.Loss = money(&b.Loss, s.options.Currency)
		}
		if n := len(run.byLoss); n > 0 {
			share := float64(b.Customers) / float64(n)
			view.Share, view.Per = cent(100*share), percent(&share)
		}
		v.Bands = append(v.Bands, view)
	}
	for _, i := range page.rows {
		v.Rows = append(v.Rows, s.rowView(run, i, now))
	}
	if page.first > 0 {
		v.First = listAddress(page.list)
	}
	if page.next != "" {
		v.Next = "/?" + url.Values{"cursor": {page.next}, "after": {strconv.Itoa(after + len(page.rows))}}.Encode()
	}
	return v
}

func (s *Server) rowView(run *snapshot, i uint32, now time.Time) rowView {
	score := run.score(i, now)
	next := run.nextTitle(i)
	row := rowView{
		ID: score.CustomerID, Address: customerPath(score.CustomerID), Next: next, Idle: next == nothingNow,
		Probability: percent(score.ChurnProbability), Width: "0%", Percentile: unknown,
		Loss: money(score.ExpectedLoss, s.options.Currency), Value: money(score.ExpectedValue, s.options.Currency),
	}
	if score.ChurnProbability != nil {
		row.Width = cent(100 * *score.ChurnProbability)
	}
	if score.Band != nil {
		row.Band = *score.Band
	}
	if score.Percentile != nil {
		row.Percentile = strconv.Itoa(*score.Percentile)
	}
	if top := models.MainReason(score.Reasons); top != nil {
		row.Reason, row.Up = top.Text, top.Contribution > 0
	}
	return row
}

// listAddress is the address of a list's first page.
func listAddress(l listing) string {
	q := url.Values{}
	if l.Band != "" {
		q.Set("band", l.Band)
	}
	if l.Stage != "" {
		q.Set("stage", l.Stage)
	}
	if l.Action != "" {
		q.Set("action", l.Action)
	}
	if l.MinValue != nil {
		q.Set("min_value", amount(*l.MinValue))
	}
	if l.Sort != "" && l.Sort != SortLoss {
		q.Set("sort", l.Sort)
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}
