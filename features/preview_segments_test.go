package features

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Ten levels of 100, 90, … labels: eight rows with that of the unknown, largest first, the rest pooled, and who is not known last.
func TestSegmentsPoolTheRarestLevels(t *testing.T) {
	counts := segmentCounts{}
	customer := int32(0)
	label := func(column, level string, n int) {
		for i := range n {
			y := 0.
			if i == 0 {
				y = 1
			}
			counts.add(column, level, customer, y)
			customer++
		}
	}
	label("plan", "", 200)
	for k := range 10 {
		label("plan", string(rune('j'-k)), 100-10*k)
	}
	label("region", "north", 50) // tells nothing apart
	type row struct {
		Level             string
		Pooled            bool
		Labelled, Churned int
	}
	var got []row
	for _, s := range counts.previews() {
		if s.Column != "plan" {
			t.Errorf("column %s", s.Column)
		}
		got = append(got, row{s.Level, s.Pooled, s.Labelled, s.Churned})
	}
	want := []row{{"j", false, 100, 1}, {"i", false, 90, 1}, {"h", false, 80, 1}, {"g", false, 70, 1}, {"f", false, 60, 1}, {"e", false, 50, 1}, {"d", false, 40, 1},
		{"other", true, 60, 3}, {"", false, 200, 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
