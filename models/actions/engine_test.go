package actions

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

// now is the cutoff of these tests, a Monday.
var now = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// customer is a scored customer with features by name.
func customer(e *Engine, probability float64, band string, values map[string]float64) *Customer {
	columns := &FeatureColumns{X: make([][]float32, len(e.Features)), Levels: make([][]string, len(e.Features))}
	for place, entry := range e.Features {
		if v, ok := values[entry.Name]; ok {
			columns.X[place] = []float32{float32(v)}
		}
	}
	return &Customer{Facts: Facts{Status: models.StatusScored, Probability: probability, Band: band, Percentile: 50, Value: 2000, OldestTicketDays: math.NaN(), Features: columns}}
}

func TestConsider(t *testing.T) {
	e := shipped(t)
	for _, c := range []struct {
		name string
		who  *Customer
		may  string // actions beside do_nothing
		not  map[string]string
	}{
		{"young and of low breadth", customer(e, .1, "low", map[string]float64{"usage_features_distinct_84d": 2, "profile_tenure_days": 100, "survey_nps_recency_days": 10}),
			"feature_education", map[string]string{"onboarding_help": "rule: it does not hold", "voucher": "rule: it does not hold"}},
		{"a price shock before the renewal", customer(e, .6, "high", map[string]float64{"subscription_mrr_renewal_change": .2, "subscription_billing_days": 30, "profile_tenure_days": 300, "survey_nps_recency_days": 10, "subscription_running_count": 1}),
			"save_call discount plan_review", nil},
		{"an annual plan that ends in half a year is not called", customer(e, .6, "high", map[string]float64{"subscription_billing_days": 365, "subscription_days_to_end": 180, "subscription_mrr_renewal_change": .2, "profile_tenure_days": 300, "survey_nps_recency_days": 10}),
			"plan_review", map[string]string{"save_call": "rule: it does not hold", "discount": "rule: it does not hold"}},
		{"a loyal promoter", customer(e, .02, "low", map[string]float64{"profile_tenure_days": 900, "survey_nps_last": 10, "survey_nps_recency_days": 20}),
			"thank_you referral_bonus", map[string]string{"support_call": "rule: it does not hold"}},
		{"what is not known does not hold", customer(e, .02, "low", map[string]float64{"profile_tenure_days": 900, "survey_nps_recency_days": 20}),
			"thank_you", map[string]string{"referral_bonus": "rule: f.survey_nps_last is not known"}},
		{"opted out", &Customer{Facts: Facts{Status: models.StatusOptedOut}}, "", map[string]string{"win_back": "status: opted_out", "answer_ticket": "status: opted_out"}},
		{"gone", &Customer{Facts: Facts{Status: models.StatusAlreadyChurned, Probability: math.NaN()}}, "win_back", map[string]string{"check_in": "status: already_churned"}},
		{"cancelled, to be saved", &Customer{Facts: Facts{Status: models.StatusNotEligible, StatusCode: "cancel_pending", Probability: math.NaN()}}, "save_call", map[string]string{"check_in": "status: not_eligible, cancel_pending"}},
		{"in grace", &Customer{Facts: Facts{Status: models.StatusNotEligible, StatusCode: "in_grace", Probability: math.NaN()}}, "renewal_notice", nil},
		{"a ticket is open", &Customer{Facts: Facts{Status: models.StatusAlreadyChurned, OpenTickets: 1, Probability: math.NaN()}, Contactable: Contactable{OpenTickets: 1}}, "answer_ticket",
			map[string]string{"win_back": "complaint: no marketing while a ticket is open"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			reasons := make([]string, len(e.Catalogue.Actions))
			mask := e.Consider(reasons, c.who, nil, now)
			var may []string
			for i, a := range e.Catalogue.Actions {
				if (mask&(1<<i) != 0) != (reasons[i] == "") {
					t.Errorf("%s: mask and reason %q disagree", a.ID, reasons[i])
				}
				if mask&(1<<i) != 0 && a.ID != DoNothing {
					may = append(may, a.ID)
				}
				if want, ok := c.not[a.ID]; ok && reasons[i] != want {
					t.Errorf("%s: %q, want %q", a.ID, reasons[i], want)
				}
			}
			if got := strings.Join(may, " "); got != c.may {
				t.Errorf("may get %q, want %q", got, c.may)
			}
		})
	}
}

