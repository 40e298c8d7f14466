package features

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// marks of the words of an entry:
//
//	{value}    the customer's value with its unit: "143 days", "62 %", "down 62 %", or the level of a category
//	{typical}  the reference's number alone
//	{s}        "s" unless the value is one
//	{a|b}      of a flag: a where it is on, b where it is off
//	[…]        left out when there is no reference
var mark = regexp.MustCompile(`\{[^{}]*\}`)

// checkWords finds a mark that Say does not know.
func checkWords(words string, unit Unit) string {
	for _, m := range mark.FindAllString(words, -1) {
		switch m {
		case "{value}", "{typical}", "{s}", eachMark:
			continue
		}
		if unit != UnitFlag || strings.Count(m, "|") != 1 {
			return "words: unknown mark " + m + "; there are {value}, {typical}, {s}, [left out without a reference], and of flags {words when on|words when off}"
		}
	}
	if strings.Count(words, "[") != strings.Count(words, "]") || strings.Count(words, "[") > 1 {
		return "words: at most one [part left out without a reference], closed"
	}
	return ""
}

// Say tells the entry's value in the words of its catalogue, for example "last purchase 143 days ago (typical 96)". Reference is
// the typical value, NaN when there is none; level is the category of a categorical entry, "" when missing, and is not read
// otherwise. A missing value is told in the entry's words for it.
func (e Entry) Say(value, reference float64, level string) string {
	spoken := level
	if e.Kind() == Numeric {
		if math.IsNaN(value) {
			return e.Missing
		}
		spoken = e.spoken(value)
	} else if level == "" {
		return e.Missing
	}
	words := e.Words
	before, rest, found := strings.Cut(words, "[")
	if found {
		inside, after, _ := strings.Cut(rest, "]")
		if e.Kind() == Categorical || math.IsNaN(reference) {
			inside = ""
		}
		words = before + inside + after
	}
	if e.Unit == UnitFlag {
		words = mark.ReplaceAllStringFunc(words, func(m string) string {
			on, off, found := strings.Cut(strings.Trim(m, "{}"), "|")
			switch {
			case !found:
				return m
			case value == 0:
				return off
			}
			return on
		})
	}
	plural := "s"
	if e.Kind() == Numeric && decimals(value) == "1" {
		plural = ""
	}
	return strings.NewReplacer("{value}", spoken, "{typical}", e.typical(reference), "{s}", plural).Replace(words)
}

// spoken is a value with its unit.
func (e Entry) spoken(v float64) string {
	switch e.Unit {
	case UnitDays, UnitHours, UnitMinutes:
		unit := strings.TrimSuffix(string(e.Unit), "s")
		if n := decimals(v); n != "1" {
			return n + " " + unit + "s"
		}
		return "1 " + unit
	case UnitMoney:
		return grouped(strconv.FormatFloat(v, 'f', 2, 64))
	case UnitShare:
		return percent(v)
	case UnitChange:
		switch p := math.Round(100 * v); {
		case p < 0:
			return "down " + percent(-v)
		case p > 0:
			return "up " + percent(v)
		}
		return "unchanged"
	case UnitFlag:
		if v == 0 {
			return "off"
		}
		return "on"
	}
	return decimals(v)
}

// typical is a reference without its unit where the value has named it already.
func (e Entry) typical(v float64) string {
	switch e.Unit {
	case UnitDays, UnitHours, UnitMinutes:
		return decimals(v)
	}
	return e.spoken(v)
}

func percent(v float64) string {
	return grouped(strconv.FormatFloat(math.Round(100*v), 'f', 0, 64)) + " %"
}

// decimals writes a number to three digits or so: 12,345, 143, 14.3, 1.43, 0.014.
func decimals(v float64) string {
	places := 0
	switch a := math.Abs(v); {
	case a == math.Trunc(a) || a >= 100:
	case a >= 10:
		places = 1
	case a >= 0.1:
		places = 2
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	s := strconv.FormatFloat(v, 'f', places, 64)
	if places > 0 {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		s = "0"
	}
	return grouped(s)
}

// grouped puts commas between thousands.
func grouped(s string) string {
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	whole, fraction, found := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if found {
		return fmt.Sprintf("%s%s.%s", sign, whole, fraction)
	}
	return sign + whole
}
