package serving_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"retain/models/actions"
	"retain/serving"
)

// heldLog is an OutcomeLog over the decisions of a test.
type heldLog struct {
	mu        sync.Mutex
	decisions map[string]actions.Logged
	told      []actions.Recorded
	now       func() time.Time
	err       error
}

func logOf(f *heldDecisions, runID string) *heldLog {
	l := &heldLog{decisions: map[string]actions.Logged{}, now: func() time.Time { return now }}
	for _, d := range f.made {
		id := actions.DecisionID(runID, d.CustomerID)
		logged := actions.Logged{RunID: runID, DecisionID: id, CustomerID: d.CustomerID, Chosen: d.Chosen, Cutoff: cutoff, Holdout: d.Holdout}
		for _, o := range d.Options {
			logged.Actions, logged.Expires = append(logged.Actions, o.Action), append(logged.Expires, o.Expires)
		}
		l.decisions[id] = logged
	}
	return l
}

func (l *heldLog) Record(_ context.Context, reports []actions.Report, source string) ([]actions.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	var out []actions.Recorded
	for _, r := range reports {
		d, ok := l.decisions[r.Decision]
		if !ok {
			return nil, actions.ErrUnknownDecision
		}
		o, err := d.Judge(r, l.now())
		if err != nil {
			return nil, err
		}
		o.Source = source
		made := actions.Recorded{Outcome: o, DecisionID: d.DecisionID, CustomerID: d.CustomerID, RunID: d.RunID, IngestedAt: l.now()}
		for _, t := range l.told {
			if t.DecisionID == made.DecisionID && t.Outcome.Outcome == o.Outcome {
				made.Duplicate = true
			}
		}
		out = append(out, made)
	}
	l.told = append(l.told, out...)
	return out, nil
}

func (l *heldLog) OfRun(_ context.Context, runID string, since time.Time) ([]actions.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	touched, latest := map[string]bool{}, map[string]actions.Recorded{}
	var order []string
	for _, r := range l.told {
		if r.RunID != runID || r.Duplicate {
			continue
		}
		touched[r.DecisionID] = touched[r.DecisionID] || !r.IngestedAt.Before(since)
		key := r.DecisionID + r.Outcome.Outcome
		if _, known := latest[key]; !known {
			order = append(order, key)
		}
		latest[key] = r
	}
	var out []actions.Recorded
	for _, key := range order {
		if r := latest[key]; touched[r.DecisionID] {
			out = append(out, r)
		}
	}
	return out, nil
}

// acting is a service over decisions whose outcomes can be told, with a key that may tell.
func acting(t *testing.T) (s *service, log *heldLog, teller string) {
	t.Helper()
	decisions := decide(t, hamlet())
	log = logOf(decisions, "r1")
	s = start(t, func(o *serving.Options) { o.Decisions, o.Outcomes = decisions, log })
	s.runs.set("r1", cutoff, hamlet())
	_, teller = s.keys.add(nil, serving.ScopeScoresRead, serving.ScopeActionsWrite)
	s.refresh()
	return s, log, teller
}

func (s *service) tell(token, decision, body string) *httptest.ResponseRecorder {
	return s.call(http.MethodPost, "/v1/decisions/"+decision+"/outcomes", token, strings.NewReader(body), "Content-Type", "application/json")
}

