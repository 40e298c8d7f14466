package features

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWatermark(t *testing.T) {
	usage := func(at, known string) eventRow {
		e := eventRow{source: Usage, customer: "a", at: utc(t, at)}
		if known != "" {
			e.ingested = utc(t, known)
		}
		return e
	}
	bought := func(at string) eventRow { return eventRow{source: Purchases, customer: "a", at: utc(t, at)} }
	number := func(events ...eventRow) (w world) {
		for i, e := range events {
			e.id = i
			w.events = append(w.events, e)
		}
		return w
	}
	// 98 rows known at once and two that took a day and two: the 99th percentile is a day, or two by the rounding up of ranks.
	var settling []eventRow
	for i := range 98 {
		at := utc(t, "2022-05-01 10:00").Add(time.Duration(i) * time.Hour)
		settling = append(settling, eventRow{source: Usage, customer: "a", at: at, ingested: at.Add(30 * time.Minute)})
	}
	settling = append(settling, usage("2022-05-31 12:00", "2022-06-02 12:00"), usage("2022-05-31 12:00", "2022-06-02 12:00"))

	both := ChurnSpec{Setting: NonContractual, Activity: []string{Usage, Purchases}, ActiveDays: 30, HorizonDays: 30}
	onUsage, contractual := both, both
	onUsage.Activity = []string{Usage}
	contractual.Setting = Contractual
	ends := utc(t, "2023-01-01")
	until := utc(t, "2022-04-04 04:00")
	override := onUsage
	override.DataUntil = &until
	s := world{}.store(t)
	for _, k := range []struct {
		name  string
		spec  ChurnSpec
		world world
		want  string
	}{
		{"the newest time", onUsage, number(usage("2022-05-01", ""), usage("2022-06-30 12:34:56.789", "")), "2022-06-30 12:34:56.789"},
		{"only dates: the end of the day", onUsage, number(usage("2022-05-01", ""), usage("2022-06-30", "")), "2022-07-01"},
		{"one time of day: instants", onUsage, number(usage("2022-05-01 00:00:01", ""), usage("2022-06-30", "")), "2022-06-30"},
		{"the least of the sources", both, number(usage("2022-06-30 12:00", ""), bought("2022-06-20")), "2022-06-21"},
		{"a source that is no activity is not asked", onUsage, number(usage("2022-06-30 12:00", ""), bought("2022-06-20")), "2022-06-30 12:00"},
		{"less the settling time", onUsage, number(settling...), "2022-05-29 12:00"},
		{"known in advance", onUsage, number(usage("2022-05-01 01:00", "2022-05-01 01:00"), usage("2099-01-01", "2022-06-01 08:00")), "2022-06-01 08:00"},
		{"subscriptions by their start", contractual, world{periods: []periodRow{{customer: "a", started: utc(t, "2022-06-05"), ends: &ends}}}, "2022-06-06"},
		{"data_until", override, number(usage("2022-06-30", "")), "2022-04-04 04:00"},
	} {
		t.Run(k.name, func(t *testing.T) {
			k.world.load(t, s.DB)
			got, err := s.Watermark(t.Context(), k.spec)
			if err != nil {
				t.Fatal(err)
			}
			if want := utc(t, k.want); !got.Equal(want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	number(usage("2022-06-30", "")).load(t, s.DB)
	var empty *EmptySourceError
	if _, err := s.Watermark(t.Context(), both); !errors.As(err, &empty) || empty.Source != Purchases {
		t.Errorf("an empty source: %v", err)
	}
}

// Who imported subscriptions, or usage alone, and left churn.setting at its default is told what to set.
func TestWatermarkNamesAnotherSource(t *testing.T) {
	used := eventRow{source: Usage, customer: "a", at: utc(t, "2022-06-30")}
	period := periodRow{customer: "a", started: utc(t, "2022-06-05")}
	s := world{}.store(t)
	for _, k := range []struct {
		world world
		spec  ChurnSpec
		want  string // how the error ends
	}{
		{world{}, DefaultChurn(), "retain import purchases FILE"},
		{world{events: []eventRow{used}}, DefaultChurn(), "; or, since usage has rows, set churn.activity: [usage]"},
		{world{events: []eventRow{used}, periods: []periodRow{period}}, DefaultChurn(), "; or, since subscriptions has rows, set churn.setting: contractual"},
		{world{events: []eventRow{used}}, ChurnSpec{Setting: Contractual, HorizonDays: 30}, "retain import subscriptions FILE"},
	} {
		k.world.load(t, s.DB)
		if _, err := s.Watermark(t.Context(), k.spec); err == nil || !strings.HasSuffix(err.Error(), k.want) {
			t.Errorf("%v, want %s", err, k.want)
		}
	}
}

func TestCutoffs(t *testing.T) {
	s := world{events: []eventRow{
		{source: Purchases, customer: "a", id: 0, at: utc(t, "2022-01-07")},
		{source: Purchases, customer: "a", id: 1, at: utc(t, "2022-07-30")}, // complete until the 31st
	}}.store(t)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 30, HorizonDays: 30}
	from, until := utc(t, "2022-02-02"), utc(t, "2022-05-01")
	early := c
	data := utc(t, "2022-06-30 23:59")
	early.DataUntil = &data
	for _, k := range []struct {
		name string
		spec ChurnSpec
		grid Grid
		want []time.Time
	}{
		{"84 days after the first event, M before the watermark", c, DefaultGrid(), instants(t, "2022-04-01", "2022-05-01", "2022-06-01", "2022-07-01")},
		{"from and until", c, Grid{Every: "month", From: &from, Until: &until}, instants(t, "2022-03-01", "2022-04-01", "2022-05-01")},
		{"data_until", early, DefaultGrid(), instants(t, "2022-04-01", "2022-05-01")},
		{"weeks", early, Grid{Every: "week", From: &until}, instants(t, "2022-05-02", "2022-05-09", "2022-05-16", "2022-05-23", "2022-05-30")},
	} {
		t.Run(k.name, func(t *testing.T) {
			got, err := s.Cutoffs(t.Context(), k.spec, k.grid)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(k.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := s.Cutoffs(t.Context(), c, Grid{Every: "renewal"}); err == nil {
		t.Error("renewal is no error where nothing is renewed")
	}
}

func TestFutureWarning(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	if got := DefaultChurn().FutureWarning(now, now); got != "" {
		t.Errorf("now is to come: %s", got)
	}
	if got := DefaultChurn().FutureWarning(now.AddDate(73, 0, 0), now); !strings.HasPrefix(got, "the data are taken for complete until 2099-11-23, which is still to come: ") {
		t.Error(got)
	}
	told := DefaultChurn()
	told.DataUntil = &now
	if got := told.FutureWarning(now.AddDate(73, 0, 0), now); got != "" {
		t.Errorf("data_until says until when: %s", got)
	}
}
