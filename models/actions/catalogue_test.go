package actions

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func shipped(t testing.TB) *Engine {
	t.Helper()
	e, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestShippedCatalogue(t *testing.T) {
	e := shipped(t)
	for _, id := range []string{ // decisions.md §2
		"onboarding_help", "feature_education", "support_call", "answer_ticket", "save_call", "discount", "voucher", "perk",
		"replacement_relief", "plan_review", "survey", "thank_you", "referral_bonus", "loyalty_membership", "cross_sell",
		"cart_reminder", "win_back", DoNothing,
	} {
		if e.Catalogue.Index(id) < 0 {
			t.Errorf("%s is missing", id)
		}
	}
	again, err := Decode(e.Catalogue.Document())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e.Catalogue, again); d != "" {
		t.Errorf("document does not read back:\n%s", d)
	}
	if e.ReadsAttributes() {
		t.Error("no shipped rule reads attributes")
	}
}

// nothing is the action that every catalogue needs.
const nothing = "  - {id: do_nothing, title: None, channel: none, class: service}\n"

func TestCatalogueFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // "line: words", in order
	}{
		{"everything at once", `version: 2
polcy: {}
policy:
  hour: 23
  caps: [{channel: fax, class: ads, days: 0, max: 1, per: 3}]
actions:
  - {id: do_nothing, title: None, channel: none, class: service, contact_cost: 1}
  - id: Call Me
    title: " "
    chanel: phone
    channel: phone
    class: spam
    lever: 3
    eligibility: f.no_such_feature > 1
    message: "Hello {name}"
    stages: [middle]
    capacity: -1
    prior: {mean: 2, sd: 0.1}
  - {id: mail, title: Mail, channel: email, class: marketing, message: Hi, cooldown_days: -1, expires_after: soon, p_accept: 1.5, incentive: 5}
  - {id: mail, title: Mail, channel: ticket, class: marketing, message: Hi, lever: 0.4, contact_cost: many, eligibility: "status = 'scored'"}
`, []string{
			"1: version is 2", "2: unknown key polcy", "3: policy: caps: class", "3: policy: caps: channel", "3: policy: caps: at most 1 in 0 days",
			"3: policy: hour: 23 lies in the quiet hours", "5: unknown key per", "7: contact_cost: do_nothing is always possible",
			"8: id: \"Call Me\"", "9: title:", "10: unknown key chanel", "12: class: \"spam\"", "13: lever: 3 is not in [0.5, 2]",
			"14: eligibility: column 2: no feature no_such_feature", "15: message: unknown placeholder {name}", "16: stages: \"middle\"",
			"17: capacity: -1", "18: prior: mean 2", "19: \"soon\" is no length of time", "19: p_accept: 1.5", "19: cooldown_days: -1",
			"20: cannot unmarshal", "20: the id is taken by the action of line 19", "20: channel: marketing is no answer", "20: lever: 0.4",
			"20: eligibility: column",
		}},
		{"nothing missing", "version: 1\nactions:\n  - {id: mail, title: Mail, channel: email, class: marketing, message: Hi}\n", []string{"2: do_nothing is missing"}},
		{"no boolean", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: percentile + 1}\n", []string{"4: eligibility: the rule is a int"}},
		{"unknown variable", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: age > 3}\n", []string{"4: eligibility: column 1: undeclared reference to 'age'; there are status"}},
		{"text against number", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: band > 3}\n", []string{"4: eligibility: column 6: found no matching overload"}},
		{"a loop", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: 'attributes.exists(k, k == \"x\")'}\n", []string{"4: eligibility: column"}},
		{"a costly rule", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: '" + strings.Repeat("segment.matches(region) || ", 20) + "true'}\n", []string{"4: eligibility: the rule costs up to"}},
		{"only nothing has no channel", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: none, class: marketing, message: Hi}\n", []string{"4: channel: only do_nothing has none"}},
		{"no words", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: {retention: Hi}}\n", []string{"4: message: write the words"}},
		{"a key twice", "version: 1\nversion: 1\nactions:\n" + nothing, []string{"2: key version is there twice"}},
		{"empty", "", []string{"want version:"}},
		{"two documents", "version: 1\n---\nversion: 1\n", []string{"a second document"}},
		{"an infinite cost", "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, contact_cost: .inf}\n", []string{"4: contact_cost: +Inf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse([]byte(c.text), nil)
			if err == nil {
				t.Fatal("no fault found")
			}
			lines := strings.Split(err.Error(), "\n")
			for k, want := range c.want {
				line, words, numbered := strings.Cut(want, ": ")
				if !numbered || len(line) > 2 {
					line, words = "", want
				}
				if k >= len(lines) || !strings.Contains(lines[k], words) || line != "" && !strings.HasPrefix(lines[k], "actions line "+line) {
					t.Errorf("fault %d: want %q in\n%s", k+1, want, err)
				}
			}
			if len(lines) != len(c.want) {
				t.Errorf("%d faults, want %d:\n%s", len(lines), len(c.want), err)
			}
		})
	}
}

