package features

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func utc(t testing.TB, s string) time.Time {
	t.Helper()
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05.000"} {
		if v, err := time.Parse(layout, s); err == nil {
			return v
		}
	}
	t.Fatalf("no instant: %q", s)
	return time.Time{}
}

func instants(t testing.TB, s ...string) []time.Time {
	var out []time.Time
	for _, v := range s {
		out = append(out, utc(t, v))
	}
	return out
}

func TestGridPoints(t *testing.T) {
	for _, c := range []struct {
		name, every, from, until string
		want                     []time.Time
	}{
		{"both ends count", "month", "2022-01-01", "2022-03-01", instants(t, "2022-01-01", "2022-02-01", "2022-03-01")},
		{"a millisecond late is the next month", "month", "2022-01-01 00:00:00.001", "2022-02-28 23:59:59.999", instants(t, "2022-02-01")},
		{"over the end of a year", "month", "2021-11-02", "2022-01-15", instants(t, "2021-12-01", "2022-01-01")},
		{"no month by default", "", "2022-01-02", "2022-01-31", nil},
		{"weeks begin on Monday", "week", "2022-01-01", "2022-01-17", instants(t, "2022-01-03", "2022-01-10", "2022-01-17")},
		{"from a Monday", "week", "2022-01-03", "2022-01-09", instants(t, "2022-01-03")},
		{"after Monday's midnight", "week", "2022-01-03 00:00:01", "2022-01-10", instants(t, "2022-01-10")},
		{"until before from", "month", "2022-03-01", "2022-01-01", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Grid{Every: c.every}.points(utc(t, c.from), utc(t, c.until))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := (Grid{Every: "week"}).points(utc(t, "1970-01-01"), utc(t, "2299-01-01")); err == nil {
		t.Error("a grid without end is no error")
	}
}

func TestGridValidate(t *testing.T) {
	from, until := utc(t, "2022-02-01"), utc(t, "2022-01-01")
	for _, c := range []struct {
		grid Grid
		want string
	}{
		{DefaultGrid(), ""},
		{Grid{Every: "week"}, ""},
		{Grid{}, ""},
		{Grid{Every: "day"}, `"day" is none of week, month, renewal`},
		{Grid{Every: "month", From: &from, Until: &until}, "snapshots.until: 2022-01-01T00:00:00Z is before snapshots.from"},
	} {
		err := c.grid.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.grid, err, c.want)
		}
	}
}
