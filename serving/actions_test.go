package serving_test

import (
	"context"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/models"
	"retain/models/actions"
	"retain/serving"
)

// heldDecisions is a DecisionReader over what the test holds.
type heldDecisions struct {
	shared *actions.Deciding
	made   []actions.Decision
	err    error
}

func (f *heldDecisions) Decisions(_ context.Context, runID string) (*actions.Deciding, iter.Seq2[actions.Decision, error], error) {
	if f.err != nil {
		return nil, nil, f.err
	}
	f.shared.RunID = runID
	return f.shared, func(yield func(actions.Decision, error) bool) {
		for _, d := range f.made {
			if !yield(d, nil) {
				return
			}
		}
	}, nil
}

// decide makes a plausible decision for everyone: a call or nothing for the scored, nothing for the others.
func decide(t *testing.T, scores []models.Score) *heldDecisions {
	t.Helper()
	e, err := actions.Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Catalogue
	f := &heldDecisions{shared: &actions.Deciding{Cutoff: cutoff, Policy: "0123456789abcdef", Explore: true, Share: .2, Catalogue: c}}
	for k, s := range scores {
		value := math.NaN()
		if s.ExpectedValue != nil {
			value = *s.ExpectedValue
		}
		d := actions.Decision{CustomerID: s.CustomerID, Chosen: actions.DoNothing, Value: value, Pressure: .5, Holdout: k%4 == 3}
		possible := []string{actions.DoNothing}
		if s.Status == models.StatusScored && !d.Holdout {
			possible = append(possible, "save_call", "check_in", "survey")
			d.Chosen = "check_in"
		}
		for i := range c.Actions {
			id := c.Actions[i].ID
			switch {
			case !strings.Contains(strings.Join(possible, " "), id):
				d.Suppressed = append(d.Suppressed, actions.Suppressed{Action: id, Reason: "rule: it does not hold"})
			case id == actions.DoNothing:
				d.Options = append(d.Options, actions.Option{Action: id, Channel: c.Actions[i].Channel, Source: actions.SourcePrior, Terms: c.Terms(i, value, .5), Propensity: 1 / float64(len(possible))})
			default:
				d.Options = append(d.Options, actions.Option{Action: id, Channel: c.Actions[i].Channel, Source: actions.SourcePrior, Terms: c.Terms(i, value, .5),
					Propensity: 1 / float64(len(possible)), Moment: cutoff.Add(10 * time.Hour), Expires: cutoff.Add(178 * time.Hour)})
			}
		}
		f.made = append(f.made, d)
	}
	return f
}

func TestNextBestActions(t *testing.T) {
	decisions := decide(t, hamlet())
	s := start(t, func(o *serving.Options) { o.Decisions = decisions })
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()

	// What comes back is what the log holds, told by the same code as in the terminal.
	score := decode[models.Score](t, s.get("/v1/customers/a/score"))
	want := decisions.shared.Answer(&decisions.made[0], &score)
	got := decode[actions.Answer](t, s.get("/v1/customers/a/next-best-actions?max_results=25"))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("answer (-logged +served):\n%s", d)
	}

	// b is worth 100: a call costs more than it wins, and so comes after nothing.
	for query, ids := range map[string]string{
		"":               "check_in survey do_nothing",
		"?max_results=1": "check_in do_nothing",
		"?max_results=4": "check_in survey do_nothing save_call",
	} {
		a := decode[actions.Answer](t, s.get("/v1/customers/b/next-best-actions"+query))
		var listed []string
		for _, p := range a.Actions {
			listed = append(listed, p.Action)
			if !(p.Propensity > 0) {
				t.Errorf("%s has no propensity", p.Action)
			}
		}
		if got := strings.Join(listed, " "); got != ids {
			t.Errorf("%q lists %s, want %s", query, got, ids)
		}
	}

	for id, want := range map[string]actions.Answer{"gone": {Unit: actions.UnitCustomers}, "new": {Unit: actions.UnitCustomers}, "d": {Unit: actions.UnitMoney, Holdout: true}} {
		a := decode[actions.Answer](t, s.get("/v1/customers/"+id+"/next-best-actions"))
		if a.Chosen != actions.DoNothing || len(a.Actions) != 1 || a.Actions[0].Priority != 0 || a.Unit != want.Unit || a.Holdout != want.Holdout || len(a.Suppressed) < 19 {
			t.Errorf("%s: %+v", id, a)
		}
	}
	explained := s.get("/v1/customers/a/next-best-actions?explain=true").Body.String()
	if !strings.Contains(explained, `"explanation":["risk up: last purchase 77 days ago"`) {
		t.Errorf("explain: %s", explained)
	}
	if plain := s.get("/v1/customers/c/next-best-actions").Body.String(); strings.Contains(plain, "explanation") || !strings.Contains(plain, `"value":null`) {
		t.Errorf("no value, no explanation: %s", plain)
	}

	wantProblem(t, s.get("/v1/customers/nobody/next-best-actions"), http.StatusNotFound)
	for _, query := range []string{"?max_results=0", "?max_results=26", "?max_results=many", "?explain=perhaps"} {
		wantProblem(t, s.get("/v1/customers/a/next-best-actions"+query), http.StatusUnprocessableEntity)
	}
	wantProblem(t, s.call(http.MethodGet, "/v1/customers/a/next-best-actions", "", nil), http.StatusUnauthorized)
	_, other := s.keys.add(nil, serving.ScopeMetrics)
	s.refresh()
	wantProblem(t, s.call(http.MethodGet, "/v1/customers/a/next-best-actions", other, nil), http.StatusForbidden)
}

