package training

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models/actions"
)

const helpCatalogue = `version: 1
actions:
  - {id: do_nothing, title: Nothing, channel: none, class: service}
  - id: help
    title: Help
    channel: email
    class: marketing
    message: Hi
    subgroups:
      - {name: recent, rule: f.purchase_recency_days < 150, rough: [purchase_recency_days]}
      - {name: risky, rule: churn_probability > 0.2}
      - {name: few_seats, rule: f.subscription_seats_max <= 10, expected: better}
`

// What was measured of a subgroup is told, whoever is in it by the rule as written; the model keeps the rules, and the artifact names the features that they read.
func TestTrainUpliftOfSubgroups(t *testing.T) {
	engine, err := actions.Parse([]byte(helpCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	named, err := compileSubgroups(engine)
	if err != nil {
		t.Fatal(err)
	}
	w := diary{world: newWorld(700, 4)}
	for name, log := range map[string]DecisionLog{"beside": scoredDiary{w, func(time.Time) bool { return false }}, "doubly robust": w} {
		o := Options{Churn: features.DefaultChurn(), Seed: 1, Registry: &memory{}}.filled()
		report, err := trainUplift(t.Context(), w, o, UpliftTraining{Log: log, Actions: []string{"help"}}, named, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		help := report.Actions[0]
		if len(help.Subgroups) != 3 {
			t.Fatalf("%s: %+v", name, help)
		}
		recent, risky, seats := help.Subgroups[0], help.Subgroups[1], help.Subgroups[2]
		if share := float64(recent.Rows) / float64(help.Rows); math.Abs(share-.5) > .08 || recent.Treated == 0 || recent.Treated >= recent.Rows {
			t.Errorf("%s: %d of %d rows are recent, %d treated", name, recent.Rows, help.Rows, recent.Treated)
		}
		// The whole is made of both parts; the interval of their difference is wider than that of either.
		whole := float64(recent.Rows)/float64(help.Rows)*float64(recent.Effect.Uplift) + (1-float64(recent.Rows)/float64(help.Rows))*float64(recent.Others.Uplift)
		near(t, name+": effect of both parts", whole, float64(help.Effect.Uplift), .02)
		near(t, name+": difference", float64(recent.Difference), float64(recent.Effect.Uplift-recent.Others.Uplift), 1e-12)
		width := func(low, high float64) float64 { return high - low }
		if own := width(float64(recent.Effect.Interval[0]), float64(recent.Effect.Interval[1])); !(width(float64(recent.Interval[0]), float64(recent.Interval[1])) > own) {
			t.Errorf("%s: %v within %v", name, recent.Interval, recent.Effect.Interval)
		}
		if wantRisky := map[string]int{"beside": help.Rows, "doubly robust": 0}[name]; risky.Rows != wantRisky || seats.Rows != 0 || seats.Effect.Uplift.Defined() {
			t.Errorf("%s: %d of %d are risky, %d have few seats", name, risky.Rows, help.Rows, seats.Rows)
		}
		if page, err := json.Marshal(report); err != nil || !strings.Contains(string(page), `"name":"few_seats","rule":"f.subscription_seats_max \u003c= 10","rough":[],"expected":"better","rows":0,"treated":0,"effect":{"treated_rate":null`) {
			t.Errorf("%s: %v in %s", name, err, page)
		}
		a, bundle := decodedUplift(t, o.Registry.(*memory).models[0].Blob)
		part, _ := bundle.Of("help")
		if groups := part.Model.Groups(); len(groups) != 3 || groups[0].Rule != "f.purchase_recency_days < 150" || !slices.Equal(groups[0].Rough, []string{"purchase_recency_days"}) || groups[2].Expected != "better" {
			t.Errorf("%s: the model keeps %+v", name, groups)
		}
		if _, ok := a.Catalogue.Entry("subscription_seats_max"); !ok || slices.ContainsFunc(a.Schema, func(c features.Column) bool { return strings.HasPrefix(c.Name, "subgroup ") }) {
			t.Errorf("%s: the artifact reads %d features", name, len(a.Catalogue.Entries))
		}
	}
}

// A feature that only a rule reads is computed, too.
func TestSubgroupsWidenTheCatalogue(t *testing.T) {
	engine, err := actions.Parse([]byte(helpCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	named, err := compileSubgroups(engine)
	if err != nil {
		t.Fatal(err)
	}
	few := features.DefaultCatalogue().Only([]string{"usage_recency_days", "purchase_recency_days"})
	wide := named.widen(few)
	if len(few.Entries) != 2 || len(wide.Entries) != 3 || wide.Entries[2].Name != "subscription_seats_max" {
		t.Errorf("%d features became %d", len(few.Entries), len(wide.Entries))
	}
	engine.Catalogue.Actions[1].Subgroups[0].Rule = "f.gone"
	var wrong *UsageError
	if _, err := compileSubgroups(engine); !errors.As(err, &wrong) || !strings.Contains(err.Error(), "action help: subgroup recent: rule: column 2") {
		t.Errorf("%v", err)
	}
}
