package serving

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// unknown stands where a figure is null.
const unknown = "–"

// count writes 23570 as 23,570.
func count(n int) string { return grouped(strconv.Itoa(n)) }

// grouped puts a comma before every third digit from the point on.
func grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return sign + b.String()
}

// money writes an amount with cents below 100, without above, and the currency behind it.
func money(v *float64, currency string) string {
	if v == nil {
		return unknown
	}
	digits := 0
	if math.Abs(*v) < 99.995 && *v != 0 {
		digits = 2
	}
	return strings.TrimSuffix(grouped(strconv.FormatFloat(*v, 'f', digits, 64))+"\u00a0"+currency, "\u00a0")
}

// percent writes a probability; near 0 and 1 with one digit, never as a certainty.
func percent(p *float64) string {
	if p == nil {
		return unknown
	}
	switch v := 100 * *p; {
	case v > 0 && v < 0.1:
		return "<0.1%"
	case v > 99.9 && v < 100:
		return ">99.9%"
	case v < 9.95 || v > 99.05:
		return strconv.FormatFloat(v, 'f', 1, 64) + "%"
	default:
		return strconv.FormatFloat(v, 'f', 0, 64) + "%"
	}
}

// signed writes a log-odds figure with its sign.
func signed(v float64) string {
	text := fmt.Sprintf("%+.2f", v)
	return strings.Replace(text, "-", "−", 1)
}

// plain writes a feature's value in four figures.
func plain(v *float64) string {
	if v == nil {
		return unknown
	}
	if math.Abs(*v) >= 1e15 {
		return strconv.FormatFloat(*v, 'g', 4, 64)
	}
	digits := 0
	if a := math.Abs(*v); a < 1000 && *v != math.Trunc(*v) {
		digits = 2
		if a < 1 {
			digits = 4
		}
	}
	text := strconv.FormatFloat(*v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return grouped(text)
}

// instant writes a UTC instant, its time of day only when it is not midnight.
func instant(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format("2 January 2006")
	}
	return t.Format("2 January 2006, 15:04 UTC")
}

// age writes a duration in its largest unit.
func age(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{
		{365 * 24 * time.Hour, "year"},
		{24 * time.Hour, "day"},
		{time.Hour, "hour"},
		{time.Minute, "minute"},
	}
	for _, u := range units {
		n := int(d / u.of)
		if u.name == "day" && n < 2 || u.name == "year" && n < 2 {
			continue // 36 hours and 400 days say more than 1 day and 1 year
		}
		if n == 1 {
			return "1 " + u.name
		}
		if n > 1 {
			return count(n) + " " + u.name + "s"
		}
	}
	return "less than a minute"
}