func TestCatalogueOfAnotherLifecycle(t *testing.T) {
	text := "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: {default: Hi, onboarding: Go}, stages: [usage, onboarding]}\n"
	_, err := ParseFor([]byte(text), nil, []string{"awareness", "usage"})
	for _, want := range []string{`stages: "onboarding" is no stage of the lifecycle, so nobody reaches it; its stages are awareness, usage`, `message: "onboarding" is neither default nor a stage`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	if _, err := ParseFor([]byte(strings.ReplaceAll(text, "onboarding", "awareness")), nil, []string{"awareness", "usage"}); err != nil {
		t.Error(err)
	}
	// Rules name them too, however they compare.
	for rule, unknown := range map[string]string{
		`stage == "usage"`: "", `stage == null || stage != "usage"`: "", `stage in ["awareness", "usage"]`: "", `"usage" == stage`: "", `plan == "onboarding"`: "",
		`stage == "onboarding"`: "onboarding", `churn_probability > 0.5 && !(stage in ["usage", "trial"])`: "trial", `"Usage" == stage`: "Usage",
	} {
		action := "  - {id: a, title: A, channel: email, class: marketing, message: Hi, eligibility: '" + rule + "'}\n"
		_, err := ParseFor([]byte("version: 1\nactions:\n"+nothing+action), nil, []string{"awareness", "usage"})
		if unknown == "" && err != nil || unknown != "" && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("eligibility: %q is no stage of the lifecycle", unknown))) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestCatalogueDefaults(t *testing.T) {
	e, err := Parse([]byte("version: 1\npolicy: {hour: 11}\nactions:\n"+nothing+"  - {id: a, title: A, channel: email, class: marketing, message: {default: Hi, retention: Stay}, expires_after: 36h, prior: {mean: 0.05}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := e.Catalogue.Actions[1]
	if a.Lever != 1 || time.Duration(a.ExpiresAfter) != 36*time.Hour || a.Prior.deviation() != .05 || a.Message["retention"] != "Stay" {
		t.Errorf("%+v", a)
	}
	if (Effect{Mean: .001}).deviation() != .02 {
		t.Error("the least sd of a prior is .02")
	}
	p := e.Catalogue.Policy
	if p.Hour != 11 || len(p.Caps) != 2 || p.Caps[0] != (Cap{"email", Marketing, 7, 1}) || p.Caps[1] != (Cap{"sms", Marketing, 7, 1}) {
		t.Errorf("one e-mail and one SMS a week by default: %+v", p)
	}
	for text, want := range map[string]map[Class]float64{
		"{hour: 11}":                {Marketing: 1, Service: .5},
		"{weights: {marketing: 1}}": {Marketing: 1}, // what is left out weighs 0
		"{weights: {}}":             nil,
	} {
		e, err := Parse([]byte("version: 1\npolicy: "+text+"\nactions:\n"+nothing), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, e.Catalogue.Policy.Weights, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("weights of %s:\n%s", text, d)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(shippedCatalogue)
	f.Add([]byte("version: 1\nactions:\n" + nothing))
	f.Add([]byte("version: 1\nactions: [1, {id: 3}]\npolicy: []"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if e, err := Parse(text, nil); err == nil {
			if _, err := Decode(e.Catalogue.Document()); err != nil {
				t.Error(err)
			}
		}
	})
}
