package serving

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"retain/models/actions"
)

// certain is the chance from which an action is told as 100 %.
const certain = .9995

// nextView is what to do next for a customer.
type nextView struct {
	Nothing    bool   // to do nothing was chosen
	Because    string // why nothing, where that can be told
	Held       bool   // in the control group
	Explored   bool   // drawn, to learn what works
	Chosen     proposalView
	Others     []proposalView // the rest that is possible, by falling priority
	Suppressed []suppressedView
	Unit       string    // of priorities, in words
	Tell       *tellView // what came of it; nil where nothing can be told
}

// proposalView is an action that is possible.
type proposalView struct {
	Title, Channel string
	When, Until    string
	WhenStamp      string
	Message        string
	Priority       string // what it is worth, with its sign
	Gain           string // the uplift in points
	Chance         string // the propensity
	Terms          []termView
}

// termView is one term of a priority.
type termView struct{ Name, Figure, Note string }

type suppressedView struct{ Title, Reason string }

// nextTitle is the title of the action that was chosen for row i; "" where none was decided, nothingNow for do_nothing.
func (s *snapshot) nextTitle(i uint32) string {
	if s.decided == nil {
		return ""
	}
	chosen := s.decided.words[s.decided.rows[i].chosen]
	if chosen == actions.DoNothing {
		return nothingNow
	}
	return s.actionTitle(chosen)
}

// chosenActions are the actions that were chosen for scored customers, by title, nothing last.
func (s *snapshot) chosenActions() []choiceView {
	if s.decided == nil {
		return nil
	}
	seen := make([]bool, len(s.decided.words))
	for _, i := range s.byLoss {
		seen[s.decided.rows[i].chosen] = true
	}
	var list []choiceView
	for k, id := range s.decided.words {
		if seen[k] && id != actions.DoNothing {
			list = append(list, choiceView{id, s.actionTitle(id)})
		}
	}
	slices.SortFunc(list, func(a, b choiceView) int { return strings.Compare(a.Words, b.Words) })
	if k := slices.Index(s.decided.words, actions.DoNothing); k >= 0 && seen[k] {
		list = append(list, choiceView{actions.DoNothing, capital(nothingNow)})
	}
	return list
}

// actionTitle is the title of an action in the catalogue that the run was decided with.
func (s *snapshot) actionTitle(id string) string {
	if k := s.decided.shared.Catalogue.Index(id); k >= 0 {
		return s.decided.shared.Catalogue.Actions[k].Title
	}
	return capital(spaced(id))
}

const nothingNow = "nothing now"

// nextView tells the decision of a customer; nil where there is none.
func (s *Server) nextView(c *gin.Context, run *snapshot, id string) *nextView {
	a, ok := s.decision(run, id)
	if !ok {
		return nil
	}
	v := &nextView{Held: a.Holdout, Unit: "expected gain in " + s.options.Currency}
	if a.Unit == actions.UnitCustomers {
		v.Unit = "expected customers kept; costs are left out, because no value is known"
	} else if s.options.Currency == "" {
		v.Unit = "expected gain"
	}
	v.Tell = s.tellView(c, &a)
	for k := range a.Actions {
		p := s.proposalView(&a.Actions[k], a.Unit)
		if a.Actions[k].Action == a.Chosen {
			v.Chosen, v.Nothing = p, a.Chosen == actions.DoNothing
			v.Explored = a.Explored && a.Actions[k].Propensity < certain // what is certain, such as the answer to a ticket, was not drawn
		} else {
			v.Others = append(v.Others, p)
		}
	}
	positive := slices.ContainsFunc(a.Actions, func(p actions.Proposal) bool { return p.Priority > 0 })
	switch {
	case !v.Nothing:
	case a.Holdout:
		v.Because = "This customer is in this quarter’s control group: no marketing and no help that was not asked for, so that the effect on the others can be measured."
	case len(v.Others) == 0:
		v.Because = "No action of the catalogue is possible now; the reasons stand below."
	case !positive:
		v.Because = "No action that is possible is expected to bring more than it costs."
	}
	for _, x := range a.Suppressed {
		v.Suppressed = append(v.Suppressed, suppressedView{run.actionTitle(x.Action), x.Reason})
	}
	return v
}

func (s *Server) proposalView(p *actions.Proposal, unit string) proposalView {
	v := proposalView{Title: p.Title, Chance: percent(&p.Propensity), Message: p.Message}
	if p.Action == actions.DoNothing {
		v.Priority = "0"
		return v
	}
	v.Channel, v.Gain = channelName(p.Channel), points(p.Uplift)
	if p.Moment != nil {
		v.When, v.WhenStamp = p.Moment.UTC().Format("Monday, 2 January 2006, 15:04 UTC"), p.Moment.UTC().Format(time.RFC3339)
	}
	if p.ExpiresAt != nil {
		v.Until = instant(*p.ExpiresAt)
	}
	source := p.UpliftSource
	if source == "prior" {
		source = "assumed beforehand, nothing is learned yet"
	}
	v.Terms = append(v.Terms, termView{"Chance to stay", v.Gain, source})
	if unit == actions.UnitCustomers {
		v.Priority = points(p.Priority)
		v.Terms = append(v.Terms, termView{"Fatigue", points(-p.Fatigue), "from contacts so far"})
		return v
	}
	v.Priority = gain(p.Priority, s.options.Currency)
	if p.Value != nil {
		v.Terms = append(v.Terms, termView{"Value", money(p.Value, s.options.Currency), "what the customer is worth" + lever(p.Lever)})
	}
	accepted := p.PAccept * p.Incentive
	for _, t := range []struct {
		name string
		cost float64
		note string
	}{
		{"Contact", p.ContactCost, "cost of reaching out"},
		{"Incentive", accepted, money(&p.Incentive, s.options.Currency) + " if accepted, " + percent(&p.PAccept)},
		{"Fatigue", p.Fatigue, "from contacts so far"},
	} {
		if t.cost != 0 {
			v.Terms = append(v.Terms, termView{t.name, gain(-t.cost, s.options.Currency), t.note})
		}
	}
	return v
}

// lever tells how much of the value an action moves, where that is not just all of it.
func lever(v float64) string {
	if v == 0 || v == 1 {
		return ""
	}
	return ", × " + strconv.FormatFloat(v, 'g', 3, 64)
}

// points writes a change of a probability: +2.1 points.
func points(v float64) string {
	sign, size := "+", 100*v
	if v < 0 {
		sign, size = "−", -size
	}
	digits := 1
	if size < 1 && size > 0 {
		digits = 2
	}
	return sign + strconv.FormatFloat(size, 'f', digits, 64) + " points"
}

// gain writes an amount with its sign.
func gain(v float64, currency string) string {
	if v > 0 {
		return "+" + money(&v, currency)
	}
	return money(&v, currency)
}
