package features

import (
	"strings"
	"testing"
)

// TestPreviewOfAnEventThatNeverCame: a word that is spelled otherwise is named with what there is; one that occurs is not.
func TestPreviewOfAnEventThatNeverCame(t *testing.T) {
	w := world{}
	for i, at := range []string{"2022-01-10", "2022-04-20", "2022-05-30", "2022-07-01"} {
		w.events = append(w.events, eventRow{source: Touchpoints, customer: "a", id: i, at: utc(t, at), channel: []string{"web", "app", "web", "web"}[i]})
	}
	s := w.store(t)
	from := utc(t, "2022-05-01")
	for _, k := range []struct{ name, leaving, start, want string }{
		{"both occur", "web", "app", ""},
		{"leaving", "Web", "app", "churn.event: no row of touchpoints has channel = Web, which is compared byte for byte; the most frequent values are web, app"},
		{"start", "web", "phone", "churn.event.start: no row of touchpoints has channel = phone, which"},
	} {
		c := ChurnSpec{Setting: EventSetting, HorizonDays: 30, Event: &EventSpec{
			Source: Touchpoints, Match: map[string]string{"channel": k.leaving}, Start: &EventMatch{Source: Touchpoints, Match: map[string]string{"channel": k.start}},
		}}
		got, err := s.Preview(t.Context(), c, Grid{Every: "month", From: &from})
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Join(got.Warnings, "\n")
		if k.want == "" && strings.Contains(told, "no row of") || !strings.Contains(told, k.want) {
			t.Errorf("%s: %q, want %q", k.name, told, k.want)
		}
	}
}
