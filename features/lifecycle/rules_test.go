package lifecycle_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/rule"
)

func load(t testing.TB, preset string) *lifecycle.Rules {
	t.Helper()
	r, err := lifecycle.Load(preset, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// someone is a customer with features by name; what is not named is missing.
func someone(r *lifecycle.Rules, status string, values map[string]float64) *lifecycle.Customer {
	c := &lifecycle.Customer{Status: status, Features: &rule.Columns{X: make([][]float32, len(r.Features)), Levels: make([][]string, len(r.Features))}}
	for k, e := range r.Features {
		if v, ok := values[e.Name]; ok {
			c.Features.X[k] = []float32{float32(v)}
		}
	}
	return c
}

func TestPresets(t *testing.T) {
	for _, name := range lifecycle.Presets {
		if r := load(t, name); r.Set.Name != name || r.Name(0) != r.Set.Stages[0].Name {
			t.Errorf("%s calls itself %s", name, r.Set.Name)
		}
	}
	if _, err := lifecycle.Load("spiral", nil); err == nil {
		t.Error("no error for a preset that is none")
	}
}

// Who stands where, by hand from the words of the presets.
func TestStages(t *testing.T) {
	type values = map[string]float64
	active := values{"subscription_age_days": 200, "subscription_running_count": 1, "subscription_renewals_count": 6, "usage_recency_days": 1, "usage_sessions_change_28d": .1, "profile_tenure_days": 230}
	with := func(more values) values {
		out := values{}
		for _, from := range []values{active, more} {
			for k, v := range from {
				out[k] = v
			}
		}
		return out
	}
	for _, c := range []struct {
		name         string
		status, code string
		former       string
		formerDays   float64
		values       values
		want         [5]string // in the order of Presets: full, classic, journey, crm, touchpoint
	}{
		{"a visitor", features.StatusInsufficientHistory, "", "", 0, values{"profile_tenure_days": 3}, [5]string{"awareness", "approach", "awareness", "awareness", "awareness"}},
		{"read something", features.StatusInsufficientHistory, "", "awareness", 30, values{"touchpoint_learning_recency_days": 5}, [5]string{"education", "acquisition", "engagement", "acquisition", "education"}},
		{"signed up", features.StatusInsufficientHistory, "", "education", 30, values{"touchpoint_learning_recency_days": 5, "touchpoint_intent_recency_days": 2}, [5]string{"acquisition", "acquisition", "engagement", "acquisition", "acquisition"}},
		{"lost interest", features.StatusInsufficientHistory, "", "acquisition", 30, values{"touchpoint_learning_recency_days": 90, "touchpoint_intent_recency_days": 60}, [5]string{"awareness", "approach", "awareness", "awareness", "awareness"}},
		{"a lead is no advocate", features.StatusInsufficientHistory, "", "", 0, values{"touchpoint_referral_recency_days": 5}, [5]string{"awareness", "approach", "awareness", "awareness", "awareness"}},
		{"bought last week", features.StatusScored, "", "acquisition", 10, with(values{"subscription_age_days": 7, "touchpoint_intent_recency_days": 8}), [5]string{"onboarding", "conversion", "conversion", "onboarding", "onboarding"}},
		{"new and silent is still new", features.StatusScored, "", "", 0, with(values{"subscription_age_days": 89, "usage_recency_days": 40}), [5]string{"onboarding", "conversion", "conversion", "onboarding", "onboarding"}},
		{"new and too young to be scored", features.StatusNotEligible, features.CodeTenure, "", 0, with(values{"subscription_age_days": 20}), [5]string{"onboarding", "conversion", "conversion", "onboarding", "onboarding"}},
		{"90 days on", features.StatusScored, "", "onboarding", 90, with(values{"subscription_age_days": 90}), [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"uses half", features.StatusScored, "", "engagement", 90, with(values{"usage_sessions_change_28d": -.6}), [5]string{"retention", "retention", "retention", "retention", "usage"}},
		{"silent for three weeks", features.StatusScored, "", "loyalty", 90, with(values{"subscription_age_days": 500, "usage_recency_days": 22}), [5]string{"retention", "retention", "retention", "retention", "usage"}},
		{"cancelled", features.StatusNotEligible, features.CodeCancelPending, "loyalty", 90, with(values{"subscription_age_days": 500}), [5]string{"retention", "retention", "retention", "retention", "usage"}},
		{"cancelled in the first weeks", features.StatusNotEligible, features.CodeCancelPending, "", 0, with(values{"subscription_age_days": 30}), [5]string{"retention", "conversion", "conversion", "retention", "onboarding"}},
		{"a year and renewed", features.StatusScored, "", "engagement", 300, with(values{"subscription_age_days": 365}), [5]string{"loyalty", "loyalty", "loyalty", "engagement", "loyalty"}},
		{"a year, never renewed", features.StatusScored, "", "engagement", 300, with(values{"subscription_age_days": 365, "subscription_renewals_count": 0}), [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"promoter", features.StatusScored, "", "", 0, with(values{"survey_nps_last": 9, "survey_nps_recency_days": 30}), [5]string{"advocacy", "retention", "retention", "advocacy", "usage"}},
		{"passive", features.StatusScored, "", "", 0, with(values{"survey_nps_last": 8, "survey_nps_recency_days": 30}), [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"recommended us", features.StatusScored, "", "", 0, with(values{"touchpoint_referral_recency_days": 179}), [5]string{"advocacy", "retention", "retention", "advocacy", "usage"}},
		{"recommended us, and would not any more", features.StatusScored, "", "", 0, with(values{"touchpoint_referral_recency_days": 100, "survey_nps_last": 6, "survey_nps_recency_days": 20}), [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"recommended us, and was in two minds", features.StatusScored, "", "", 0, with(values{"touchpoint_referral_recency_days": 100, "survey_nps_last": 7, "survey_nps_recency_days": 20}), [5]string{"advocacy", "retention", "retention", "advocacy", "usage"}},
		{"recommended us, long after a bad mark", features.StatusScored, "", "", 0, with(values{"touchpoint_referral_recency_days": 5, "survey_nps_last": 0, "survey_nps_recency_days": 180}), [5]string{"advocacy", "retention", "retention", "advocacy", "usage"}},
		{"gone", features.StatusAlreadyChurned, "", "loyalty", 300, with(values{"subscription_running_count": 0, "touchpoint_intent_recency_days": 1}), [5]string{"churned", "churned", "churned", "churned", "churned"}},
		{"back after leaving", features.StatusScored, "", "churned", 40, active, [5]string{"won_back", "won_back", "won_back", "won_back", "won_back"}},
		{"back for 89 days", features.StatusScored, "", "won_back", 89, active, [5]string{"won_back", "won_back", "won_back", "won_back", "won_back"}},
		{"back for 90 days", features.StatusScored, "", "won_back", 90, active, [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"opted out, still paying", features.StatusOptedOut, "", "", 0, active, [5]string{"engagement", "retention", "retention", "engagement", "usage"}},
		{"opted out and gone", features.StatusOptedOut, "", "churned", 9, with(values{"subscription_running_count": 0}), [5]string{"churned", "churned", "churned", "churned", "churned"}},
		{"opted out, never bought", features.StatusOptedOut, "", "", 0, values{"subscription_running_count": 0, "touchpoint_learning_recency_days": 5}, [5]string{"education", "acquisition", "engagement", "acquisition", "education"}},
		{"buys, no subscription", features.StatusScored, "", "", 0, values{"purchase_tenure_days": 400, "purchase_days_all": 3, "purchase_recency_days": 20, "purchase_overdue_ratio": .5}, [5]string{"loyalty", "loyalty", "loyalty", "engagement", "loyalty"}},
		{"buys, overdue", features.StatusScored, "", "", 0, values{"purchase_tenure_days": 400, "purchase_days_all": 5, "purchase_recency_days": 100, "purchase_overdue_ratio": 3.5}, [5]string{"retention", "retention", "retention", "retention", "usage"}},
		{"bought once, long ago", features.StatusScored, "", "", 0, values{"purchase_tenure_days": 200, "purchase_days_all": 1, "purchase_recency_days": 200}, [5]string{"retention", "retention", "retention", "retention", "usage"}},
		{"uses only, for years", features.StatusScored, "", "", 0, values{"profile_tenure_days": 900, "usage_recency_days": 2}, [5]string{"loyalty", "loyalty", "loyalty", "engagement", "loyalty"}},
	} {
		for k, preset := range lifecycle.Presets {
			t.Run(c.name+"/"+preset, func(t *testing.T) {
				r := load(t, preset)
				who := someone(r, c.status, c.values)
				who.StatusCode, who.Former, who.FormerDays = c.code, c.former, c.formerDays
				if got := r.Name(r.Stage(who)); got != c.want[k] {
					t.Errorf("%s, want %s", got, c.want[k])
				}
			})
		}
	}
}

// Everybody has exactly one stage, whatever is known, and asking twice gives the same.
func TestEverybodyHasAStage(t *testing.T) {
	statuses := []string{features.StatusScored, features.StatusAlreadyChurned, features.StatusNotEligible, features.StatusInsufficientHistory, features.StatusOptedOut, "erased", ""}
	for _, preset := range lifecycle.Presets {
		r := load(t, preset)
		rapid.Check(t, func(t *rapid.T) {
			values := map[string]float64{}
			for _, e := range r.Features {
				if rapid.Bool().Draw(t, e.Name+" is known") {
					values[e.Name] = rapid.Float64Range(-2, 800).Draw(t, e.Name)
				}
			}
			c := someone(r, rapid.SampledFrom(statuses).Draw(t, "status"), values)
			c.StatusCode = rapid.SampledFrom([]string{"", features.CodeCancelPending, features.CodeInGrace, features.CodeTenure}).Draw(t, "code")
			c.Former = rapid.SampledFrom(append(r.Set.Names(), "")).Draw(t, "former")
			c.FormerDays = rapid.Float64Range(0, 1000).Draw(t, "former days")
			place := r.Stage(c)
			if place < 0 || place >= len(r.Set.All()) || r.Stage(c) != place {
				t.Fatalf("place %d", place)
			}
			if name := r.Name(place); (name == lifecycle.Churned) != (c.Status == features.StatusAlreadyChurned) && c.Status != features.StatusOptedOut {
				t.Fatalf("status %s stands in %s", c.Status, name)
			}
		})
	}
}

func BenchmarkStage(b *testing.B) {
	r := load(b, lifecycle.Presets[0])
	c := someone(r, features.StatusScored, map[string]float64{"subscription_age_days": 200, "subscription_running_count": 1, "subscription_renewals_count": 6, "usage_recency_days": 1,
		"usage_sessions_change_28d": .1, "survey_nps_last": 8, "touchpoint_referral_recency_days": math.NaN()})
	b.ReportAllocs()
	for b.Loop() {
		r.Stage(c)
	}
}
