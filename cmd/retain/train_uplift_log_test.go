package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/training"
	"retain/training/metrics"
)

const logCatalogue = `version: 1
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: call, title: Call, channel: phone, class: service, proactive: true, message: Call, prior: {mean: 0.03, sd: 0.03}, subgroups: [{name: small, rule: f.subscription_seats_max <= 10}]}
  - {id: mail, title: Mail, channel: email, class: marketing, message: Mail, prior: {mean: 0.01, sd: 0.01}}
`

// loggedWorld is a programme with a log, written out customer by customer. A label looks at 90 days from the decision on, the first 20 of them being the gap.
type loggedWorld struct {
	customers []*loggedCustomer
	runs      []warehouse.DecisionRun
	rows      map[string][]warehouse.DecisionRow
	outcomes  strings.Builder // CSV
}

type loggedCustomer struct {
	id      string
	seats   int
	left    time.Time         // zero = stays
	drawn   map[string]string // by run
	changed map[string]bool   // by run: an outcome names another action
}

const (
	loggedShare = .2
	loggedDays  = 90
)

var loggedAt = map[string]time.Time{
	"first": time.Date(2025, 5, 5, 0, 0, 0, 0, time.UTC), "near": time.Date(2025, 5, 16, 0, 0, 0, 0, time.UTC), "second": time.Date(2025, 5, 19, 0, 0, 0, 0, time.UTC),
	"late": time.Date(2025, 6, 30, 0, 0, 0, 0, time.UTC), "third": time.Date(2025, 8, 25, 0, 0, 0, 0, time.UTC),
}

// alive tells whether a customer is there at an instant.
func (c *loggedCustomer) alive(at time.Time) bool { return c.left.IsZero() || c.left.After(at) }

// stays tells whether he is there all through the label window of a run.
func (c *loggedCustomer) stays(run string) float64 {
	if c.left.IsZero() || !c.left.Before(loggedAt[run].AddDate(0, 0, loggedDays)) {
		return 1
	}
	return 0
}

// decide lets a run draw among the actions of a customer, given their probabilities if he is not held out.
func (w *loggedWorld) decide(run string, c *loggedCustomer, offered ...any) {
	at := loggedAt[run]
	r := warehouse.DecisionRow{CustomerID: c.id, DecisionID: actions.DecisionID(run, c.id), Holdout: actions.HeldOut(c.id, at, loggedShare), Chosen: actions.DoNothing,
		Actions: []string{actions.DoNothing}, Propensities: []float64{0}, Value: 100, Risk: .25}
	if c.seats > 10 {
		r.Risk = .35
	}
	draw, nothing := actions.Draw(run, c.id), 1.
	for k := 0; k < len(offered); k += 2 {
		action, p := offered[k].(string), offered[k+1].(float64)
		nothing -= p
		if r.Holdout {
			r.Withheld, r.WithheldPropensities = append(r.Withheld, action), append(r.WithheldPropensities, (1-loggedShare)*p)
			continue
		}
		r.Actions, r.Propensities = append(r.Actions, action), append(r.Propensities, (1-loggedShare)*p)
		if draw >= 0 && draw < p {
			r.Chosen = action
		}
		draw -= p
	}
	r.Propensities[0] = loggedShare + (1-loggedShare)*nothing
	n := len(r.Actions)
	r.Channels, r.UpliftSources = slices.Repeat([]string{"none"}, n), slices.Repeat([]string{"prior"}, n)
	for _, column := range []*[]float64{&r.Priorities, &r.Uplifts, &r.Levers, &r.Fatigues, &r.ContactCosts, &r.PAccepts, &r.Incentives} {
		*column = make([]float64, n)
	}
	r.Moments, r.Expiries = make([]time.Time, n), make([]time.Time, n)
	w.rows[run] = append(w.rows[run], r)
	c.drawn[run] = r.Chosen
	// Every tenth got another action than the drawn one, where there was another.
	if other := r.Actions[n-1]; run != "late" && other != r.Chosen && actions.Draw("otherwise "+run, c.id) < .1 {
		c.changed[run] = true
		fmt.Fprintf(&w.outcomes, "%s,shown,%s,%s\n", r.DecisionID, at.AddDate(0, 0, 2).Format(time.DateOnly), other)
	} else if r.Chosen != actions.DoNothing && run != "late" && actions.Draw("told "+run, c.id) < .5 {
		fmt.Fprintf(&w.outcomes, "%s,shown,%s,\n", r.DecisionID, at.AddDate(0, 0, 1).Format(time.DateOnly))
	}
}

