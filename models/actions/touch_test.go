package actions

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A contact that a row carries without naming the decision, and that was told as an outcome, too, counts once.
func TestOnce(t *testing.T) {
	e, err := Parse([]byte(policyCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	decided := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := func(days float64) time.Time { return decided.Add(time.Duration(days * 24 * float64(time.Hour))) }
	row := func(action, channel string, days float64) Touch {
		return Touch{Contact: Contact{At: at(days), Channel: channel, Class: Marketing, Action: action}}
	}
	told := func(action, channel string, days float64, came string) Touch {
		r := row(action, channel, days)
		r.Came, r.Decided, r.Told, r.Since = came, true, true, decided
		return r
	}
	came := func(r Touch, word string) Touch { r.Came = word; return r }
	of := func(r Touch) Touch { r.Decided = true; return r }
	const hour, ms = 1. / 24, 1. / 24 / 3600 / 1000
	for _, c := range []struct {
		name string
		in   []Touch
		want string // action@day, ! when an outcome only, =what came of it
	}{
		{"rows alone", []Touch{row("offer", "email", 1), row("offer", "email", 1)}, "offer@1 offer@1"},
		{"an outcome alone", []Touch{told("offer", "email", 1, "accepted")}, "offer@1!=accepted"},
		{"the row of the action, some hours before", []Touch{told("offer", "email", 1+6*hour, ""), row("offer", "email", 1)}, "offer@1"},
		{"its response", []Touch{told("offer", "email", 2, "rejected"), row("offer", "email", 1)}, "offer@1=rejected"},
		{"a row keeps its own", []Touch{told("offer", "email", 2, "rejected"), came(row("offer", "email", 1), "clicked")}, "offer@1=clicked"},
		{"whatever the channel, as by a call instead of a mail", []Touch{told("offer", "email", 2, ""), row("offer", "phone", 1)}, "offer@1"},
		{"silence told a week later", []Touch{told("offer", "email", 8, "ignored"), row("offer", "email", 1)}, "offer@1=ignored"},
		{"later than a week", []Touch{told("offer", "email", 8+ms, "ignored"), row("offer", "email", 1)}, "offer@8!=ignored offer@1"},
		{"a row written a day late", []Touch{row("offer", "email", 3), told("offer", "email", 2, "")}, "offer@3"},
		{"and later than that", []Touch{row("offer", "email", 3+ms), told("offer", "email", 2, "")}, "offer@3 offer@2!"},
		{"at the decision", []Touch{told("offer", "email", 1, ""), row("offer", "email", 0)}, "offer@0"},
		{"before it: of another one", []Touch{told("offer", "email", 1, ""), row("offer", "email", -ms)}, "offer@1! offer@-0"},
		{"of a decision: of another one", []Touch{told("offer", "email", 2, ""), of(row("offer", "email", 1))}, "offer@2! offer@1"},
		{"another action of the catalogue", []Touch{told("offer", "email", 1, ""), row("news", "email", 1)}, "offer@1! news@1"},
		{"no action, the same channel, a date for a time", []Touch{told("offer", "email", 1+14*hour, ""), row("", "email", 1)}, "@1"},
		{"a name that is not ours", []Touch{told("offer", "email", 1+14*hour, ""), row("spring mailing", "email", 1)}, "spring mailing@1"},
		{"not within a day", []Touch{told("offer", "email", 2+ms, ""), row("", "email", 1)}, "offer@2! @1"},
		{"another channel", []Touch{told("offer", "email", 1, ""), row("", "sms", 1)}, "offer@1! @1"},
		{"one row, two outcomes: the nearer one", []Touch{told("offer", "email", 4, "accepted"), told("offer", "email", 2, ""), row("offer", "email", 1)}, "offer@4!=accepted offer@1"},
		{"two rows, one outcome: the nearer one gets the response", []Touch{told("offer", "email", 4, "accepted"), row("offer", "email", 3), row("offer", "email", 1)}, "offer@3=accepted offer@1"},
		{"a row that names the action goes before a nearer one that names none", []Touch{told("offer", "email", 3, "accepted"), row("", "email", 3), row("offer", "email", 1)}, "@3 offer@1=accepted"},
		{"two and two", []Touch{told("text", "sms", 3, "ignored"), row("text", "sms", 3), told("offer", "email", 2, "accepted"), row("offer", "email", 2)}, "text@3=ignored offer@2=accepted"},
	} {
		var words []string
		for _, x := range e.Catalogue.Once(c.in) {
			word := fmt.Sprintf("%s@%.0f", x.Action, x.At.Sub(decided).Hours()/24)
			if x.Told {
				word += "!"
			}
			if x.Came != "" {
				word += "=" + x.Came
			}
			words = append(words, word)
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
