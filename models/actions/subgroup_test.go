package actions

import (
	"math"
	"strings"
	"testing"

	"retain/features"
)

func TestSubgroupFaults(t *testing.T) {
	many := ""
	for _, name := range strings.Fields("a b c d e g h i j") {
		many += "{name: " + name + ", rule: churn_probability > 0.5}, "
	}
	for name, c := range map[string]struct {
		list string
		want []string
	}{
		"none wrong":       {"{name: new, rule: f.profile_tenure_days < 365, rough: [profile_tenure_days]}, {name: risky, rule: churn_probability > 0.3}", nil},
		"too many":         {many, []string{"subgroups: 9; at most 8"}},
		"two of a name":    {"{name: new, rule: f.profile_tenure_days < 365}, {name: new, rule: f.profile_tenure_days < 30}", []string{"subgroups: the name new is there twice"}},
		"a name":           {"{name: New Ones, rule: f.profile_tenure_days < 365}", []string{`subgroups: name "New Ones" does not read`}},
		"no rule":          {"{name: new}", []string{"new: rule: say who belongs to it"}},
		"unknown feature":  {"{name: new, rule: f.no_such_feature > 1}", []string{"new: rule: column 2: no feature no_such_feature"}},
		"no CEL":           {"{name: new, rule: f.profile_tenure_days <}", []string{"new: rule: column"}},
		"no boolean":       {"{name: new, rule: f.profile_tenure_days + 1.0}", []string{"new: rule: the rule is a double"}},
		"not kept":         {`{name: big, rule: stage == "loyalty"}`, []string{"big: rule: column 1: undeclared reference to 'stage'"}},
		"rough elsewhere":  {"{name: new, rule: f.profile_tenure_days < 365, rough: [subscription_seats_max]}", []string{"new: rough: the rule names no feature subscription_seats_max"}},
		"rough twice":      {"{name: new, rule: f.profile_tenure_days < 365, rough: [profile_tenure_days, profile_tenure_days]}", []string{"new: rough: profile_tenure_days is there twice"}},
		"too rough":        {"{name: n, rule: f.profile_tenure_days < 365 && f.ticket_count_84d > 1 && f.purchase_recency_days < 3, rough: [profile_tenure_days, ticket_count_84d, purchase_recency_days]}", []string{"n: rough: 3 features; at most 2"}},
		"expected":         {"{name: new, rule: f.profile_tenure_days < 365, expected: better}, {name: old, rule: f.profile_tenure_days > 700, expected: worse}", nil},
		"expected what":    {"{name: new, rule: f.profile_tenure_days < 365, expected: more}", []string{`new: expected: "more"; say better or worse, or leave it out`}},
		"unknown key":      {"{name: new, rule: f.profile_tenure_days < 365, why: because}", []string{"unknown key why"}},
		"several at once":  {"{name: a b, rule: churn_probability > 2 > 1}, {name: c, rule: ''}", []string{"name \"a b\"", "a b: rule: column", "c: rule: say who"}},
		"of doing nothing": {"", []string{"subgroups: do_nothing is always possible"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := "version: 1\nactions:\n" + nothing + "  - {id: a, title: A, channel: email, class: marketing, message: Hi, subgroups: [" + c.list + "]}\n"
			if name == "of doing nothing" {
				text = "version: 1\nactions:\n  - {id: do_nothing, title: Nothing, channel: none, class: service, subgroups: [{name: a, rule: churn_probability > 0.5}]}\n"
			}
			_, err := Parse([]byte(text), nil)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no fault found")
			}
			lines := strings.Split(err.Error(), "\n")
			for k, want := range c.want {
				if k >= len(lines) || !strings.Contains(lines[k], want) {
					t.Errorf("want %q in\n%s", want, err)
				}
			}
			if len(lines) != len(c.want) {
				t.Errorf("%d faults, want %d:\n%s", len(lines), len(c.want), err)
			}
		})
	}
}

// Who belongs, by hand: bounds of 365 days and 5 features are tried as 243, 304, 365, 426 and 487, and as 3.3, 4.2, 5, 5.8 and 6.7.
func TestSubgroupMembers(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{Schema: features.Schema{{Name: "usage_features_distinct_84d"}, {Name: "profile_tenure_days"}},
		X: [][]float32{{3, 5, 6, 7, 3, nan, 3}, {100, 300, 300, 100, 400, 100, nan}}}
	risk := []float64{.1, .1, .1, .1, .9, .1, math.NaN()}
	rule := "f.profile_tenure_days < 365 && f.usage_features_distinct_84d <= 5"
	s, err := CompileSubgroups([]Subgroup{
		{Name: "new_and_narrow", Rule: rule, Rough: []string{"profile_tenure_days", "usage_features_distinct_84d"}},
		{Name: "exactly", Rule: rule},
		{Name: "risky", Rule: "churn_probability > 0.5"},
		{Name: "few_seats", Rule: "f.subscription_seats_max <= 10", Rough: []string{"subscription_seats_max"}}, // which x does not have
	}, features.Nameable(features.DefaultCatalogue()))
	if err != nil {
		t.Fatal(err)
	}
	want := [][]float64{{1, 12. / 25, 4. / 25, 0, 10. / 25, 0, 0}, {1, 1, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 1, 0, 0}, {0, 0, 0, 0, 0, 0, 0}}
	shares, holds := s.Shares(x, risk), s.Holds(x, risk)
	for k := range want {
		for i, v := range want[k] {
			if math.Abs(float64(shares[k][i])-v) > 1e-6 {
				t.Errorf("subgroup %d, row %d: %.3f, want %.3f", k, i, shares[k][i], v)
			}
			exact := want[k][i]
			if k == 0 {
				exact = want[1][i]
			}
			if holds[k][i] != (exact == 1) {
				t.Errorf("subgroup %d, row %d: holds %v", k, i, holds[k][i])
			}
		}
	}
	var names []string
	for _, e := range s.Entries() {
		names = append(names, e.Name)
	}
	if len(names) != 3 {
		t.Errorf("the rules read %v", names)
	}
	if _, err := CompileSubgroups([]Subgroup{{Name: "a", Rule: "f.gone > 1"}, {Name: "b"}}, nil); err == nil || !strings.Contains(err.Error(), "subgroup a") || !strings.Contains(err.Error(), "subgroup b") {
		t.Errorf("%v", err)
	}
}

// The catalogue that is logged with decisions keeps the subgroups.
func TestSubgroupsAreWritten(t *testing.T) {
	e, err := Default(nil)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(e.Catalogue.Document())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, a := range back.Actions {
		total += len(a.Subgroups)
	}
	if total == 0 || back.Hash() != e.Catalogue.Hash() {
		t.Errorf("%d subgroups; hash %s and %s", total, back.Hash(), e.Catalogue.Hash())
	}
}