// live lets a customer leave in the label window of a run or not; a third of those who leave go in the gap. Calls keep small customers and drive off the others.
func (w *loggedWorld) live(run string, c *loggedCustomer) {
	p := .35
	if c.seats <= 10 {
		p = .25
	}
	if c.drawn[run] == "call" && c.seats <= 10 {
		p = .1
	} else if c.drawn[run] == "call" {
		p = .45
	}
	u := actions.Draw("leaves "+run, c.id)
	if u >= p {
		return
	}
	day := 1 + int(u/p*57)
	if day > 19 { // 57 = 19 days of the gap and 38 of the rest, of which every second is skipped
		day = 20 + 2*(day-20)
	}
	c.left = loggedAt[run].AddDate(0, 0, day)
}

func openLoggedWorld(customers int) *loggedWorld {
	w := &loggedWorld{rows: map[string][]warehouse.DecisionRow{}}
	w.outcomes.WriteString("decision_id,outcome,at,action\n")
	for i := range customers {
		c := &loggedCustomer{id: fmt.Sprintf("c%04d", i), seats: 5, drawn: map[string]string{}, changed: map[string]bool{}}
		if i%2 == 1 {
			c.seats = 50
		}
		w.customers = append(w.customers, c)
		later := i%3 == 2 // whom a call could not be made to at the first run
		if later {
			w.decide("first", c, "mail", .25)
			w.decide("near", c, "call", .3)
		} else {
			w.decide("first", c, "call", .2+.01*float64(i%20), "mail", .1)
			w.live("first", c)
			if c.alive(loggedAt["near"]) {
				w.decide("near", c)
			}
		}
		if at := loggedAt["second"]; c.alive(at) && later && c.drawn["near"] != "call" {
			w.decide("second", c, "call", .4)
		} else if c.alive(at) {
			w.decide("second", c)
		}
		if later {
			w.live("second", c)
		}
		if c.alive(loggedAt["late"]) {
			w.decide("late", c, "call", .5)
		}
		if c.alive(loggedAt["third"]) {
			w.decide("third", c, "call", .35)
			w.live("third", c)
		}
	}
	for _, run := range []string{"first", "near", "second", "late", "third"} {
		r := warehouse.DecisionRun{RunID: run, Cutoff: loggedAt[run], Policy: "p", Explore: true, Holdout: loggedShare, DecidedAt: loggedAt[run].Add(time.Hour)}
		if run == "late" {
			r.DecidedAt = r.Cutoff.AddDate(0, 3, 0)
		}
		w.runs = append(w.runs, r)
	}
	return w
}

// trial is a row as counted by hand.
type trial struct {
	customer    *loggedCustomer
	treated     bool
	otherwise   bool
	e, stays    float64
	early, held bool // left within the gap, is in the control group
}

// calls are the rows of call, counted by hand: the first run for those who could be called then, the second for the others who had not been called meanwhile,
// and the third, of another quarter, for all who are still there.
func (w *loggedWorld) calls() (rows []trial) {
	add := func(c *loggedCustomer, run string, p, nothing float64) {
		if drawn := c.drawn[run]; drawn == "call" || drawn == actions.DoNothing {
			rows = append(rows, w.trial(c, run, "call", p, nothing))
		}
	}
	const h = loggedShare
	for i, c := range w.customers {
		if i%3 != 2 {
			p := .2 + .01*float64(i%20)
			add(c, "first", (1-h)*p, h+(1-h)*(.9-p))
		} else if c.drawn["near"] != "call" {
			held := h / (h + (1-h)*.75*.7) // neither mailed nor called so far
			if c.drawn["first"] == "mail" {
				held = 0
			}
			add(c, "second", (1-held)*.4, held+(1-held)*.6)
		}
		if _, there := c.drawn["third"]; there {
			add(c, "third", (1-h)*.35, h+(1-h)*.65)
		}
	}
	return rows
}

// mails are the rows of mail, counted by hand: those of the first run.
func (w *loggedWorld) mails() (rows []trial) {
	const h = loggedShare
	for i, c := range w.customers {
		if c.drawn["first"] == "call" {
			continue
		}
		if i%3 == 2 {
			rows = append(rows, w.trial(c, "first", "mail", (1-h)*.25, h+(1-h)*.75))
		} else {
			rows = append(rows, w.trial(c, "first", "mail", (1-h)*.1, h+(1-h)*(.7-.01*float64(i%20))))
		}
	}
	return rows
}

