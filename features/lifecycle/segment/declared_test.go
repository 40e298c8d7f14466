package segment

import (
	"math"
	"strings"
	"testing"

	"retain/features"
	"retain/features/lifecycle"
)

func TestDeclaredTakesTheFirstThatHolds(t *testing.T) {
	d, err := ParseDeclared([]byte(`
attributes: [industry]
segments:
  - {name: large, title: Large accounts, rule: f.subscription_mrr_sum >= 500}
  - {name: banks, rule: 'f.profile_industry == "bank"'}
  - {name: quiet, rule: f.usage_sessions_count_28d < 1}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	nan := float32(math.NaN())
	x := &features.Matrix{}
	for _, e := range d.Features {
		switch e.Name {
		case "subscription_mrr_sum":
			x.Schema, x.X = append(x.Schema, features.Column{Name: e.Name}), append(x.X, []float32{500, 10, 10, nan})
		case "profile_industry":
			if e.Measure.Key != "industry" {
				t.Errorf("measure %+v", e.Measure)
			}
			x.Schema, x.X = append(x.Schema, features.Column{Name: e.Name, Kind: features.Categorical, Levels: []string{"bank", "toys"}}), append(x.X, []float32{0, 0, 1, nan})
		case "usage_sessions_count_28d":
			x.Schema, x.X = append(x.Schema, features.Column{Name: e.Name}), append(x.X, []float32{0, 0, 0, 9})
		default:
			t.Errorf("feature %s", e.Name)
		}
	}
	for i, want := range []int{0, 1, 2, -1} {
		if got := d.Of(&Member{lifecycle.Columns(x), i}); got != want {
			t.Errorf("customer %d is in %d, want %d", i, got, want)
		}
	}
}

func TestDeclaredTellsEveryProblem(t *testing.T) {
	_, err := ParseDeclared([]byte("attributes: [In-dustry]\nsegments: [{name: other, rule: 'true'}, {name: a, rule: 'f.nothing > 1'}, {name: a, rule: 1 + }]\n"), nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{`"In-dustry"`, `"other"`, "no feature nothing", `"a" does not read`, "segments, a: rule: column"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	for text, part := range map[string]string{"segments: []": "want 1 to", "segmnts: []": "segmnts", "segments: []\n---\n{}": "more than one document"} {
		if _, err := ParseDeclared([]byte(text), nil); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v lacks %q", text, err, part)
		}
	}
}
