package serving

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"retain/features"
	"retain/features/timeline"
	"retain/models"
)

// customerView is a customer's page.
type customerView struct {
	ID          string
	Run         runView
	Scored      bool
	Status      statusWords // when not scored
	Probability string
	Ring        string // length of the ring's arc, of 100
	Band        string
	Words       string // the probability as a frequency
	Facts       []fact
	Next        *nextView // what to do next; nil where nothing was decided
	Usage, NPS  *trendView
	Waterfall   *waterfall
	Timeline    *timelineView
}

// trendView is a sparkline with its heading.
type trendView struct {
	Name, Figure, Note string
	Chart              *sparkline // nil: there is nothing to draw
	Empty              string     // why not
}

// fact is one figure with its name and, where the name is not enough, what it is.
type fact struct{ Name, Figure, Note string }

// statusWords explains why a customer has no score.
type statusWords struct{ Title, Words string }

// statuses explains every status but scored; by status, or by status and code.
var statuses = map[string]statusWords{
	models.StatusAlreadyChurned:      {"Has left already", "This customer was alive by the churn rule once, and is not at the cutoff. There is nothing left to predict; winning back is another matter."},
	models.StatusNotEligible:         {"Not eligible", "This customer cannot be scored at this cutoff by the churn rule in use."},
	"not_eligible/tenure":            {"Too new to score", "The customer has not been here for the shortest tenure that the churn rule asks for (churn.min_tenure_days). A later run will score them."},
	"not_eligible/cancel_pending":    {"Cancellation pending", "The customer has cancelled already and the service runs out. It is no longer a question of risk."},
	"not_eligible/in_grace":          {"In grace", "A period has ended without renewal, and the grace days of the churn rule are still running. Whether the customer left shows when they are over."},
	models.StatusInsufficientHistory: {"Not enough history", "The customer is known, but was never alive by the churn rule: there is no activity, or no contract, to learn from."},
	models.StatusErased:              {"Erased", "The customer's facts were erased on request. No score is made."},
	models.StatusOptedOut:            {"Opted out", "The customer has opted out of being scored."},
}

func wordsOf(score *models.Score) statusWords {
	if score.StatusCode != nil {
		if w, ok := statuses[score.Status+"/"+*score.StatusCode]; ok {
			return w
		}
	}
	if w, ok := statuses[score.Status]; ok {
		return w
	}
	return statusWords{score.Status, "The run gives this status and no score."}
}

// customerView answers GET /customers/{id} with the query source and cursor, which are of its timeline.
func (s *Server) customerView(c *gin.Context) { s.customerPage(c, c.Param("id")) }

func (s *Server) customerPage(c *gin.Context, id string) {
	ask, err := s.askTimeline(id, c.Query("source"), c.Query("cursor"))
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	run, score := ask.run, ask.run.score(ask.row, s.now())
	v := customerView{ID: id, Run: s.runView(run), Scored: score.Status == models.StatusScored, Ring: "0"}
	if !v.Scored {
		v.Status = wordsOf(&score)
	}
	if p := score.ChurnProbability; p != nil {
		v.Probability, v.Ring = percent(p), strconv.FormatFloat(100**p, 'f', 1, 64)
		v.Words = frequency(*p, score.HorizonDays)
	}
	if score.Band != nil {
		v.Band = *score.Band
	}
	v.Facts = s.facts(&score)
	v.Next = s.nextView(c, run, id)
	v.Waterfall = newWaterfall(&score)
	if err := s.tellHistory(c.Request.Context(), ask, &v); err != nil {
		s.pageFailure(c, err)
		return
	}
	s.render(c, http.StatusOK, "customer", frame{Title: "Customer " + id, RunID: run.run.ID, Page: v})
}

// tellHistory fills in the sparklines and the timeline. Where the sources cannot be read the page says so and stands; only a cursor
// that is none is an error.
func (s *Server) tellHistory(ctx context.Context, ask timelineAsk, v *customerView) error {
	ctx, cancel := context.WithTimeout(ctx, historyPatience)
	defer cancel()
	ask.query.Limit = timelineRows
	var overview timeline.Overview
	var failure error
	var work sync.WaitGroup
	work.Go(func() { overview, failure = s.options.History.Overview(ctx, ask.query.Customer, ask.query.Cutoff) })
	events, next, err := s.events(ctx, ask)
	work.Wait()
	if errors.Is(err, errCursor) {
		return err
	}
	if failure != nil {
		s.log.ErrorContext(ctx, "customer overview cannot be read", "error", failure)
	}
	if err != nil || failure != nil {
		v.Timeline = &timelineView{Cutoff: instant(ask.query.Cutoff), Failed: true}
		return nil
	}
	v.Timeline = s.timelineView(ask, events, overview.Rows, next)
	v.Usage, v.NPS = usageTrendView(overview.Usage), npsTrendView(overview, ask.query.Cutoff)
	if len(overview.Rows) == 0 { // one card says that there is nothing, not three
		v.Usage, v.NPS = nil, nil
	}
	return nil
}