func (w *loggedWorld) trial(c *loggedCustomer, run, action string, p, nothing float64) trial {
	return trial{customer: c, treated: c.drawn[run] == action, otherwise: c.changed[run], e: p / (p + nothing), stays: c.stays(run),
		early: c.left.After(loggedAt[run]) && c.left.Before(loggedAt[run].AddDate(0, 0, 20)), held: actions.HeldOut(c.id, loggedAt[run], loggedShare)}
}

// byHand is the difference of the weighted rates of two arms, and the standard error by customer.
func byHand(rows []trial, in func(trial) bool) (treated, control, se float64) {
	var n, sum [2]float64
	arm := func(r trial) (int, float64) {
		if e := min(max(r.e, .02), .98); r.treated {
			return 1, 1 / e
		} else {
			return 0, 1 / (1 - e)
		}
	}
	for _, r := range rows {
		if in(r) {
			a, weight := arm(r)
			n[a] += weight
			sum[a] += weight * r.stays
		}
	}
	part := map[*loggedCustomer]float64{}
	for _, r := range rows {
		if in(r) {
			a, weight := arm(r)
			part[r.customer] += []float64{-1, 1}[a] * weight * (r.stays - sum[a]/n[a]) / n[a]
		}
	}
	square := 0.
	for _, v := range part {
		square += v * v
	}
	return sum[1] / n[1], sum[0] / n[0], math.Sqrt(square)
}

