package features

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEverySourceTellsWhoExists: a row of any source a moment before the cutoff makes a customer exist, one at the cutoff does not;
// any source of events can be the activity, its events the leaving, and its rows the watermark.
func TestEverySourceTellsWhoExists(t *testing.T) {
	cutoff := utc(t, "2022-06-01")
	var w world
	everyone := []string{}
	for i, source := range eventSources() {
		everyone = append(everyone, source)
		for k, at := range []time.Time{cutoff.Add(-time.Millisecond), cutoff} {
			id := []string{source, "of the future"}[k]
			if source == Subscriptions {
				w.periods = append(w.periods, periodRow{customer: id, id: i, started: at})
				continue
			}
			w.events = append(w.events, eventRow{source: source, customer: id, id: i, at: at, channel: "left"})
		}
	}
	slices.Sort(everyone)
	s := w.store(t)
	for _, source := range eventSources() {
		silence := ChurnSpec{Setting: NonContractual, Activity: []string{source}, ActiveDays: 1, HorizonDays: 30}
		p := populationOf(t, s, silence, cutoff)
		if diff := cmp.Diff(everyone, p.Customer); diff != "" {
			t.Errorf("%s: %s", source, diff)
		}
		if diff := cmp.Diff([]string{source}, p.Eligible()); diff != "" {
			t.Errorf("activity of %s: %s", source, diff)
		}
		if y := labelsOf(t, s, silence, p, time.Time{}).Y; len(y) != 1 || y[0] != 1 {
			t.Errorf("silence of %s: labels %v", source, y)
		}
		if d, err := s.Watermark(t.Context(), silence); err != nil || !d.Equal(cutoff) {
			t.Errorf("watermark of %s: %v, %v", source, d, err)
		}
		if source == Subscriptions || source == Purchases {
			continue // their event matches are tested with the settings
		}
		leaving := ChurnSpec{Setting: EventSetting, HorizonDays: 30, Event: &EventSpec{Source: source, Match: map[string]string{"channel": "left"}}}
		gone := asMap(t, populationOf(t, s, leaving, cutoff))
		for _, id := range everyone {
			want := [2]string{StatusScored, ""}
			if id == source {
				want = [2]string{StatusAlreadyChurned, ""}
			}
			if gone[id] != want {
				t.Errorf("leaving by %s: %s is %v", source, id, gone[id])
			}
		}
	}
}

// TestSubscriptionsAsEvent: a period of a plan can be the start.
func TestSubscriptionsAsEvent(t *testing.T) {
	s := world{}.store(t)
	cutoff := utc(t, "2022-06-01")
	s.Sources = Sources{Subscriptions: {Table: "contracts", Columns: map[string]string{"started_at": "began", "plan": "kind"}}}
	for _, q := range []string{
		"CREATE TABLE contracts (customer_id String, began Date, kind String) ENGINE = MergeTree ORDER BY customer_id",
		"INSERT INTO contracts VALUES ('a', '2022-05-01', 'trial'), ('b', '2022-05-01', 'trial'), ('b', '2022-05-10', 'gold'), ('c', '2022-06-01', 'gold')",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	c := ChurnSpec{Setting: EventSetting, HorizonDays: 10, Event: &EventSpec{Source: Usage, Match: map[string]string{"feature": "closed"},
		Start: &EventMatch{Source: Subscriptions, Match: map[string]string{"plan": "gold"}}}}
	want := map[string][2]string{"a": {StatusInsufficientHistory, ""}, "b": {StatusScored, ""}}
	if diff := cmp.Diff(want, asMap(t, populationOf(t, s, c, cutoff))); diff != "" {
		t.Error(diff)
	}
}
