package pipelines

import (
	"bytes"
	"strings"
	"testing"

	"retain/internal/warehouse/warehousetest"
	"retain/models/actions"
)

// showActions has what issue 6 must show: a duty, an onboarding message, and marketing under caps.
const showActions = `version: 1
policy:
  caps:
    - {class: marketing, days: 7, max: 2}
actions:
  - {id: do_nothing, title: None, channel: none, class: service}
  - {id: answer, title: Answer, channel: ticket, class: service, message: Answer, eligibility: open_tickets > 0, contact_cost: 1, prior: {mean: 0.05}}
  - {id: welcome, title: Welcome, channel: email, class: service, proactive: true, stages: [onboarding], prior: {mean: 0.05, sd: 0.001},
     message: {default: "Welcome.", onboarding: "Three steps to begin with."}}
  - {id: news, title: News, channel: push, class: marketing, message: {default: "News.", engagement: "News for regulars."}, prior: {mean: 0.05, sd: 0.001}}
`

// Issue 6: a customer who got too many messages gets none, with the reason; an open complaint gets the ticket answered first, the
// control group's too; an onboarding message never reaches another stage.
func TestWhatDecisionsMustShow(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := worldStart.AddDate(0, 0, 199)
	half := .5
	heldOut := func(want bool) string { // a customer of the shop in or out of the control group
		for _, id := range []string{"c001", "c002", "c004", "c005", "c006", "c007", "c008", "c012", "c014"} {
			if actions.HeldOut(id, cutoff, half) == want {
				return id
			}
		}
		t.Fatal("all customers are on one side")
		return ""
	}
	held, free := heldOut(true), heldOut(false)
	tired := ""
	for _, id := range []string{"c020", "c021", "c022", "c023", "c024", "c025", "c026"} {
		if !actions.HeldOut(id, cutoff, half) {
			tired = id
			break
		}
	}
	for source, text := range map[string]string{
		"tickets":  "customer_id,at,ticket_id,channel,resolved_at\n" + held + ",DAY-3,t1,chat,\n" + free + ",DAY-2,t2,phone,\nc050,DAY-9,t3,phone,DAY-8\n",
		"contacts": "customer_id,at,contact_id,channel,class,action,outcome,outcome_at\n" + tired + ",DAY-1,k1,email,marketing,,shown,DAY-1\n" + tired + ",DAY-3,k2,sms,marketing,,shown,DAY-3\n",
	} {
		if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: source, Path: "-", Stdin: bytes.NewReader(factsAt(text, cutoff))}); err != nil {
			t.Fatalf("%s: %v", source, err)
		}
	}
	engine, err := actions.Parse([]byte(showActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	o := scoreShop(w, m, cutoff, cutoff)
	o.Decide = DecideOptions{Engine: engine, Holdout: &half}
	_, made := decidedShop(t, w, o)

	for _, id := range []string{held, free} {
		d := made[id]
		if d.Chosen != "answer" || d.Holdout != (id == held) {
			t.Errorf("%s: %s is chosen; the open ticket comes first, control group or not: %+v", id, d.Chosen, d)
		}
		if d.Options[1].Action != "answer" || d.Options[1].Propensity != 1 {
			t.Errorf("%s: the answer is left to chance: %+v", id, d.Options)
		}
		if reason := reasonOf(d, "news"); id == free && reason != "complaint: no marketing while a ticket is open" || id == held && !strings.HasPrefix(reason, "holdout: ") {
			t.Errorf("%s: news: %q", id, reason)
		}
	}
	if d := made[tired]; d.Chosen == "news" || reasonOf(d, "news") != "cap: at most 2 marketing contacts in 7 days" {
		t.Errorf("%s had two messages in the week: %s, news %q", tired, d.Chosen, reasonOf(d, "news"))
	}
	stages := map[string]int{}
	scores := Scores{DB: w}
	var onboarding, news int
	for id, d := range made {
		answer, _, score, ok, err := scores.Answer(t.Context(), id)
		if err != nil || !ok {
			t.Fatal(err)
		}
		stage := ""
		if score.Stage != nil {
			stage = *score.Stage
		}
		stages[stage]++
		for _, p := range answer.Actions {
			switch {
			case p.Action == "welcome" && stage != "onboarding":
				t.Errorf("%s at stage %q may get the onboarding message", id, stage)
			case p.Action == "welcome":
				onboarding++
				if p.Message != "Three steps to begin with." {
					t.Errorf("%s: %q", id, p.Message)
				}
			case p.Action == "news" && stage == "engagement":
				news++
				if p.Message != "News for regulars." {
					t.Errorf("%s: %q", id, p.Message)
				}
			}
		}
		if reason := reasonOf(d, "welcome"); stage != "onboarding" && !d.Holdout && reason != "stage: only for onboarding" {
			t.Errorf("%s at stage %q: %q", id, stage, reason)
		}
	}
	t.Log(stages, onboarding, news)
	if stages["retention"] == 0 || stages["engagement"] == 0 {
		t.Errorf("stages %v show nothing", stages)
	}
}

// A run with a budget spends no more, tells the prices, and takes the plan where it does not explore.
func TestBudgetOfARun(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	cutoff := worldStart.AddDate(0, 0, 199)
	engine, err := actions.Parse([]byte(shopActions), nil)
	if err != nil {
		t.Fatal(err)
	}
	none := 0.0
	seen := map[string]bool{}
	for _, plan := range []bool{false, true} {
		o := scoreShop(w, m, cutoff, cutoff)
		o.Decide = DecideOptions{Engine: engine, Holdout: &none, Plan: plan, Budget: new(3.05)}
		runID, made := decidedShop(t, w, o)
		if seen[runID] {
			t.Error("another policy, the same run")
		}
		seen[runID] = true
		shared, err := (Decisions{DB: w}).Shared(t.Context(), runID)
		if err != nil {
			t.Fatal(err)
		}
		var spent float64
		for _, d := range made {
			if i := engine.Catalogue.Index(d.Chosen); engine.Catalogue.Withheld(i) {
				spent += engine.Catalogue.Actions[i].Spend()
			}
		}
		a := shared.Account
		if a == nil || spent > 3.05+1e-9 || a.Spent < spent-1e-9 || a.Spent > spent+1e-9 || a.Budget == nil || *a.Budget != 3.05 || !(a.MoneyCost > 0) || a.Explored == plan || !(a.Gap >= 0) {
			t.Fatalf("spent %v: %+v", spent, a)
		}
		if *shared.Budget != 3.05 || shared.Version() != shared.Policy {
			t.Errorf("the policy does not read back: %+v", shared)
		}
	}
}