// TestTrainUpliftFromTheLog leads from logged decisions and outcomes in a warehouse to what `retain train uplift` tells of actions and subgroups, and
// compares it with what is counted by hand.
func TestTrainUpliftFromTheLog(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"catalogue.yaml": logCatalogue,
		"retain.yaml": "warehouse: {url: 'embedded:./w'}\nactions: {catalogue: catalogue.yaml}\n" +
			"churn: {setting: contractual, grace_days: 0, gap_days: 20, horizon_days: 70, data_until: 2026-01-01}\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := openLoggedWorld(3000)
	subscriptions := "customer_id,subscription_id,started_at,ended_at,seats,mrr\n"
	for _, c := range w.customers {
		ended := ""
		if !c.left.IsZero() {
			ended = c.left.Format(time.DateOnly)
		}
		subscriptions += fmt.Sprintf("%s,s-%s,2025-01-01,%s,%d,10\n", c.id, c.id, ended, c.seats)
	}
	do := func(stdin string, args ...string) outcome {
		t.Helper()
		got := retain(t, stdin, args...)
		if got.code != exitDone {
			t.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
		}
		return got
	}
	do(subscriptions, "import", "subscriptions", "-")
	engine, err := actions.Parse([]byte(logCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	db, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:./w", Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range w.runs {
		run.Document = string(engine.Catalogue.Document())
		rows := w.rows[run.RunID]
		if err := db.PutDecisions(t.Context(), run, len(rows), func(i int) warehouse.DecisionRow { return rows[i] }); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	do(w.outcomes.String(), "import", "outcomes", "-")
	// Somebody calls customers of the control group: seven in the quarter of the first run, one more after it, and one by a decision that is not known.
	contacts, reached := "customer_id,at,contact_id,channel,class,action,decision_id\n", 0
	for _, c := range w.customers {
		if reached < 9 && actions.HeldOut(c.id, loggedAt["first"], loggedShare) {
			day, decision := "2025-05-15", ""
			switch reached {
			case 7:
				day = "2025-07-01"
			case 8:
				decision = "elsewhere"
			}
			contacts += fmt.Sprintf("%s,%s,k%d,phone,service,call,%s\n", c.id, day, reached, decision)
			reached++
		}
	}
	do(contacts, "import", "contacts", "-")
	var report training.UpliftTrainReport
	if err := json.Unmarshal([]byte(do("", "train", "uplift", "--json").stdout), &report); err != nil {
		t.Fatal(err)
	}

	if len(report.Cutoffs) != 3 || report.Skipped != 1 || report.Idle != 1 || !report.Promoted {
		t.Fatalf("cutoffs %v, %d too near, %d idle, promoted: %v", report.Cutoffs, report.Skipped, report.Idle, report.Promoted)
	}
	if report.Reached != 7 {
		t.Errorf("%d of the control group were reached", report.Reached)
	}
	changed, read := 0, 0
	for _, c := range w.customers {
		for _, run := range []string{"first", "second", "third"} {
			if _, there := c.drawn[run]; there {
				read++
			}
			if c.changed[run] {
				changed++
			}
		}
	}
	if report.Decisions != read || report.Otherwise != changed || changed < 100 {
		t.Errorf("%d decisions of %d, %d of %d carried out otherwise", report.Decisions, read, report.Otherwise, changed)
	}
	near := func(name string, got metrics.Figure, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, float64(got), want)
		}
	}
	same := func(name string, got training.UpliftEffect, rows []trial, in func(trial) bool) (uplift, se float64) {
		t.Helper()
		treated, control, se := byHand(rows, in)
		near(name+": treated", got.Treated, treated)
		near(name+": control", got.Control, control)
		near(name+": uplift", got.Uplift, treated-control)
		near(name+": low", got.Interval[0], treated-control-1.96*se)
		near(name+": high", got.Interval[1], treated-control+1.96*se)
		return treated - control, se
	}
	all := func(trial) bool { return true }
	for _, a := range report.Actions {
		rows := w.calls()
		if a.Action == "mail" {
			rows = w.mails()
		}
		var treated, otherwiseTreated, otherwiseControl, held, earlyTreated, earlyControl int
		for _, r := range rows {
			switch {
			case r.treated:
				treated++
				otherwiseTreated += one(r.otherwise)
				earlyTreated += one(r.early)
			default:
				otherwiseControl += one(r.otherwise)
				earlyControl += one(r.early)
				held += one(r.held)
			}
		}
		if earlyTreated < 20 || earlyControl < 20 || otherwiseControl < 20 {
			t.Errorf("%s: %d and %d left in the gap, %d and %d carried out otherwise: too few to tell", a.Action, earlyTreated, earlyControl, otherwiseTreated, otherwiseControl)
		}
		if a.Rows != len(rows) || a.Treated != treated || a.OtherwiseTreated != otherwiseTreated || a.OtherwiseControl != otherwiseControl || a.HeldOut != held {
			t.Errorf("%s: %d rows, %d treated, otherwise %d and %d, %d held out; by hand %d, %d, %d and %d, %d", a.Action, a.Rows, a.Treated, a.OtherwiseTreated,
				a.OtherwiseControl, a.HeldOut, len(rows), treated, otherwiseTreated, otherwiseControl, held)
		}
		if a.Learner != "beside" {
			t.Errorf("%s: learned by %q: %s", a.Action, a.Learner, a.Why)
		}
		same(a.Action, a.Effect, rows, all)
		if a.Action == "mail" {
			if len(a.Subgroups) != 0 {
				t.Errorf("mail: %d subgroups", len(a.Subgroups))
			}
			continue
		}
		if len(a.Subgroups) != 1 || a.Subgroups[0].Name != "small" {
			t.Fatalf("subgroups of call: %+v", a.Subgroups)
		}
		g, small := a.Subgroups[0], func(r trial) bool { return r.customer.seats <= 10 }
		members, called := 0, 0
		for _, r := range rows {
			members += one(small(r))
			called += one(small(r) && r.treated)
		}
		if g.Rows != members || g.Treated != called {
			t.Errorf("small: %d rows, %d treated; by hand %d and %d", g.Rows, g.Treated, members, called)
		}
		in, se := same("small", g.Effect, rows, small)
		out, rest := same("not small", g.Others, rows, func(r trial) bool { return !small(r) })
		near("difference", g.Difference, in-out)
		near("difference, low", g.Interval[0], in-out-1.96*math.Hypot(se, rest))
		if !(in > .05 && out < 0) { // the truth: .15 and -.1, less those who got another action
			t.Errorf("calls change P(stay) of the small by %.3f and of the others by %.3f", in, out)
		}
	}
	if len(report.Actions) != 2 {
		t.Fatalf("%d actions", len(report.Actions))
	}
	page := do("", "train", "uplift").stdout
	for _, words := range []string{fmt.Sprintf("%d decisions an outcome names another action", changed), "1 run that decided more than a week after the cutoff", "small"} {
		if !strings.Contains(page, words) {
			t.Errorf("%q is missing in\n%s", words, page)
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
