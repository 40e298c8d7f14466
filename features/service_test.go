package features

import (
	"math"
	"testing"
	"time"
)

// service is the columns of a few customers at a cutoff, by hand.
func service(t *testing.T, w *refWorld, cutoff int64, ids []string, entries ...string) map[string][]float32 {
	t.Helper()
	s := w.store(t)
	c := DefaultCatalogue().Only(entries)
	if len(c.Entries) != len(entries) {
		t.Fatalf("%d of %d entries", len(c.Entries), len(entries))
	}
	got, err := s.Snapshot(t.Context(), c, everyone(t, s, time.UnixMilli(cutoff).UTC(), ids))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for j, e := range c.Entries {
		out[e.Name] = got.X.X[j]
	}
	return out
}

var missing = float32(math.NaN())

func same32(a, b float32) bool { return a == b || a != a && b != b }

func TestTicketsByHand(t *testing.T) {
	at := func(hours float64) int64 { return refStart + int64(hours*3600_000) }
	ticket := func(id string, event int, opened float64, num map[string]float64) refRow {
		for k, v := range num {
			if k == "first_reply_at" || k == "resolved_at" {
				num[k] = float64(at(v))
			}
		}
		return refRow{source: Tickets, customer: id, event: event, at: at(opened), ingested: at(opened), hash: uint64(len(id)*100 + event), num: num, text: map[string]string{}}
	}
	w := &refWorld{rows: []refRow{
		{source: Customers, customer: "z", at: at(0), ingested: at(0), text: map[string]string{}}, // no ticket at all
		// Replied after 2, exactly 24 and 31 hours: one late, the median 24.
		ticket("a", 1, 0, map[string]float64{"first_reply_at": 2, "resolved_at": 3, "reopened": 2, "satisfaction": 5, "self_served": 0}),
		ticket("a", 2, 10, map[string]float64{"first_reply_at": 34, "resolved_at": 50, "satisfaction": 2, "self_served": 0}),
		ticket("a", 3, 20, map[string]float64{"first_reply_at": 51}),
		// Waiting for 24 hours sharp, and for more.
		ticket("b", 1, 976, map[string]float64{}),
		ticket("c", 1, 976-.001, map[string]float64{}),
		// Solved alone after two days, and replied to at the cutoff, which is the future.
		ticket("d", 1, 900, map[string]float64{"resolved_at": 948, "self_served": 1}),
		ticket("e", 1, 999, map[string]float64{"first_reply_at": 1000, "resolved_at": 1000, "satisfaction": 1}),
	}}
	got := service(t, w, at(1000), []string{"a", "b", "c", "d", "e", "z"}, "ticket_count_84d", "ticket_open_count", "ticket_open_oldest_days",
		"ticket_reply_hours_median_84d", "ticket_late_count_84d", "ticket_reopened_sum_84d", "ticket_self_served_share_84d", "ticket_satisfaction_last")
	for name, want := range map[string][]float32{
		"ticket_count_84d":              {3, 1, 1, 1, 1, 0},
		"ticket_open_count":             {1, 1, 1, 0, 1, 0},
		"ticket_open_oldest_days":       {float32(980. / 24), 1, float32(24.001 / 24), missing, float32(1. / 24), missing},
		"ticket_reply_hours_median_84d": {24, missing, missing, missing, missing, missing},
		"ticket_late_count_84d":         {1, 0, 1, 0, 0, 0},
		"ticket_reopened_sum_84d":       {2, 0, 0, 0, 0, 0},
		"ticket_self_served_share_84d":  {0, missing, missing, 1, missing, missing},
		"ticket_satisfaction_last":      {2, missing, missing, missing, missing, missing},
	} {
		for i, v := range want {
			if x := got[name][i]; !same32(x, v) && math.Abs(float64(x-v)) > 1e-5 {
				t.Errorf("%s: %v, want %v", name, got[name], want)
				break
			}
		}
	}
}