func usageTrendView(weeks []timeline.Week) *trendView {
	v := &trendView{Name: "Usage", Empty: "No use of the product is on record."}
	if v.Chart = usageSparkline(weeks); v.Chart != nil {
		v.Figure, v.Note = usageFigure(weeks)
	}
	return v
}

func npsTrendView(o timeline.Overview, cutoff time.Time) *trendView {
	v := &trendView{Name: "NPS", Empty: "Nobody has asked this customer within two years."}
	if v.Chart = npsSparkline(o.NPS, o.NPSFrom, cutoff); v.Chart != nil {
		v.Figure, v.Note = npsFigure(o.NPS)
	}
	return v
}

// frequency says a probability as people count.
func frequency(p float64, days int) string {
	horizon := " within " + strconv.Itoa(days) + " days"
	switch n := int(math.Round(100 * p)); {
	case p < 0.005:
		return "Fewer than 1 in 200 customers with such a score leave" + horizon + "."
	case p > 0.995:
		return "Nearly all customers with such a score leave" + horizon + "."
	default:
		return "About " + strconv.Itoa(n) + " in 100 customers with such a score leave" + horizon + "."
	}
}

func (s *Server) facts(score *models.Score) []fact {
	var facts []fact
	if score.Status == models.StatusScored {
		rank := unknown
		if score.Percentile != nil {
			rank = strconv.Itoa(*score.Percentile) + " of 100"
		}
		facts = append(facts,
			fact{"Value at risk", money(score.ExpectedLoss, s.options.Currency), "probability × expected value"},
			fact{"Expected value", money(score.ExpectedValue, s.options.Currency), "what the customer is still expected to bring"},
			fact{"Rank", rank, "percentile; 100 is most at risk"},
		)
	}
	if score.LoyaltyScore != nil && score.PRepeat != nil && score.PPromotes != nil {
		facts = append(facts, fact{"Loyalty", strconv.Itoa(*score.LoyaltyScore) + " of 100",
			percent(score.PRepeat) + " to repeat or renew within " + strconv.Itoa(features.LoyaltyDays) + " days, and " + percent(score.PPromotes) + " of such customers recommend or spend no less"})
	}
	if score.Stage != nil {
		facts = append(facts, fact{"Stage", capital(*score.Stage), "of the customer's lifecycle"})
	}
	return append(facts,
		fact{"Cutoff", instant(score.Cutoff), age(s.now().Sub(score.Cutoff)) + " ago; nothing later was used"},
		fact{"Horizon", strconv.Itoa(score.HorizonDays) + " days", "counted from the cutoff"},
		fact{"Model", score.Model.Name + " v" + strconv.Itoa(score.Model.Version), "scored " + instant(score.ScoredAt)},
	)
}

const mostFound = 50

// searchPage shows the customers whose id begins with what was asked.
type searchPage struct {
	Asked string
	Rows  []rowView
	More  bool // there are more than mostFound
}

// searchView answers GET /customers?id=…: straight to the customer of that id, else all whose id begins so.
func (s *Server) searchView(c *gin.Context) {
	asked := c.Query("id")
	if asked == "" {
		c.Redirect(http.StatusSeeOther, "/")
		return
	}
	run, err := s.shelf.current()
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	if _, ok := run.find(asked); ok {
		if steps(asked) {
			s.customerPage(c, asked)
			return
		}
		c.Redirect(http.StatusSeeOther, customerPath(asked))
		return
	}
	v := searchPage{Asked: asked}
	found := run.prefixed(asked, mostFound+1)
	v.More = len(found) > mostFound
	now := s.now()
	for _, i := range found[:min(len(found), mostFound)] {
		row := s.rowView(run, i, now)
		if row.Band == "" { // what stands in the bar's place
			score := run.score(i, now)
			row.Reason = wordsOf(&score).Title
		}
		v.Rows = append(v.Rows, row)
	}
	s.render(c, http.StatusOK, "search", frame{Title: "Search", Search: asked, RunID: run.run.ID, Page: v})
}

// customerPath is the address of a customer's page.
func customerPath(id string) string { return customerAddress(id, nil) }

// customerAddress is the address of a customer's page with a query. Browsers take the path segments . and .. for steps, percent-encoded
// ones too, so customers of these ids are named in the query instead.
func customerAddress(id string, q url.Values) string {
	path := "/customers/" + url.PathEscape(id)
	if steps(id) {
		named := url.Values{"id": {id}}
		for name, v := range q {
			named[name] = v
		}
		path, q = "/customers", named
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// steps tells whether an id is a step of a path to browsers.
func steps(id string) bool { return id == "." || id == ".." }