func TestStageIsKept(t *testing.T) {
	e := shipped(t)
	c := customer(e, .1, "low", map[string]float64{"usage_features_first_30d": 1, "profile_tenure_days": 30})
	reasons := make([]string, len(e.Catalogue.Actions))
	i := e.Catalogue.Index("onboarding_help")
	for stage, want := range map[string]string{"": "", "onboarding": "", "retention": "stage: only for onboarding"} {
		c.Stage = stage
		if e.Consider(reasons, c, nil, now); reasons[i] != want {
			t.Errorf("at stage %q: %q, want %q", stage, reasons[i], want)
		}
	}
}

func TestRulesOverEverything(t *testing.T) {
	known := &features.Catalogue{Version: 1, Entries: []features.Entry{
		{Name: "own_share", Unit: features.UnitShare}, {Name: "own_level", Unit: features.UnitLevel},
	}}
	facts := Facts{Status: "scored", Probability: .4, Percentile: 80, Band: "high", Value: 100, Segment: "small", Attributes: map[string]string{"tier": "gold"}, OldestTicketDays: math.NaN()}
	for rule, want := range map[string]string{ // "true", "false" or what is not known
		`f.own_share > 0.5`:                                 "true",
		`f.own_level == "b"`:                                "true",
		`has(f.own_share) && !has(f.usage_recency_days)`:    "true",
		`f.usage_recency_days > 3`:                          "f.usage_recency_days",
		`f.usage_recency_days > 3 || band == "high"`:        "true",
		`f.usage_recency_days > 3 && band == "low"`:         "false",
		`percentile > 79 && churn_probability >= 0.4`:       "true",
		`expected_value / 2.0 == 50.0`:                      "true",
		`attributes["tier"] == "gold" && segment != "big"`:  "true",
		`attributes["colour"] == "red"`:                     "something in it",
		`"tier" in attributes`:                              "true",
		`oldest_open_ticket_days > 2`:                       "oldest_open_ticket_days",
		`stage == "retention" || stage == null`:             "true",
		`status_code in ["", "tenure"] && open_tickets < 1`: "true",
	} {
		text := "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: service, message: Hi, eligibility: '" + rule + "'}\n"
		e, err := Parse([]byte(text), known)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		columns := &FeatureColumns{X: make([][]float32, len(e.Features)), Levels: make([][]string, len(e.Features))}
		columns.X[0], columns.X[1], columns.Levels[1] = []float32{.75}, []float32{1}, []string{"a", "b"}
		facts.Features = columns
		ok, unknown := e.rules[1].Holds(&facts)
		got := fmt.Sprint(ok)
		if unknown != "" {
			got = unknown
		}
		if got != want {
			t.Errorf("%s is %s, want %s", rule, got, want)
		}
	}
}

