package serving

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"retain/features/timeline"
)

var sparkCutoff = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func sparkWeeks(uses ...int) []timeline.Week {
	weeks := make([]timeline.Week, len(uses))
	for k, n := range uses {
		weeks[k] = timeline.Week{From: sparkCutoff.AddDate(0, 0, 7*(k-len(uses))), Uses: n}
	}
	return weeks
}

// place reads a figure like 12.50%.
func place(t *testing.T, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	if err != nil || v < 0 || v > 100 {
		t.Fatalf("place %q: %v", text, err)
	}
	return v
}

func TestUsageSparkline(t *testing.T) {
	if usageSparkline(nil) != nil {
		t.Error("no usage is drawn")
	}
	weeks := sparkWeeks(9, 5, 0, 10, 3, 1)
	weeks[0].Before = true  // not drawn, though the largest must not count either way
	weeks[4].OutageDays = 4 // tells nothing
	weeks[5].OutageDays = 1 // drawn, and told
	weeks[1].Minutes = 90
	c := usageSparkline(weeks)
	if len(c.Bars) != 5 || c.Top != "10" || c.Until != "1 Mar 2026" {
		t.Fatalf("%d bars up to %s until %s", len(c.Bars), c.Top, c.Until)
	}
	for k, want := range []struct{ kind, words string }{
		{"", "Week from 25 January 2026: 5 uses, 90 min"}, {"zero", "Week from 1 February 2026: 0 uses"}, {"", "Week from 8 February 2026: 10 uses"},
		{"out", "Week from 15 February 2026: 3 uses; usage of everyone is missing on 4 days"}, {"", "Week from 22 February 2026: 1 use; usage of everyone is missing on 1 day"},
	} {
		b := c.Bars[k]
		if b.Kind != want.kind || b.Words != want.words {
			t.Errorf("bar %d: %q %q", k, b.Kind, b.Words)
		}
		if math.Abs(place(t, b.Y)+place(t, b.Height)-100) > .011 {
			t.Errorf("bar %d does not stand on the ground: %s %s", k, b.Y, b.Height)
		}
	}
	if h := place(t, c.Bars[0].Height); math.Abs(h-50) > .01 {
		t.Errorf("half of the largest is %v %% high", h)
	}
	if x := place(t, c.Bars[4].X); x < 100*5/6. {
		t.Errorf("the last week stands at %v", x)
	}
	// 10 and 1 in the last four weeks (0 too), the outage left out: 11/3.
	if figure, note := usageFigure(weeks); figure != "3.7 a week" || note != "uses, in the last 4 weeks; 5 in the 4 before" {
		t.Errorf("%s %s", figure, note)
	}
	if c := usageSparkline(sparkWeeks(0, 0)); len(c.Bars) != 2 || c.Bars[0].Kind != "zero" {
		t.Errorf("usage long ago: %+v", c)
	}
}

func TestNPSSparkline(t *testing.T) {
	from := sparkCutoff.AddDate(-2, 0, 0)
	if npsSparkline(nil, from, sparkCutoff) != nil {
		t.Error("no surveys are drawn")
	}
	score := func(v float64) *float64 { return &v }
	answers := []timeline.Answer{{At: from, Score: score(10)}, {At: from.AddDate(1, 0, 0)}, {At: sparkCutoff.AddDate(0, 0, -1), Score: score(0)}}
	c := npsSparkline(answers, from, sparkCutoff)
	if len(c.Dots) != 3 || len(c.Links) != 1 {
		t.Fatalf("%d dots, %d links", len(c.Dots), len(c.Links))
	}
	first, silent, last := c.Dots[0], c.Dots[1], c.Dots[2]
	if first.Band != "low" || first.Score != "10" || silent.Score != "" || last.Band != "high" || last.Score != "0" {
		t.Errorf("dots %+v", c.Dots)
	}
	if place(t, first.Y) >= place(t, last.Y) || place(t, first.X) >= place(t, silent.X) || place(t, silent.X) >= place(t, last.X) {
		t.Errorf("10 stands above 0, and later to the right: %+v", c.Dots)
	}
	if c.Links[0] != (sparkLink{first.X, first.Y, last.X, last.Y}) {
		t.Errorf("the thread passes by: %+v", c.Links)
	}
	if want := "1 March 2024: 10; 1 March 2025: asked, no answer; 28 February 2026: 0."; c.Described != want {
		t.Errorf("described as %q", c.Described)
	}
	if figure, note := npsFigure(answers); figure != "0" || note != "last answer, on 28 February 2026; 2 of 3 invitations answered" {
		t.Errorf("%s %s", figure, note)
	}
	if figure, note := npsFigure(answers[1:2]); figure != unknown || note != "0 of 1 invitations answered" {
		t.Errorf("%s %s", figure, note)
	}
	odd := npsSparkline([]timeline.Answer{{At: from.AddDate(-1, 0, 0), Score: score(99)}, {At: sparkCutoff, Score: score(-5)}}, from, sparkCutoff)
	for _, d := range odd.Dots {
		place(t, d.X)
		place(t, d.Y)
	}
	many := make([]timeline.Answer, 40)
	for k := range many {
		many[k] = timeline.Answer{At: from.AddDate(0, 0, 10*k), Score: score(7)}
	}
	for _, d := range npsSparkline(many, from, sparkCutoff).Dots {
		if d.Shown {
			t.Fatal("forty figures beside each other cannot be read")
		}
	}
}

func TestQuote(t *testing.T) {
	if q := newQuote(" fine "); q != (quoteView{Short: "fine"}) {
		t.Errorf("%+v", q)
	}
	long := strings.Repeat("ä", 300)
	if q := newQuote(long); q.Whole != long || q.Short != strings.Repeat("ä", shortQuote)+"…" {
		t.Errorf("%+v", q)
	}
}

func TestWordsOfTerms(t *testing.T) {
	for v, want := range map[float64]string{.021: "+2.1 points", -.004: "−0.40 points", 0: "+0.0 points", .3: "+30.0 points"} {
		if got := points(v); got != want {
			t.Errorf("points(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{12.3: "+12.30\u00a0EUR", -4: "−4.00\u00a0EUR", 0: "0\u00a0EUR"} {
		if got := gain(v, "EUR"); got != want {
			t.Errorf("gain(%v) = %q, want %q", v, got, want)
		}
	}
	for s, want := range map[float64]string{20: "under a minute", 60: "1 min", 7140: "119 min", 7200: "2 h", 360000: "100 h"} {
		if got := duration(s); got != want {
			t.Errorf("duration(%v) = %q, want %q", s, got, want)
		}
	}
	for n, want := range map[int]string{0: "the day of the cutoff", 1: "1 day before", 59: "59 days before", 61: "2 months before", 800: "2 years before"} {
		if got := before(sparkCutoff.AddDate(0, 0, -n), sparkCutoff); got != want {
			t.Errorf("%d days: %q, want %q", n, got, want)
		}
	}
}
