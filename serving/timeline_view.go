package serving

import (
	"net/url"
	"strings"
	"time"

	"retain/features/timeline"
)

// timelineRows is how many events a page shows.
const timelineRows = 60

// timelineView is the timeline of a customer's page.
type timelineView struct {
	Cutoff  string
	Filters []filterView
	Days    []dayView
	Source  string // label of the only source that is shown, "" all
	Older   string // address of the events before these, "" at the end
	Newest  string // address of the newest events, "" where they are shown
	Failed  bool   // the sources could not be read
}

// filterView leads to one source, or to all of them.
type filterView struct {
	Label, Address string
	Rows           string // of the source; "" for all
	Active         bool
}

// dayView is a UTC day with its events.
type dayView struct {
	Name, Stamp string
	Ago         string // counted back from the cutoff
	Events      []eventView
}

// eventView is a line of the timeline.
type eventView struct {
	Time, Stamp   string // Time is "" at midnight, which files with plain dates have
	Source, Label string
	Words         eventWords
	Quote         quoteView
}

// quoteView is what a customer said, shortened when it is long.
type quoteView struct{ Short, Whole string } // Whole is "" when Short is all

// maxBrief is how many characters of a topic, a product or a campaign a line shows: longer ones are a mistake upstream.
const maxBrief = 120

func brief(text string) string {
	if letters := []rune(text); len(letters) > maxBrief {
		return string(letters[:maxBrief]) + "…"
	}
	return text
}

// shortQuote is how many characters of a comment stand open.
const shortQuote = 240

func newQuote(text string) quoteView {
	text = strings.TrimSpace(text)
	letters := []rune(text)
	if len(letters) <= shortQuote+40 { // no fold for a few words
		return quoteView{Short: text}
	}
	return quoteView{Short: strings.TrimSpace(string(letters[:shortQuote])) + "…", Whole: text}
}

// timelineView puts events under their days, newest first.
func (s *Server) timelineView(ask timelineAsk, events []timeline.Event, rows []timeline.Rows, next string) *timelineView {
	id, cutoff := ask.query.Customer, ask.query.Cutoff
	v := &timelineView{Cutoff: instant(cutoff), Source: sourceLabels[ask.query.Source]}
	all := 0
	for _, r := range rows {
		all += r.Rows
		v.Filters = append(v.Filters, filterView{
			Label: sourceLabels[r.Source], Rows: count(r.Rows), Active: r.Source == ask.query.Source,
			Address: timelineAddress(id, url.Values{"source": {r.Source}}),
		})
	}
	if len(v.Filters) > 0 {
		everything := filterView{Label: "All", Active: ask.query.Source == "", Address: timelineAddress(id, url.Values{})}
		v.Filters = append([]filterView{everything}, v.Filters...)
	}
	for _, e := range events {
		at := e.At.UTC()
		day := at.Truncate(24 * time.Hour)
		if n := len(v.Days); n == 0 || v.Days[n-1].Stamp != day.Format(time.DateOnly) {
			v.Days = append(v.Days, dayView{Name: day.Format("Mon 2 Jan 2006"), Stamp: day.Format(time.DateOnly), Ago: before(day, cutoff)})
		}
		line := eventView{Stamp: at.Format(time.RFC3339), Source: e.Source, Label: sourceLabels[e.Source], Words: s.words(e)}
		if e.Source != "usage" && !at.Equal(day) { // the instant of a sum says little
			line.Time = at.Format("15:04")
		}
		line.Words.Text = brief(line.Words.Text)
		for k, n := range line.Words.Notes {
			line.Words.Notes[k] = brief(n)
		}
		line.Quote = newQuote(line.Words.Quote)
		last := &v.Days[len(v.Days)-1]
		last.Events = append(last.Events, line)
	}
	if next != "" {
		v.Older = timelineAddress(id, url.Values{"cursor": {next}})
	}
	if ask.query.From != nil {
		q := url.Values{}
		if ask.query.Source != "" {
			q.Set("source", ask.query.Source)
		}
		v.Newest = timelineAddress(id, q)
	}
	return v
}

// before says how long before the cutoff a day was.
func before(day, cutoff time.Time) string {
	switch n := int(cutoff.Sub(day) / (24 * time.Hour)); {
	case n < 1:
		return "the day of the cutoff"
	case n == 1:
		return "1 day before"
	case n < 60:
		return count(n) + " days before"
	case n < 730:
		return count(n/30) + " months before"
	default:
		return count(n/365) + " years before"
	}
}

// timelineAddress is the address of a customer's page that shows a part of the timeline, with the reader put there.
func timelineAddress(id string, q url.Values) string {
	return customerAddress(id, q) + "#timeline"
}