// TestTicketCorrection: a later version of a ticket holds from the instant at which it became known, and not before.
func TestTicketCorrection(t *testing.T) {
	at := func(d float64) int64 { return refStart + int64(d*dayMS) }
	first := refRow{source: Tickets, customer: "a", event: 1, at: at(1), ingested: at(1), mapped: true, hash: 1, num: map[string]float64{}, text: map[string]string{"channel": "phone"}}
	second := first
	second.ingested, second.hash = at(10), 2
	second.num = map[string]float64{"first_reply_at": float64(at(4)), "resolved_at": float64(at(5)), "satisfaction": 3}
	second.text = map[string]string{"channel": "forum"}
	other := first
	other.event, other.hash, other.at, other.ingested = 2, 3, at(2), at(2)
	other.num = map[string]float64{"first_reply_at": float64(at(2)), "resolved_at": float64(at(2.5)), "satisfaction": 5}
	w := &refWorld{rows: []refRow{first, second, other}}
	names := []string{"ticket_count_28d", "ticket_open_count", "ticket_late_count_84d", "ticket_public_count_84d", "ticket_satisfaction_last"}
	for _, step := range []struct {
		name   string
		cutoff int64
		want   []float32
	}{
		{"the correction at the cutoff is the future, although the reply lies before", at(10), []float32{2, 1, 1, 0, 5}},
		{"a moment later it holds", at(10) + 1, []float32{2, 0, 1, 1, 5}},
	} {
		got := service(t, w, step.cutoff, []string{"a"}, names...)
		for i, name := range names {
			if x := got[name][0]; x != step.want[i] {
				t.Errorf("%s: %s is %v, want %v", step.name, name, x, step.want[i])
			}
		}
	}
}

// TestWhatIsNeverRecorded: without any end or reply of a ticket, and without any outcome of a contact, nothing looks open, late or ignored.
func TestWhatIsNeverRecorded(t *testing.T) {
	at := func(d float64) int64 { return refStart + int64(d*dayMS) }
	w := &refWorld{}
	for i, source := range []string{Tickets, Contacts} {
		w.rows = append(w.rows, refRow{source: source, customer: "a", event: 1, at: at(1), ingested: at(1), hash: uint64(i), num: map[string]float64{}, text: map[string]string{"outcome": "accepted"}})
	}
	names := []string{"ticket_count_84d", "ticket_open_count", "ticket_open_oldest_days", "ticket_late_count_84d", "contact_ignored_share_28d"}
	got := service(t, w, at(20), []string{"a"}, names...)
	for i, want := range []float32{1, missing, missing, missing, missing} {
		if x := got[names[i]][0]; !same32(x, want) {
			t.Errorf("%s is %v, want %v", names[i], x, want)
		}
	}
}

func TestSurveysByHand(t *testing.T) {
	at := func(d float64) int64 { return refStart + int64(d*dayMS) }
	survey := func(event int, d float64, kind string, score float64) refRow {
		r := refRow{source: Surveys, customer: "a", event: event, at: at(d), ingested: at(d), hash: uint64(event), num: map[string]float64{}, text: map[string]string{"kind": kind}}
		if score >= 0 {
			r.num["score"] = score
		}
		return r
	}
	w := &refWorld{rows: []refRow{
		{source: Customers, customer: "z", at: at(0), ingested: at(0), text: map[string]string{}},
		survey(1, 1, "nps", 9), survey(2, 10, "csat", 3), survey(3, 20, "nps", 6), survey(4, 30, "nps", -1), survey(5, 40, "nps", 0), // the last at the cutoff
	}}
	names := []string{"survey_nps_last", "survey_nps_recency_days", "survey_nps_last_change", "survey_nps_answers_count_365d", "survey_silent_share_365d", "survey_csat_last"}
	got := service(t, w, at(40), []string{"a", "z"}, names...)
	for i, want := range [][]float32{{6, missing}, {20, missing}, {-3, missing}, {2, 0}, {.25, missing}, {3, missing}} {
		for k := range want {
			if x := got[names[i]][k]; !same32(x, want[k]) {
				t.Errorf("%s is %v, want %v", names[i], got[names[i]], want)
			}
		}
	}
}
