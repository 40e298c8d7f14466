package kpi_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/features/lifecycle/kpi"
)

// mutations makes each figure wrong, which has to differ from the plain count. Most mutations move an edge by one instant.
func (f *fixture) mutations(t *testing.T) {
	mutated := map[string]bool{}
	for _, m := range []struct{ name, from, to string }{
		{"lead_volume", "p.paid = 0 OR ", "1 OR "},
		{"lead_volume", "min(l.at)", "max(l.at)"},
		{"lead_volume", "kind IN {interest:Array(String)}", "kind != ''"},
		{"inquiry_rate", "kind = 'inquiry'", "kind = 'form'"},
		{"visit_to_buy_ratio", "kind = 'visit'", "kind != 'visit'"},
		{"visit_to_buy_ratio", "toUnixTimestamp64Milli(t.at) < p.paid_ms", "toUnixTimestamp64Milli(t.at) + 1 < p.paid_ms"},
		{"stage_conversion", ") > indexOf", ") >= indexOf"},
		{"activation_rate", "u.ms < b.born_ms", "u.ms <= b.born_ms"},
		{"onboarding_depth", "u.ms >= b.born_ms", "u.ms > b.born_ms"},
		{"active_rate", "p.here", "p.after"},
		{"churn_rate", "m.2 <= p.2", "m.2 < p.2"},
		{"churn_rate", "held.2 < m.3", "held.2 <= m.3"},
		{"churn_rate", "p.1 <= joined", "p.1 < joined"},
		{"retention_rate", "NOT gone", "after"},
		{"gross_revenue_retention", "least(before, after)", "after"},
		{"gross_revenue_retention", "GROUP BY customer_id, subscription_id", "GROUP BY customer_id, subscription_id, started_ms"},
		{"net_revenue_retention", "next - p.2 <= ", "next - p.2 < "},
		{"net_revenue_retention", "m.2 <= p.2", "m.2 < p.2"},
		{"repeat_purchase_rate", "d < m.3", "d <= m.3"},
		{"repeat_purchase_rate", "n > 1", "n > 2"},
		{"early_churn_first", "] < waited_ms", "] <= waited_ms"},
		{"early_churn_first", "b.waited_ms <= p.2", "b.waited_ms > p.2"},
		{"early_churn_second", "] < waited_ms", "] <= waited_ms"},
		{"nps", "score >= 9", "score > 9"},
		{"nps", "score < 7", "score <= 7"},
		{"nps", "kind = 'nps' AND ", ""},
		{"nps_response_rate", "countIf(isNotNull(score))", "countIf(score > 0)"},
		{"csat", "answer * 5 >= ", "answer * 5 > "},
		{"first_reply_median", "toYYYYMM(replied)", "toYYYYMM(opened)"},
		{"late_answer_rate", "answered_ms > ", "answered_ms >= "},
		{"late_answer_rate", "NOT ifNull(self_served, false)", "1"},
		{"single_channel_share", "replaceRegexpAll(lower(trimBoth(way)), '[ -]+', '_')", "way"},
		{"single_channel_share", "w.ways = 1", "w.ways < 3"},
		{"same_channel_resolution_rate", "'[ -]+', '_'", "'-', '+'"},
		{"referral_rate", "WHERE p.here", "WHERE p.after"},
		{"discount_share", "NOT ifNull(returned, false)", "1"},
		{"existing_budget_share", "p.day_ms < s.day_ms", "p.day_ms <= s.day_ms"},
		{"neglected_customers", "d >= p.m.3", "d > p.m.3"},
		{"neglected_share", "d < p.m.3", "d <= p.m.3"},
	} {
		t.Run(m.name+" "+m.from, func(t *testing.T) {
			restore, held := kpi.Mutate(m.name, m.from, m.to)
			defer restore()
			o := f.options(contractual(), kpi.Everyone)
			o.Names = []string{m.name}
			list, _ := f.differences(t, o)
			switch {
			case !held():
				t.Fatalf("the statement does not hold %q", m.from)
			case len(list) == 0:
				t.Error("nobody would have seen it")
			}
		})
		mutated[m.name] = true
	}
	for _, name := range kpi.Names() {
		if !mutated[name] {
			t.Errorf("no wrong definition of %s was tried", name)
		}
	}
}

// earlier stands at another cutoff, which gives what was known then, with the limits elsewhere.
func (f *fixture) earlier(t *testing.T) {
	o := f.options(contractual(), kpi.Everyone)
	o.Cutoff = time.Date(2026, 5, 3, 9, 30, 0, 0, time.UTC)
	o.Churn.GraceDays = 5
	o.Thresholds = kpi.Thresholds{ActivationFeatures: 4, LateHours: 5, NeglectDays: 30, EarlyDays: 40}
	o.Sets = slices.DeleteFunc(slices.Clone(f.sets), func(s stageSet) bool { return s.Cutoff.After(o.Cutoff) })
	list, _ := f.differences(t, o)
	for _, fault := range list {
		t.Error(fault)
	}
	report, err := kpi.Compute(t.Context(), f.store, o)
	if err != nil {
		t.Fatal(err)
	}
	if last := report.Months[len(report.Months)-1]; !last.Equal(time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)) || len(report.Months) != 12 {
		t.Errorf("%d months until %v, want the 12 that are over, until April", len(report.Months), last)
	}
	// One thread gives the same bytes.
	again, err := kpi.Compute(clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1, "max_block_size": 100})), f.store, o)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(report)
	b, _ := json.Marshal(again)
	if string(a) != string(b) {
		t.Error("one thread gives other figures than many")
	}
}