func TestTerms(t *testing.T) {
	e, err := Parse([]byte("version: 1\npolicy: {weights: {marketing: 0.8}}\nactions:\n"+nothing+
		"  - {id: a, title: A, channel: email, class: marketing, message: Hi, contact_cost: 2, incentive: 30, p_accept: 0.5, lever: 1.5, prior: {mean: 0.04, sd: 0.03}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// By hand: .04·1000·1.5 - 2 - .5·30 - 1000·2·.0005·3·.8 = 60 - 2 - 15 - 2.4.
	got := e.Catalogue.Terms(1, 1000, 3)
	if math.Abs(got.Priority-40.6) > 1e-9 || math.Abs(got.Fatigue-2.4) > 1e-12 || math.Abs(got.SD-45) > 1e-9 {
		t.Errorf("%+v", got)
	}
	// Without money: .04 - 2·.0005·3·.8, costs ignored.
	got = e.Catalogue.Terms(1, math.NaN(), 3)
	if math.Abs(got.Priority-.0376) > 1e-12 || math.Abs(got.Fatigue-.0024) > 1e-12 || got.SD != .03 {
		t.Errorf("%+v", got)
	}
	if got := e.Catalogue.Terms(1, 1000, 0); got.Fatigue != 0 {
		t.Errorf("no prior contact, no fatigue: %+v", got)
	}
	if got := e.Catalogue.Terms(0, 1000, 3); got.Priority != 0 || got.SD != 0 {
		t.Errorf("nothing has priority 0: %+v", got)
	}
}

func TestHoldout(t *testing.T) {
	if HoldoutShare(nil, 9999) != .2 || HoldoutShare(nil, 10_000) != .05 || HoldoutShare(new(.1), 5) != .1 {
		t.Error("5 %, 20 % below 10,000 customers, or as configured")
	}
	var held, small, moved int
	const n = 50_000
	for k := range n {
		id := fmt.Sprint(k)
		in := HeldOut(id, now, .2)
		if in {
			held++
		}
		if in != HeldOut(id, now.AddDate(0, 0, 29), .2) {
			t.Fatal("31 March is of the same quarter")
		}
		if in != HeldOut(id, now.AddDate(0, 0, 30), .2) {
			moved++
		}
		if HeldOut(id, now, .05) {
			small++
			if !in {
				t.Fatal("a larger share holds everyone of a smaller one")
			}
		}
	}
	if math.Abs(float64(held)/n-.2) > .008 || math.Abs(float64(small)/n-.05) > .004 { // over four standard errors
		t.Errorf("held %d and %d of %d", held, small, n)
	}
	if math.Abs(float64(moved)/n-.32) > .01 { // 2·.2·.8: quarters are independent
		t.Errorf("%d of %d changed sides in April", moved, n)
	}
}

// deciding is a decision with everything in it.
func deciding(t *testing.T) (*Deciding, *Decision, *models.Score) {
	t.Helper()
	e := shipped(t)
	c := e.Catalogue
	d := &Deciding{RunID: "0123456789abcdef0123456789abcdef", Cutoff: now, Policy: "fedcba9876543210", Explore: true, Share: .2, Catalogue: c}
	made := &Decision{CustomerID: "C-7", Chosen: "check_in", Value: 2000, Pressure: .5, Suppressed: []Suppressed{{"survey", "capacity: 300 a day are spoken for"}}}
	moment := now.Add(10 * time.Hour)
	for id, p := range map[string]float64{DoNothing: .24, "save_call": .5, "check_in": .1, "discount": .16} {
		i := c.Index(id)
		o := Option{Action: id, Channel: c.Actions[i].Channel, Source: SourcePrior, Terms: c.Terms(i, made.Value, made.Pressure), Propensity: p}
		if id != DoNothing {
			o.Moment, o.Expires = moment, moment.AddDate(0, 0, 7)
		}
		made.Options = append(made.Options, o)
	}
	return d, made, &models.Score{CustomerID: "C-7", Status: models.StatusScored, ChurnProbability: new(.62), HorizonDays: 91,
		Reasons: []models.Reason{{Feature: "a", Text: "uses more", Contribution: -.5, Direction: "down"}, {Feature: "b", Text: "last used 20 days ago", Contribution: .4, Direction: "up"}}}
}

func TestAnswer(t *testing.T) {
	d, made, score := deciding(t)
	answer := d.Answer(made, score)
	d.Explain(&answer, score)
	got, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "answer.json")
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got)+"\n" {
		t.Errorf("answer differs from %s:\n%s", path, got)
	}
}

func TestCut(t *testing.T) {
	d, made, score := deciding(t)
	for n, want := range map[int]string{
		1: "check_in do_nothing", 2: "check_in do_nothing", 3: "check_in save_call do_nothing", 4: "check_in save_call discount do_nothing", 25: "check_in save_call discount do_nothing",
	} {
		a := d.Answer(made, score)
		a.Cut(n)
		var ids []string
		for _, p := range a.Actions {
			ids = append(ids, p.Action)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	made.Chosen = DoNothing
	a := d.Answer(made, score)
	if a.Cut(1); len(a.Actions) != 1 || a.Actions[0].Action != DoNothing {
		t.Errorf("%+v", a.Actions)
	}
}

func TestMessages(t *testing.T) {
	_, _, score := deciding(t)
	m := Messages{"default": "{churn_probability} in {horizon_days} days: {reason}; {value}, {stage}", "retention": "stay, {customer_id}"}
	if got, want := m.Render(score), "62 % in 91 days: last used 20 days ago; unknown, unknown"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	score.Stage = new("retention")
	if got := m.Render(score); got != "stay, C-7" {
		t.Errorf("%q", got)
	}
}

func BenchmarkConsider(b *testing.B) {
	e := shipped(b)
	c := customer(e, .6, "high", map[string]float64{"subscription_mrr_renewal_change": .2, "subscription_billing_days": 30, "profile_tenure_days": 300})
	reasons := make([]string, len(e.Catalogue.Actions))
	history := []Contact{{At: now.AddDate(0, 0, -3), Channel: "email", Class: Marketing}, {At: now.AddDate(0, 0, -20), Channel: "email", Class: Marketing}}
	b.ReportAllocs()
	for b.Loop() {
		e.Consider(reasons, c, history, now)
	}
}
