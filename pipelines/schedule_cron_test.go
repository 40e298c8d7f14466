package pipelines

import (
	"strings"
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// Expected instants by hand from the rules of the zones: Berlin jumped on 2026-03-29 at 01:00Z and goes back on 2026-10-25 at
// 01:00Z; Lord Howe goes back by half an hour on 2026-04-04 at 15:00Z; Cairo jumped at midnight on 2026-04-24, 22:00Z the day before.
func TestCronOnTheClocksOfAZone(t *testing.T) {
	for _, c := range []struct {
		name, expression, zone, after string
		want                          []string
	}{
		{"UTC", "0 3 * * *", "UTC", "2026-03-28T03:00:00Z", []string{"2026-03-29T03:00:00Z", "2026-03-30T03:00:00Z"}},
		{"winter and summer", "0 4 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", []string{"2026-03-28T03:00:00Z", "2026-03-29T02:00:00Z"}},
		{"a time that is skipped fires at the jump", "30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"and not twice when the time after it fires too", "0,30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"}},
		{"a jump at midnight", "15 0 * * *", "Africa/Cairo", "2026-04-22T23:00:00Z", []string{"2026-04-23T22:00:00Z", "2026-04-24T21:15:00Z"}},
		{"a time that is shown twice fires once", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", []string{"2026-10-26T01:30:00Z"}},
		{"half an hour back", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"hourly goes by elapsed time", "0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", []string{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}},
		{"quarters of an hour, too", "*/15 * * * *", "Europe/Berlin", "2026-03-29T00:45:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"}},
		{"Sundays", "0 4 * * 0", "UTC", "2026-11-22T04:00:00Z", []string{"2026-11-29T04:00:00Z"}},
		{"Sundays as 7", "0 4 * * 7", "UTC", "2026-11-21T04:00:00Z", []string{"2026-11-22T04:00:00Z", "2026-11-29T04:00:00Z"}},
		{"Friday to Sunday", "0 4 * * 5-7", "UTC", "2026-11-22T05:00:00Z", []string{"2026-11-27T04:00:00Z", "2026-11-28T04:00:00Z", "2026-11-29T04:00:00Z"}},
		{"Mondays and Sundays", "0 4 * * 1,7", "UTC", "2026-11-22T05:00:00Z", []string{"2026-11-23T04:00:00Z", "2026-11-29T04:00:00Z"}},
		{"a name", "@daily", "UTC", "2026-11-22T04:00:00Z", []string{"2026-11-23T00:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cron, err := ParseCron(c.expression, zone(t, c.zone))
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				at = cron.Next(at)
				if got := at.UTC().Format(time.RFC3339); got != want {
					t.Fatalf("%s, want %s", got, want)
				}
				if last, ok := cron.Last(at); !ok || !last.Equal(at) {
					t.Errorf("the last firing until %v is %v", at, last)
				}
			}
		})
	}
}

func TestCronLast(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	for expression, want := range map[string]string{"0 3 * * *": "2026-11-21T03:00:00Z", "0 4 * * 0": "2026-11-15T04:00:00Z", "0 0 29 2 *": "2024-02-29T00:00:00Z"} {
		cron, err := ParseCron(expression, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if last, ok := cron.Last(now); !ok || last.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, want %s", expression, last, want)
		}
	}
}

func TestParseCronRefuses(t *testing.T) {
	for expression, want := range map[string]string{
		"":                       "five fields",
		"at night":               "five fields",
		"0 3 * *":                "five fields",
		"61 3 * * *":             "minute 0-59",
		"59 24 * * *":            "hour 0-23",
		"0 0 30 2 *":             "no day",
		"TZ=Mars/Base 0 3 * * *": "schedule.timezone",
		"@every 6h":              "0 */6 * * *", // each look for missed firings would find one
	} {
		if _, err := ParseCron(expression, time.UTC); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", expression, err, want)
		}
	}
}
