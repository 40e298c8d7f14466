package report

import (
	"math"
	"strconv"
	"strings"
	"time"

	"retain/internal/spoken"
	"retain/training/metrics"
)

// unknown stands where a figure is null.
const unknown = "–"

// minus is the sign of typography, which screen readers tell.
const minus = "−"

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// decimal writes v with so many decimals.
func decimal(v float64, decimals int) string {
	if !finite(v) {
		return unknown
	}
	text := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-") // no negative zero
	}
	whole, fraction, point := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	for k := len(whole) - 3; k > 0; k -= 3 {
		whole = whole[:k] + "," + whole[k:]
	}
	if point {
		whole += "." + fraction
	}
	if strings.HasPrefix(text, "-") {
		return minus + whole
	}
	return whole
}

func two(v float64) string { return decimal(v, 2) }

func three(v float64) string { return decimal(v, 3) }

func four(v float64) string { return decimal(v, 4) }

// signed is decimal with a plus where it grows.
func signed(v float64, decimals int) string {
	if v > 0 && finite(v) {
		return "+" + decimal(v, decimals)
	}
	return decimal(v, decimals)
}

// percent writes a share; small ones with one decimal more, never as a certainty.
func percent(v float64) string {
	switch p := 100 * v; {
	case !finite(v):
		return unknown
	case p > 0 && p < .1:
		return "< 0.1 %"
	case p < 100 && p > 99.9:
		return "> 99.9 %"
	case math.Abs(p) < 9.95 && p != math.Trunc(p) || p > 99 && p < 100:
		return decimal(p, 1) + " %"
	default:
		return decimal(p, 0) + " %"
	}
}

// percentTick is the percent of an axis.
func percentTick(v float64) string {
	return strconv.FormatFloat(math.Round(1e6*v)/1e4, 'f', -1, 64) + "%"
}

// amount writes a value of any size in about three figures.
func amount(v float64) string {
	if !finite(v) {
		return unknown
	}
	switch a := math.Abs(v); {
	case a >= 1e7:
		return decimal(v/1e6, 0) + " M"
	case a >= 1e6:
		return trimmed(decimal(v/1e6, 1)) + " M"
	case a >= 1e4:
		return decimal(v/1e3, 0) + " k"
	case a >= 100 || v == math.Trunc(v):
		return decimal(v, 0)
	case a >= 10:
		return trimmed(decimal(v, 1))
	case a >= .1:
		return trimmed(decimal(v, 2))
	case a >= .001:
		return trimmed(decimal(v, 4))
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

func trimmed(s string) string {
	if strings.Contains(s, ".") {
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// tick writes a value of an axis, as short as it can be told.
func tick(v float64) string {
	if a := math.Abs(v); a != 0 && a < .001 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return amount(math.Round(v*1e6) / 1e6)
}

// interval writes the two ends of an interval.
func interval(of metrics.Interval, write func(float64) string) string {
	lo, hi := float64(of[0]), float64(of[1])
	if !finite(lo) || !finite(hi) {
		return ""
	}
	return write(lo) + " to " + write(hi)
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

func shortDay(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// sentence makes a line of a verdict read as one: a capital at its head and a stop at its end.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	first, size := rune(s[0]), 1
	if first >= 'a' && first <= 'z' && !strings.Contains(strings.SplitN(s, " ", 2)[0], "_") {
		s = strings.ToUpper(s[:size]) + s[size:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// joined is a list in words, at most so many of it.
func joined(list []string, most int) string {
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " and " + spoken.Count(len(list)-most) + " more"
	}
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