func TestRunWithoutDecisions(t *testing.T) {
	s := start(t, func(o *serving.Options) { o.Decisions = &heldDecisions{err: serving.ErrNoDecisions} })
	s.runs.set("r1", cutoff, hamlet())
	s.refresh()
	p := wantProblem(t, s.get("/v1/customers/a/next-best-actions"), http.StatusServiceUnavailable)
	if !strings.Contains(p.Detail, "retain score") {
		t.Errorf("detail %q does not say how to mend it", p.Detail)
	}
	decode[models.Score](t, s.get("/v1/customers/a/score")) // scores are served all the same
}

// A run whose decisions are not those of its scores is not served.
func TestDecisionsOfAnotherRun(t *testing.T) {
	for name, change := range map[string]func(f *heldDecisions){
		"one too few":    func(f *heldDecisions) { f.made = f.made[1:] },
		"one twice":      func(f *heldDecisions) { f.made = append(f.made, f.made[0]) },
		"a stranger":     func(f *heldDecisions) { f.made[0].CustomerID = "stranger" },
		"cannot be read": func(f *heldDecisions) { f.err = fmt.Errorf("the disk is gone") },
	} {
		decisions := decide(t, hamlet())
		change(decisions)
		s := start(t, func(o *serving.Options) { o.Decisions = decisions })
		s.runs.set("r1", cutoff, hamlet())
		if err := s.Refresh(t.Context()); err == nil {
			t.Errorf("%s: loaded", name)
		}
		wantProblem(t, s.get("/v1/customers/a/score"), http.StatusServiceUnavailable)
	}
}

// The list can be narrowed to those who should get an action.
func TestAtRiskByAction(t *testing.T) {
	customers := town(200, 5)
	decisions := decide(t, customers)
	s := start(t, func(o *serving.Options) { o.Decisions = decisions })
	s.runs.set("r1", cutoff, customers)
	s.refresh()
	want := map[string]bool{}
	for k, d := range decisions.made {
		if d.Chosen == "check_in" && customers[k].Status == models.StatusScored {
			want[d.CustomerID] = true
		}
	}
	got, cursor := map[string]bool{}, ""
	for range 100 {
		p := decode[struct {
			Items      []models.Score `json:"items"`
			NextCursor *string        `json:"next_cursor"`
			Total      int            `json:"total"`
		}](t, s.get("/v1/at-risk?action=check_in&limit=7&cursor="+cursor))
		if p.Total != len(want) {
			t.Fatalf("total %d, want %d", p.Total, len(want))
		}
		for _, c := range p.Items {
			got[c.CustomerID] = true
		}
		if p.NextCursor == nil {
			break
		}
		cursor = *p.NextCursor
	}
	if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
		t.Errorf("those who should get a check_in (-decided +listed):\n%s", d)
	}
	if none := s.get("/v1/at-risk?action=voucher").Body.String(); !strings.Contains(none, `"total":0`) {
		t.Errorf("nobody gets a voucher: %s", none)
	}
	wantProblem(t, s.get("/v1/at-risk?action=check_in&cursor="+decode[struct {
		NextCursor string `json:"next_cursor"`
	}](t, s.get("/v1/at-risk?action=do_nothing&limit=1")).NextCursor), http.StatusUnprocessableEntity)
	page := s.page("/?action=check_in", s.session()).Body.String()
	if !strings.Contains(page, `<option value="check_in" selected>Ask by e-mail what has changed</option>`) || !strings.Contains(page, `<option value="do_nothing">Nothing now</option>`) {
		t.Error("the page does not offer the actions, or forgets which was chosen")
	}
}
