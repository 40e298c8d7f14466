package models_test

import (
	"math"
	"testing"

	"retain/features"
	"retain/models"
)

// flat is an artifact of a flat table and one row: a and b numeric, c categorical, d missing.
func flat() (*models.Artifact, *features.Matrix) {
	nan := float32(math.NaN())
	schema := features.Schema{{Name: "a"}, {Name: "b"}, {Name: "c", Kind: features.Categorical, Levels: []string{"red", "blue"}}, {Name: "d"}}
	return &models.Artifact{Schema: schema, Medians: []float64{2, math.NaN(), math.NaN(), 5}},
		&features.Matrix{Schema: schema, X: [][]float32{{1234567.8}, {.25}, {1}, {nan}}}
}

func TestReasons(t *testing.T) {
	a, x := flat()
	got := a.Reasons(2, x, 0, []float64{.5, -1, .5, .25})
	want := []struct {
		feature, text, direction string
		contribution             float64
	}{
		{"b", "b is 0.25", "down", -1},
		{"a", "a is 1234568, typically 2", "up", .5}, // before c: ties by column order
		{models.OtherReason, "everything else together", "up", .75},
	}
	if len(got) != len(want) {
		t.Fatalf("%d reasons: %+v", len(got), got)
	}
	for k, w := range want {
		if g := got[k]; g.Feature != w.feature || g.Text != w.text || g.Direction != w.direction || g.Contribution != w.contribution {
			t.Errorf("reason %d is %+v, want %+v", k, g, w)
		}
	}
	if got[0].Reference != nil || *got[1].Reference != 2 || *got[0].Value != .25 || got[2].Value != nil {
		t.Errorf("values or references: %+v", got)
	}
}

func TestZeroIsNoReasonButOtherStays(t *testing.T) {
	a, x := flat()
	got := a.Reasons(5, x, 0, []float64{0, 0, -.5, 0})
	if len(got) != 2 || got[0].Feature != "c" || got[0].Text != "c is blue" || got[0].Value != nil || got[1].Feature != models.OtherReason || got[1].Contribution != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAllContributionsListEverything(t *testing.T) {
	a, x := flat()
	got := a.AllContributions(x, 0, []float64{0, .1, 0, -.2})
	order := ""
	for _, c := range got {
		order += c.Feature
	}
	if order != "dbac" || got[0].Text != "d is not known" || got[0].Value != nil || *got[0].Reference != 5 {
		t.Errorf("%s: %+v", order, got)
	}
}

func TestReasonsSpeakTheCatalogue(t *testing.T) {
	c := features.DefaultCatalogue()
	for _, name := range c.Names() {
		entry, ok := c.Entry(name)
		if !ok || entry.Kind() != features.Numeric {
			continue
		}
		schema := features.Schema{{Name: name}}
		a := &models.Artifact{Catalogue: c, Schema: schema, Medians: []float64{1}}
		r := a.Reasons(1, &features.Matrix{Schema: schema, X: [][]float32{{3}}}, 0, []float64{1})
		if r[0].Text == "" || r[0].Text != entry.Say(3, 1, "") || r[0].Actionable != (entry.Actionable && entry.Monotone >= 0) {
			t.Errorf("%s: %+v", name, r[0])
		}
	}
}

// A last NPS of 10 may stand beside a risk that the model sees; nobody can act on it.
func TestNothingToMendIsNotActionable(t *testing.T) {
	a := &models.Artifact{Catalogue: features.DefaultCatalogue()}
	const less, more, either = "survey_nps_last", "ticket_late_count_84d", "usage_sessions_count_28d"
	for _, c := range []struct {
		feature                        string
		value, reference, contribution float64
		want                           bool
	}{
		{less, 10, 8, .1, false},
		{less, 8, 8, .1, true},
		{less, 3, 8, .1, true},
		{less, 10, 8, -.1, true},
		{less, math.NaN(), 8, .1, true},
		{less, 10, math.NaN(), .1, true},
		{more, 0, 1, .1, false},
		{more, 2, 1, .1, true},
		{either, 60, 14, .1, true},
		{either, 3, 14, .1, true},
		{"profile_tenure_days", 60, 300, .1, false},
		{"nothing_known", 1, 2, .1, false},
		{models.OtherReason, 1, 2, .1, false},
	} {
		r := models.Reason{Feature: c.feature, Contribution: c.contribution}
		if c.value == c.value {
			r.Value = &c.value
		}
		if c.reference == c.reference {
			r.Reference = &c.reference
		}
		if got := a.Actionable(&r); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

func TestMedians(t *testing.T) {
	nan := float32(math.NaN())
	x := &features.Matrix{
		Schema: features.Schema{{Name: "even"}, {Name: "odd"}, {Name: "none"}, {Name: "c", Kind: features.Categorical, Levels: []string{"x"}}},
		X:      [][]float32{{4, 1, nan, 2, 3}, {9, nan, 1, nan, 2}, {nan, nan, nan, nan, nan}, {0, 0, 0, 0, 0}},
	}
	got := models.Medians(x)
	if got[0] != 2.5 || got[1] != 2 || !math.IsNaN(got[2]) || !math.IsNaN(got[3]) {
		t.Errorf("medians %v", got)
	}
}

func TestMainReasonPrefersWhatCanBeActedOn(t *testing.T) {
	up := models.Reason{Feature: "tenure", Contribution: .9}
	lever := models.Reason{Feature: "late_replies", Contribution: .2, Actionable: true}
	down := models.Reason{Feature: "usage", Contribution: -1, Actionable: true}
	other := models.Reason{Feature: models.OtherReason, Contribution: 3}
	month := 30.
	typical := models.Reason{Feature: "billing_days", Value: &month, Reference: &month, Contribution: .5, Actionable: true}
	for _, c := range []struct {
		name    string
		reasons []models.Reason
		want    string
	}{
		{"one that can be acted on, though another is stronger", []models.Reason{down, up, lever, other}, "late_replies"},
		{"one that is not as everywhere", []models.Reason{up, typical, lever, other}, "late_replies"},
		{"one that raises the risk before what is as everywhere", []models.Reason{up, typical, other}, "tenure"},
		{"one that raises the risk, where none can be acted on", []models.Reason{down, up, other}, "tenure"},
		{"the strongest, where none raises it", []models.Reason{down, other}, "usage"},
		{"none but other", []models.Reason{other}, ""},
	} {
		got := ""
		if r := models.MainReason(c.reasons); r != nil {
			got = r.Feature
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
