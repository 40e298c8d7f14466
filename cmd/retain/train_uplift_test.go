package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"retain/training"
	"retain/training/metrics"
)

// Subgroups stand in a table of their own, those without rows with nothing in place of figures; without subgroups there is no table.
func TestUpliftSubgroupsAreTold(t *testing.T) {
	nan := metrics.Figure(math.NaN())
	none := training.UpliftEffect{Treated: nan, Control: nan, Uplift: nan, Interval: metrics.Interval{nan, nan}}
	report := &training.UpliftTrainReport{Cutoffs: []time.Time{time.Unix(0, 0).UTC()}, Actions: []training.UpliftAction{{Action: "check_in", Effect: none, Qini: nan, Interval: metrics.Interval{nan, nan}}}}
	told := func() string {
		var b bytes.Buffer
		printUpliftTraining(&b, report)
		return b.String()
	}
	if strings.Contains(told(), "subgroup") {
		t.Errorf("a table of nothing:\n%s", told())
	}
	report.Actions[0].Subgroups = []training.UpliftSubgroup{
		{Name: "sleeping", Rule: "f.usage_sessions_count_28d < 10", Expected: "worse", Rows: 1200, Treated: 580, Effect: training.UpliftEffect{Uplift: -.06, Interval: metrics.Interval{-.09, -.03}},
			Others: training.UpliftEffect{Uplift: .02, Interval: metrics.Interval{.01, .03}}, Difference: -.08, Interval: metrics.Interval{-.1116, -.0484}},
		{Name: "nobody", Rule: "f.profile_tenure_days < 0", Effect: none, Others: none, Difference: nan, Interval: metrics.Interval{nan, nan}},
	}
	page := strings.Join(strings.Fields(told()), " ")
	for _, want := range []string{
		"check_in sleeping 1,200 580 -0.0600 -0.0900 to -0.0300 0.0200 -0.0800 -0.1116 to -0.0484 worse f.usage_sessions_count_28d < 10",
		"check_in nobody 0 0", "each interval is for itself",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("want %q in\n%s", want, told())
		}
	}
}
