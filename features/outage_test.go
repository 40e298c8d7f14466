package features

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWeekdayMedian(t *testing.T) {
	d := utc(t, "2022-06-01")
	counts := make(map[time.Time]float64)
	for k, n := range []float64{10, 80, 20, 70, 30, 60, 40, 50, 999} { // the ninth week does not count
		counts[d.Add(-time.Duration(k+1)*7*day)] = n
		counts[d.Add(-time.Duration(k+1)*7*day+day)] = 1e6 // nor does another weekday
	}
	if got := weekdayMedian(counts, d); got != 45 {
		t.Errorf("median %v, want 45, the mean of 40 and 50", got)
	}
	delete(counts, d.Add(-7*7*day)) // 40: a week without rows counts as 0
	if got := weekdayMedian(counts, d); got != 40 {
		t.Errorf("median %v, want 40, the mean of 30 and 50", got)
	}
}

// steady is 100 purchases a day, 4 by each of 25 customers, but on the days named in differ.
func steady(t *testing.T, days int, differ map[int]int) world {
	var w world
	start := utc(t, "2022-01-01")
	for d := range days {
		n, ok := differ[d]
		if !ok {
			n = 100
		}
		for k := range n {
			w.events = append(w.events, eventRow{source: Purchases, customer: string(rune('a' + k%25)), id: len(w.events), at: start.Add(time.Duration(d)*day + time.Duration(k)*time.Minute)})
		}
	}
	return w
}

func TestOutages(t *testing.T) {
	cutoff := utc(t, "2022-01-01").Add(70 * day)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 20, GapDays: 1, HorizonDays: 20}
	s := world{}.store(t)
	for _, k := range []struct {
		name   string
		cutoff time.Time
		differ map[int]int
		days   []int
		share  float64
	}{
		{"none", cutoff, nil, nil, 0},
		{"less than a fifth", cutoff, map[int]int{75: 19}, []int{75}, .05},
		{"exactly a fifth is none", cutoff, map[int]int{75: 20}, nil, 0},
		{"no rows at all, twice", cutoff, map[int]int{75: 0, 76: 0}, []int{75, 76}, .1},
		{"in the gap and behind the window", cutoff, map[int]int{70: 0, 91: 0}, nil, 0},
		{"at both ends of the window", cutoff, map[int]int{71: 0, 90: 0}, []int{71, 90}, .1},
		{"the window holds half of a day", cutoff.Add(12 * time.Hour), map[int]int{71: 0}, []int{71}, .025},
		{"a calendar without the 29th to 31st", cutoff, map[int]int{28: 0, 29: 3, 30: 0, 87: 0, 88: 3, 89: 0}, nil, 0},
		{"the same days of March alone", cutoff, map[int]int{87: 0, 88: 3, 89: 0}, []int{87, 88, 89}, .15},
		{"of the calendar and of an outage", cutoff, map[int]int{28: 0, 29: 0, 30: 0, 86: 0, 87: 0, 88: 0, 89: 0}, []int{86}, .05},
		{"a day that a month before had rows", cutoff, map[int]int{14: 0, 73: 0}, []int{73}, .05},
		{"a quiet weekday", cutoff, map[int]int{75: 0, 68: 0, 61: 0, 54: 0, 47: 0, 40: 0}, nil, 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			steady(t, 100, k.differ).load(t, s.DB)
			from, until := c.labelWindow(k.cutoff)
			got, err := s.outageDays(t.Context(), Purchases, window{from, until}, endOfTime)
			if err != nil {
				t.Fatal(err)
			}
			var want []time.Time
			for _, d := range k.days {
				want = append(want, utc(t, "2022-01-01").Add(time.Duration(d)*day))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatal(diff)
			}
			p := populationOf(t, s, c, k.cutoff)
			l := labelsOf(t, s, c, p, time.Time{})
			if math.Abs(l.OutageShare-k.share) > 1e-12 {
				t.Errorf("share %v, want %v", l.OutageShare, k.share)
			}
			_, _, missing := l.Counts()
			if unused := k.share > .05; unused != (l.Outage == len(p.Eligible())) || unused != (missing > 0) || len(l.Y) != len(p.Eligible()) {
				t.Errorf("%d of %d rows unused, %d missing", l.Outage, len(p.Eligible()), missing)
			}
		})
	}
}
