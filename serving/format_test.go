package serving

import (
	"math"
	"strings"
	"testing"
	"time"

	"retain/models"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(23570), "23,570"}, {count(1234567), "1,234,567"},
		{money(nil, "EUR"), unknown}, {money(new(0.0), ""), "0"}, {money(new(12.345), "EUR"), "12.35\u00a0EUR"}, {money(new(99.999), ""), "100"},
		{money(new(1234.5), "EUR"), "1,234\u00a0EUR"}, {money(new(-1234.5), ""), "−1,234"},
		{percent(nil), unknown}, {percent(new(0.0)), "0.0%"}, {percent(new(0.0004)), "<0.1%"}, {percent(new(0.034)), "3.4%"}, {percent(new(0.5)), "50%"},
		{percent(new(0.9951)), "99.5%"}, {percent(new(0.9999)), ">99.9%"}, {percent(new(1.0)), "100.0%"},
		{signed(0.625), "+0.62"}, {signed(-1.5), "−1.50"},
		{plain(nil), unknown}, {plain(new(77.0)), "77"}, {plain(new(1234.56)), "1,235"}, {plain(new(0.12345)), "0.1235"}, {plain(new(12.5)), "12.5"}, {plain(new(-3.0)), "−3"},
		{plain(new(1e20)), "1e+20"}, {plain(new(0.00001)), "0"},
		{instant(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)), "1 March 2026"}, {instant(time.Date(2026, 3, 1, 6, 5, 0, 0, time.UTC)), "1 March 2026, 06:05 UTC"},
		{age(30 * time.Second), "less than a minute"}, {age(time.Minute), "1 minute"}, {age(5 * time.Hour), "5 hours"}, {age(47 * time.Hour), "47 hours"},
		{age(400 * 24 * time.Hour), "400 days"}, {age(28 * 366 * 24 * time.Hour), "28 years"},
		{sentence("no customer"), "No customer."}, {sentence(""), ""},
		{frequency(0.001, 90), "Fewer than 1 in 200 customers with such a score leave within 90 days."},
		{frequency(0.417, 90), "About 42 in 100 customers with such a score leave within 90 days."},
		{frequency(0.999, 90), "Nearly all customers with such a score leave within 90 days."},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestWaterfall(t *testing.T) {
	// By hand: base -1, +2 leads to 1, -0.5 to 0.5. The chart spans [-1, 1] over 2 % to 98 %.
	w := newWaterfall(&models.Score{Margin: new(0.5), Reasons: []models.Reason{{Feature: "a", Contribution: 2}, {Feature: "other", Contribution: -0.5}}})
	if w.Base != "−1.00" || w.Margin != "+0.50" || w.BaseAt != "2.00%" || w.MarginAt != "74.00%" {
		t.Errorf("ends %+v", w)
	}
	a, b := w.Steps[0], w.Steps[1]
	if a.From != "2.00%" || a.Left != "2.00%" || a.Width != "96.00%" || a.To != "98.00%" || !a.Up || a.Odds != "×7.39" {
		t.Errorf("first step %+v", a)
	}
	if b.From != "98.00%" || b.Left != "74.00%" || b.Width != "24.00%" || b.To != w.MarginAt || b.Up || b.Value != "" {
		t.Errorf("second step %+v", b)
	}
	if newWaterfall(&models.Score{}) != nil {
		t.Error("a waterfall of nothing")
	}
	if flat := newWaterfall(&models.Score{Margin: new(0.0), Reasons: []models.Reason{{}}}); strings.Contains(flat.BaseAt, "NaN") {
		t.Errorf("flat: %+v", flat)
	}
	huge := newWaterfall(&models.Score{Margin: new(math.MaxFloat64), Reasons: []models.Reason{{Contribution: math.MaxFloat64}}})
	if strings.Contains(huge.MarginAt, "NaN") {
		t.Errorf("huge: %+v", huge)
	}
}