func TestOutcomesOverHTTP(t *testing.T) {
	s, log, teller := acting(t)
	id := actions.DecisionID("r1", "a")
	for _, x := range []struct {
		body              string
		status            int
		recorded, doubles int
	}{
		{`{"outcome":"accepted","at":"2026-03-01T04:00:00Z"}`, http.StatusCreated, 1, 0},
		{`{"outcome":"accepted","at":"2026-03-01T04:00:00Z"}`, http.StatusOK, 0, 1},
		{`{"outcomes":[{"outcome":"shown","at":"2026-03-01T03:00:00Z","customer_id":"a"},{"outcome":"accepted"}]}`, http.StatusCreated, 1, 1},
	} {
		w := s.tell(teller, id, x.body)
		var got struct {
			DecisionID string `json:"decision_id"`
			Recorded   int    `json:"recorded"`
			Duplicates int    `json:"duplicates"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != x.status || got.Recorded != x.recorded || got.Duplicates != x.doubles || got.DecisionID != id {
			t.Errorf("%s: %d %s", x.body, w.Code, w.Body)
		}
	}
	// It is there at once, without a refresh, and after another process has told more.
	answer := func() (words string) {
		for _, o := range decode[actions.Answer](t, s.get("/v1/customers/a/next-best-actions")).Outcomes {
			words += o.Outcome + " by " + o.Source + ", "
		}
		return words
	}
	if got := answer(); got != "shown by api, accepted by api, " {
		t.Errorf("outcomes %q", got)
	}
	if _, err := log.Record(t.Context(), []actions.Report{{Decision: id, Outcome: "saved", At: now}}, "import"); err != nil {
		t.Fatal(err)
	}
	s.refresh()
	if got := answer(); got != "shown by api, accepted by api, saved by import, " {
		t.Errorf("outcomes after a refresh %q", got)
	}

	many := `{"outcomes":[` + strings.TrimSuffix(strings.Repeat(`{"outcome":"shown"},`, 101), ",") + `]}`
	for body, status := range map[string]int{
		`{"outcome":"accepted","action":"voucher"}`:               http.StatusConflict,
		`{"outcome":"accepted","customer_id":"b"}`:                http.StatusConflict,
		`{"outcome":"accepted","at":"2026-02-01T00:00:00Z"}`:      http.StatusConflict,
		`{"outcome":"accepted","at":"2027-02-01T00:00:00Z"}`:      http.StatusConflict,
		`{"outcome":"accepted","at":"0001-01-01T00:00:00Z"}`:      http.StatusConflict, // told, and not left out
		`{"outcome":"accepted","at":"yesterday"}`:                 http.StatusUnprocessableEntity,
		`{"outcome":"sold"}`:                                      http.StatusUnprocessableEntity,
		`{"outcome":"shown","outcomes":[{"outcome":"accepted"}]}`: http.StatusUnprocessableEntity,
		`{"at":"2026-03-01T04:00:00Z"}`:                           http.StatusUnprocessableEntity,
		`{"outcome":"shown","why":"because"}`:                     http.StatusUnprocessableEntity,
		`{}`:                                                      http.StatusUnprocessableEntity,
		`[]`:                                                      http.StatusUnprocessableEntity,
		`{"outcome"`:                                              http.StatusBadRequest,
		many:                                                      http.StatusUnprocessableEntity,
		`{"action":"` + strings.Repeat("x", 70_000) + `"}`:        http.StatusRequestEntityTooLarge,
	} {
		if w := s.tell(teller, id, body); w.Code != status {
			t.Errorf("%.60s: %d, want %d: %s", body, w.Code, status, w.Body)
		} else {
			wantProblem(t, w, status)
		}
	}
	wantProblem(t, s.tell(teller, "nosuch", `{"outcome":"shown"}`), http.StatusNotFound)
	wantProblem(t, s.tell(s.reader, id, `{"outcome":"shown"}`), http.StatusForbidden)
	wantProblem(t, s.tell("", id, `{"outcome":"shown"}`), http.StatusUnauthorized)
	log.err = fmt.Errorf("the disk of customer a is gone")
	w := s.tell(teller, id, `{"outcome":"shown"}`)
	if p := wantProblem(t, w, http.StatusInternalServerError); strings.Contains(p.Detail, "disk") {
		t.Errorf("the caller learns %q", p.Detail)
	}
	told := false
	for line := range strings.Lines(s.log.String()) {
		told = told || strings.Contains(line, `"msg":"request failed"`) && strings.Contains(line, "the disk of") && strings.Contains(line, w.Header().Get("X-Request-Id"))
	}
	if !told {
		t.Error("the log does not have the cause under the request id")
	}
	if strings.Contains(s.log.String(), `customer_id`) {
		t.Error("the log has customers")
	}
	bare := start(t, func(o *serving.Options) { o.Decisions = decide(t, hamlet()) })
	_, token := bare.keys.add(nil, serving.ScopeActionsWrite)
	wantProblem(t, bare.tell(token, id, `{"outcome":"shown"}`), http.StatusServiceUnavailable)
}

// TestOutcomeForm presses the buttons of a customer's page.
func TestOutcomeForm(t *testing.T) {
	s, log, teller := acting(t)
	cookie := func(token string) *http.Cookie {
		w := s.call(http.MethodPost, "/signin", "", strings.NewReader("key="+token), "Content-Type", "application/x-www-form-urlencoded")
		return w.Result().Cookies()[0]
	}
	session, readers := cookie(teller), cookie(s.reader)
	page := s.page("/customers/a", session).Body.String()
	id := actions.DecisionID("r1", "a")
	for _, want := range []string{`action="/outcomes"`, `value="` + id + `"`, `value="accepted">Accepted<`, `value="rejected">Rejected<`, `value="ignored">No answer<`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(s.page("/customers/a", readers).Body.String(), `action="/outcomes"`) {
		t.Error("a key that may not tell has the form")
	}
	if strings.Contains(s.page("/customers/d", session).Body.String(), `action="/outcomes"`) {
		t.Error("of nothing there is nothing to tell")
	}
	send := func(cookie *http.Cookie, form url.Values, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/outcomes", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		for k := 0; k < len(headers); k += 2 {
			r.Header.Set(headers[k], headers[k+1])
		}
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		return w
	}
	form := func(outcome string) url.Values {
		return url.Values{"decision": {id}, "customer": {"a"}, "outcome": {outcome}}
	}
	if w := send(session, form("accepted"), "Sec-Fetch-Site", "cross-site"); w.Code == http.StatusSeeOther && w.Header().Get("Location") == "/customers/a#next" || len(log.told) > 0 {
		t.Fatalf("another site told: %d", w.Code)
	}
	session = cookie(teller) // the refused request ended nothing, but a browser would begin anew
	for _, outcome := range []string{"shown", "accepted", "accepted", "rejected"} {
		s.pass(time.Minute)
		at := *s.clock.Load()
		log.now = func() time.Time { return at }
		if w := send(session, form(outcome)); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/customers/a#next" {
			t.Fatalf("%s: %d %s", outcome, w.Code, w.Body)
		}
	}
	page = s.page("/customers/a", session).Body.String()
	for _, want := range []string{"<b>Accepted</b>", "<b>Rejected</b>", "told here", "It came otherwise?", `value="accepted">Accepted<`} {
		if !strings.Contains(page, want) {
			t.Errorf("afterwards the page lacks %s", want)
		}
	}
	if strings.Contains(page, `value="rejected">`) || strings.Contains(page, `value="shown">`) {
		t.Error("what was told last can be told again")
	}
	if w := send(readers, form("accepted")); w.Code != http.StatusForbidden {
		t.Errorf("a reader told: %d", w.Code)
	}
	for name, bad := range map[string]url.Values{"no outcome": {"decision": {id}, "customer": {"a"}}, "no decision": {"customer": {"a"}, "outcome": {"shown"}}} {
		if w := send(session, bad); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := send(session, url.Values{"decision": {"nosuch"}, "customer": {"a"}, "outcome": {"shown"}}); w.Code != http.StatusNotFound {
		t.Errorf("an unknown decision: %d", w.Code)
	}
}

func TestNextBestActionsInContext(t *testing.T) {
	s, _, _ := acting(t)
	post := func(id, body string) *httptest.ResponseRecorder {
		return s.call(http.MethodPost, "/v1/customers/"+id+"/next-best-actions", s.reader, strings.NewReader(body), "Content-Type", "application/json")
	}
	plain := decode[actions.Answer](t, post("a", `{"max_results":25}`))
	if got := decode[actions.Answer](t, s.get("/v1/customers/a/next-best-actions?max_results=25")); fmt.Sprint(got) != fmt.Sprint(plain) && got.Chosen != plain.Chosen {
		t.Error("without a context POST answers as GET does")
	}
	narrowed := decode[actions.Answer](t, post("a", `{"max_results":25,"context":{"exclude_actions":["`+plain.Chosen+`"]}}`))
	var sum float64
	for _, p := range narrowed.Actions {
		if p.Action == plain.Chosen {
			t.Errorf("%s is still listed", p.Action)
		}
		sum += p.Propensity
	}
	if narrowed.Chosen == plain.Chosen || narrowed.Explored || sum < .999 || sum > 1.001 || narrowed.DecisionID != plain.DecisionID {
		t.Errorf("narrowed: %+v", narrowed)
	}
	ticket := decode[actions.Answer](t, post("d", `{"context":{"open_ticket_channel":"chat"}}`)) // held out
	if !ticket.Holdout || ticket.Chosen != "answer_ticket" || ticket.Actions[0].Channel != "chat" || ticket.Actions[0].Propensity != 1 || ticket.Actions[1].Action != actions.DoNothing {
		t.Errorf("a held-out customer with a ticket: %+v", ticket)
	}
	for body, status := range map[string]int{
		`{"max_results":0}`: http.StatusUnprocessableEntity, `{"max_results":26}`: http.StatusUnprocessableEntity, `{"context":{"exclude_actions":["nix"]}}`: http.StatusUnprocessableEntity,
		`{"context":{"unreachable_channels":["fax"]}}`: http.StatusUnprocessableEntity, `{"contxt":{}}`: http.StatusUnprocessableEntity, ``: http.StatusBadRequest,
	} {
		wantProblem(t, post("a", body), status)
	}
	wantProblem(t, post("nobody", `{}`), http.StatusNotFound)
}

// segments is a SegmentReader over a table.
type segments map[string][]string

func (f segments) Segment(_ context.Context, segment string, _ time.Time) (map[string]bool, error) {
	in := map[string]bool{}
	for _, id := range f[segment] {
		in[id] = true
	}
	return in, nil
}

func TestPlanOverHTTP(t *testing.T) {
	customers := town(400, 3)
	decisions := decide(t, customers)
	s := start(t, func(o *serving.Options) {
		o.Decisions, o.Segments = decisions, segments{"smb": {customers[0].CustomerID, customers[1].CustomerID}}
	})
	s.runs.set("r1", cutoff, customers)
	s.refresh()
	type page struct {
		actions.BudgetPlan
		Items      []actions.Planned `json:"items"`
		NextCursor *string           `json:"next_cursor"`
		RunID      string            `json:"run_id"`
	}
	post := func(body string) *httptest.ResponseRecorder {
		return s.call(http.MethodPost, "/v1/actions/plan", s.reader, strings.NewReader(body), "Content-Type", "application/json")
	}
	whole := decode[page](t, post(`{"budget":120,"limit":1000}`))
	if whole.Customers != 400 || whole.Assigned == 0 || whole.Cost > 120 || whole.Bound < whole.Expected || whole.Gap > .02 || whole.RunID != "r1" || whole.NextCursor != nil || len(whole.Items) != whole.Assigned+whole.Duties {
		t.Fatalf("%+v", whole.BudgetPlan)
	}
	var cost float64
	seen := map[string]bool{}
	for _, x := range whole.Items {
		cost += x.Cost
		if seen[x.CustomerID] || x.DecisionID != actions.DecisionID("r1", x.CustomerID) {
			t.Errorf("%+v", x)
		}
		seen[x.CustomerID] = true
	}
	if d := cost - whole.Cost; d > 1e-6 || d < -1e-6 {
		t.Errorf("the items cost %v, the plan says %v", cost, whole.Cost)
	}
	// Pages are those of one plan, and go on when another run is in force.
	var paged []actions.Planned
	cursor := ""
	for range 1000 {
		p := decode[page](t, post(fmt.Sprintf(`{"budget":120,"limit":7,"cursor":%q}`, cursor)))
		paged = append(paged, p.Items...)
		if len(paged) == 7 {
			s.runs.set("r2", cutoff.Add(24*time.Hour), customers)
			s.refresh()
		}
		if p.NextCursor == nil {
			break
		}
		cursor = *p.NextCursor
	}
	if fmt.Sprint(paged) != fmt.Sprint(whole.Items) {
		t.Errorf("%d customers in pages, %d at once", len(paged), len(whole.Items))
	}
	if small := decode[page](t, post(`{"segment":"smb"}`)); small.Customers != 2 || small.Budget != nil {
		t.Errorf("a segment of two: %+v", small.BudgetPlan)
	}
	if high := decode[page](t, post(`{"band":"high","capacities":{"check_in":1,"save_call":-1}}`)); high.Customers == 0 || high.Customers >= 400 {
		t.Errorf("a band: %+v", high.BudgetPlan)
	} else {
		for _, a := range high.Actions {
			if a.Action == "check_in" && a.Customers > 1 {
				t.Errorf("%+v", a)
			}
		}
	}
	if none := decode[page](t, post(`{"stage":"loyalty"}`)); none.Customers != 0 || none.Items == nil || none.Actions == nil {
		t.Errorf("nobody: %+v", none)
	}
	for body, want := range map[string]string{`{"budget":-1}`: "", `{"limit":1001}`: "", `{"capacities":{"nix":1}}`: "no such action", `{"capacities":{"perk":-2}}`: "-1 for no limit", `{"band":"huge"}`: "",
		`{"cursor":"zzz"}`: "cursor", `{"budget":1,"cursor":"` + cursor + `"}`: "none of this plan", `{"money":1}`: ""} {
		if p := wantProblem(t, post(body), http.StatusUnprocessableEntity); !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %q", body, p.Detail)
		}
	}
}
