package features

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestChurnSpecValidate(t *testing.T) {
	valid := func(change func(*ChurnSpec)) ChurnSpec {
		c := DefaultChurn()
		change(&c)
		return c
	}
	leaving := func() *EventSpec {
		return &EventSpec{Source: "usage", Match: map[string]string{"feature": "closed"}, Start: &EventMatch{Source: "purchases", Match: map[string]string{"category": "joining"}}}
	}
	for _, c := range []struct {
		name string
		spec ChurnSpec
		want []string // parts of the message, one a line; nil = valid
	}{
		{"the default", DefaultChurn(), nil},
		{"contractual", valid(func(c *ChurnSpec) { c.Setting = Contractual }), nil},
		{"contractual does not need what others need", ChurnSpec{Setting: Contractual, HorizonDays: 60}, nil},
		{"event", valid(func(c *ChurnSpec) { c.Setting, c.Event = EventSetting, leaving() }), nil},
		{"event without a start", valid(func(c *ChurnSpec) { c.Setting, c.Event = EventSetting, leaving(); c.Event.Start = nil }), nil},
		{"no setting", ChurnSpec{HorizonDays: 90}, []string{`churn.setting: "" is none of`}},
		{"every problem at once", ChurnSpec{Setting: NonContractual, HorizonDays: 0, GapDays: -1, GraceDays: 4000, MinTenureDays: -1}, []string{
			"churn.horizon_days: 0", "churn.gap_days: -1", "churn.grace_days: 4000", "churn.min_tenure_days: -1", "churn.active_days: 0", "churn.activity: name at least one",
		}},
		{"activity of every source of events", valid(func(c *ChurnSpec) { c.Activity = eventSources() }), nil},
		{"activity of what holds no events", valid(func(c *ChurnSpec) { c.Activity = []string{"customers"} }), []string{`churn.activity: "customers" is no source of events`}},
		{"activity twice", valid(func(c *ChurnSpec) { c.Activity = []string{"usage", "usage"} }), []string{"churn.activity: usage is named twice"}},
		{"event is missing", valid(func(c *ChurnSpec) { c.Setting = EventSetting }), []string{"churn.event: the setting event needs"}},
		{"an event of touchpoints", valid(func(c *ChurnSpec) {
			c.Setting, c.Event = EventSetting, &EventSpec{Source: "touchpoints", Match: map[string]string{"kind": "cancelled"}}
		}), nil},
		{"an event in what is filled in later", valid(func(c *ChurnSpec) {
			c.Setting, c.Event = EventSetting, &EventSpec{Source: "contacts", Match: map[string]string{"outcome": "rejected"}}
		}), []string{`churn.event.match: contacts has no text column "outcome"`}},
		{"a column that does not exist, an empty value, a start without a match", valid(func(c *ChurnSpec) {
			c.Setting, c.Event = EventSetting, leaving()
			c.Event.Match = map[string]string{"kind": "x", "feature": ""}
			c.Event.Start.Match = nil
		}), []string{`churn.event.match: usage has no text column "kind"`, "churn.event.match: feature is empty", "churn.event.start.match: name at least one"}},
		{"a column is never SQL", valid(func(c *ChurnSpec) {
			c.Setting, c.Event = EventSetting, &EventSpec{Source: "usage", Match: map[string]string{"1=1 OR feature": "x"}}
		}), []string{`no text column "1=1 OR feature"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.spec.Validate()
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			if lines := strings.Count(err.Error(), "\n") + 1; lines != len(c.want) {
				t.Errorf("%d problems, want %d:\n%v", lines, len(c.want), err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in:\n%v", w, err)
				}
			}
		})
	}
}

func TestChurnSpecMaturity(t *testing.T) {
	c := ChurnSpec{Setting: Contractual, GraceDays: 30, GapDays: 7, HorizonDays: 60}
	if got := c.MaturityDays(); got != 97 {
		t.Errorf("contractual: %d days, want L+H+G = 97", got)
	}
	c.Setting = NonContractual
	if got := c.MaturityDays(); got != 67 {
		t.Errorf("non_contractual: %d days, want L+H = 67", got)
	}
	cutoff := time.Date(1998, 4, 1, 0, 0, 0, 0, time.UTC)
	c = DefaultChurn()
	if !c.Known(cutoff, cutoff.AddDate(0, 0, 90)) {
		t.Error("T + M = D is not known")
	}
	if c.Known(cutoff, cutoff.AddDate(0, 0, 90).Add(-time.Millisecond)) {
		t.Error("T + M > D is known")
	}
}

// The keys are those of contract.md §4, in YAML and in the artifact's JSON.
func TestChurnSpecKeys(t *testing.T) {
	const text = `
setting: event
activity: [usage]
active_days: 30
event: {source: usage, match: {feature: closed}, start: {source: usage, match: {feature: opened}}}
grace_days: 1
gap_days: 2
horizon_days: 3
min_tenure_days: 4
data_until: 2022-09-01
`
	until := time.Date(2022, 9, 1, 0, 0, 0, 0, time.UTC)
	want := ChurnSpec{
		Setting: EventSetting, Activity: []string{"usage"}, ActiveDays: 30,
		Event:     &EventSpec{Source: "usage", Match: map[string]string{"feature": "closed"}, Start: &EventMatch{Source: "usage", Match: map[string]string{"feature": "opened"}}},
		GraceDays: 1, GapDays: 2, HorizonDays: 3, MinTenureDays: 4, DataUntil: &until,
	}
	var got ChurnSpec
	d := yaml.NewDecoder(strings.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got = ChurnSpec{}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
