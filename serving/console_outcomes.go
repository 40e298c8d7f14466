package serving

import (
	"errors"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"retain/models/actions"
)

// tellView is the form that tells what came of the chosen action, and what was told.
type tellView struct {
	Customer, Decision string
	May                bool         // the key may tell
	Response           *toldView    // the latest answer of the customer; nil while there is none
	Told               []toldView   // all that came of it, by time
	Choices            []choiceView // what can be told now
}

// toldView is one outcome.
type toldView struct {
	Words string // accepted
	Tone  string // good, bad or ""
	At    string
	Stamp string
	Notes string // late, another action, who told
	Past  bool   // an answer that another one has replaced
}

// choiceView is something to choose, with its words.
type choiceView struct{ ID, Words string }

// outcomeWords says outcomes as a page does.
var outcomeWords = map[string]string{
	actions.OutcomeShown:     "Reached the customer",
	actions.OutcomeAccepted:  "Accepted",
	actions.OutcomeRejected:  "Rejected",
	actions.OutcomeIgnored:   "No answer",
	actions.OutcomeConverted: "Bought",
	actions.OutcomeSaved:     "Stayed after all",
}

var outcomeTones = map[string]string{actions.OutcomeAccepted: "good", actions.OutcomeConverted: "good", actions.OutcomeSaved: "good", actions.OutcomeRejected: "bad"}

// tellView is the form of a decision. Of nothing there is nothing to tell.
func (s *Server) tellView(c *gin.Context, a *actions.Answer) *tellView {
	key, _ := keyOf(c)
	v := &tellView{Customer: a.CustomerID, Decision: a.DecisionID, May: s.outcomes.log != nil && key.Allows(ScopeActionsWrite)}
	response, answered := actions.Response(a.Outcomes)
	for _, o := range a.Outcomes {
		told := s.toldView(o, a.Chosen)
		v.Told = append(v.Told, told)
		if answered && o == response {
			v.Response = &told
		} else if slices.Contains(actions.Responses, o.Outcome) {
			v.Told[len(v.Told)-1].Past = true
		}
	}
	if a.Chosen == actions.DoNothing {
		v.May = false
	}
	if !v.May && len(v.Told) == 0 {
		return nil
	}
	for _, kind := range []string{actions.OutcomeShown, actions.OutcomeAccepted, actions.OutcomeRejected, actions.OutcomeIgnored} {
		known := slices.ContainsFunc(a.Outcomes, func(o actions.Outcome) bool { return o.Outcome == kind && o.Action == a.Chosen })
		if known && (kind == actions.OutcomeShown || answered && response.Outcome == kind) {
			continue
		}
		v.Choices = append(v.Choices, choiceView{kind, outcomeWords[kind]})
	}
	return v
}

func (s *Server) toldView(o actions.Outcome, chosen string) toldView {
	v := toldView{Words: outcomeWords[o.Outcome], Tone: outcomeTones[o.Outcome], At: instant(o.At), Stamp: o.At.UTC().Format(time.RFC3339)}
	if v.Words == "" {
		v.Words = capital(o.Outcome)
	}
	v.Notes = map[string]string{toldByConsole: "told here", toldByAPI: "told over the API"}[o.Source]
	if v.Notes == "" {
		v.Notes = "from " + o.Source
	}
	if o.Late {
		v.Notes = "after the action had expired, " + v.Notes
	}
	if o.Action != chosen {
		v.Notes = "of " + spaced(o.Action) + ", " + v.Notes
	}
	return v
}

// tellOutcome answers POST /outcomes, the form of the customer's page, and goes back there. A session's request from another site is refused
// before it comes here.
func (s *Server) tellOutcome(c *gin.Context) {
	if kind, _, err := mime.ParseMediaType(c.GetHeader("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		s.fail(c, problem(http.StatusUnsupportedMediaType, "send the form as application/x-www-form-urlencoded"))
		return
	}
	if err := c.Request.ParseForm(); err != nil {
		if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
			s.fail(c, problem(http.StatusRequestEntityTooLarge, "the form is too large"))
			return
		}
		s.fail(c, problem(http.StatusUnprocessableEntity, "the form cannot be read"))
		return
	}
	form := c.Request.PostForm
	told := actions.Report{Decision: form.Get("decision"), Customer: form.Get("customer"), Outcome: form.Get("outcome")}
	if told.Decision == "" || told.Customer == "" || !slices.Contains(actions.Outcomes, told.Outcome) {
		s.fail(c, problem(http.StatusUnprocessableEntity, "the form lacks its decision, its customer or an outcome that is known"))
		return
	}
	// A response replaces another one by being later, so that one that was told before is told again with its own time.
	if slices.Contains(actions.Responses, told.Outcome) {
		told.At = s.now()
		if before, ok := actions.Response(s.outcomes.outcomes(told.Decision)); ok && before.Outcome == told.Outcome {
			told.At = time.Time{} // pressed twice
		}
	}
	if _, err := s.record(c.Request.Context(), []actions.Report{told}, toldByConsole); err != nil {
		s.pageFailure(c, err)
		return
	}
	c.Redirect(http.StatusSeeOther, customerPath(told.Customer)+"#next")
}
