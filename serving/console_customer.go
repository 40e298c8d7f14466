package serving

import (
	"math"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

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
	Waterfall   *waterfall
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

// customerView answers GET /customers/{id}.
func (s *Server) customerView(c *gin.Context) {
	id := c.Param("id")
	run, score, err := s.scoreOf(id)
	if err != nil {
		s.pageFailure(c, err)
		return
	}
	v := customerView{ID: score.CustomerID, Run: s.runView(run), Scored: score.Status == models.StatusScored, Ring: "0"}
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
	v.Waterfall = newWaterfall(&score)
	s.render(c, http.StatusOK, "customer", frame{Title: "Customer " + score.CustomerID, RunID: run.run.ID, Page: v})
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
