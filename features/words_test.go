package features

import (
	"math"
	"testing"
)

func TestSay(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		entry            string
		value, reference float64
		level, want      string
	}{
		{"purchase_recency_days", 143, 96, "", "last purchase 143 days ago (typical 96)"},
		{"purchase_recency_days", 143, nan, "", "last purchase 143 days ago"},
		{"purchase_recency_days", 1, 96.4, "", "last purchase 1 day ago (typical 96.4)"},
		{"purchase_recency_days", nan, 96, "", "never bought"},
		{"usage_sessions_change_28d", -.62, .1, "", "usage down 62 % against the month before"},
		{"usage_sessions_change_28d", 10, .1, "", "usage up 1,000 % against the month before"},
		{"usage_sessions_change_28d", .001, .1, "", "usage unchanged against the month before"},
		{"purchase_amount_sum_365d", 1234567.891, 20, "", "spent 1,234,567.89 in the last year (typical 20.00)"},
		{"purchase_count_90d", 1, 2, "", "1 order in the last 90 days (typical 2)"},
		{"purchase_count_90d", 0, 2, "", "0 orders in the last 90 days (typical 2)"},
		{"usage_users_per_seat_28d", .384, .5, "", "38 % of the seats in use (typical 50 %)"},
		{"subscription_auto_renew", 0, 1, "", "automatic renewal is off"},
		{"subscription_paid_beyond", 0, 1, "", "paid time ends within the horizon"},
		{"subscription_paid_beyond", 1, 1, "", "paid time goes beyond the horizon"},
		{"subscription_paid_beyond", nan, 1, "", "no running period with an end"},
		{"subscription_plan_last", 3, 1, "gold", "plan is gold"},
		{"subscription_plan_last", nan, 1, "", "the plan is not known"},
		{"usage_sessions_slope_84d", -0.0123456, 0, "", "weekly use changing by -0.012 a week (typical 0)"},
		{"survey_nps_last", 4, 8, "", "last NPS 4 (typical 8)"},
		{"survey_nps_last", nan, 8, "", "never answered an NPS survey"},
		{"survey_nps_class_last", 0, 1, "detractor", "by the last NPS a detractor"},
		{"survey_nps_last_change", -3, 0, "", "last NPS -3 points against the one before (typical 0)"},
		{"survey_silent_share_365d", .75, .5, "", "75 % of surveys not answered (typical 50 %)"},
		{"ticket_open_count", 2, 0, "", "2 tickets open (typical 0)"},
		{"ticket_open_count", 1, nan, "", "1 ticket open"},
		{"ticket_open_oldest_days", 12.5, nan, "", "a ticket open for 12.5 days"},
		{"ticket_reply_hours_median_84d", 31, 4, "", "first reply took 31 hours (typical 4)"},
		{"ticket_reply_hours_median_84d", 1, 4, "", "first reply took 1 hour (typical 4)"},
		{"ticket_late_count_84d", 2, 0, "", "2 tickets waited over a day for a reply (typical 0)"},
		{"ticket_public_count_84d", 1, 0, "", "1 public complaint in the last 12 weeks (typical 0)"},
		{"contact_ignored_share_28d", 1, .5, "", "100 % of contacts ignored (typical 50 %)"},
		{"subscription_seat_price_decayed_60d", .12, 0, "", "price of a seat up 12 % at recent renewals"},
	} {
		e, ok := DefaultCatalogue().Entry(c.entry)
		if !ok {
			t.Errorf("no entry %s", c.entry)
		}
		if got := e.Say(c.value, c.reference, c.level); got != c.want {
			t.Errorf("%s: %q, want %q", c.entry, got, c.want)
		}
	}
}

func TestMembersAreSpokenSafely(t *testing.T) {
	family := Entry{Name: "usage_{each}_count", Each: "feature", Unit: UnitCount, Words: "{each} used {value} time{s}[ (typical {typical})]", Missing: "{each} unknown"}
	e := family.member("A/B [new] {s}")
	if e.Name != "usage_a_b_new_s_count" {
		t.Error(e.Name)
	}
	if got, want := e.Say(2, math.NaN(), ""), "A/B (new) (s) used 2 times"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if a, b := family.member("日本").Name, family.member("中国").Name; a == b {
		t.Errorf("two values are both %s", a)
	}
}
