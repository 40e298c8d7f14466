package features

import (
	"math"
	"slices"
	"strings"
	"time"
)

// The definitions of metrics.md §4 once more, one customer and one row at a time, to compare the SQL with.

// knownEvents are the events of a source with at < until in the version known at known.
func (w world) knownEvents(source string, until, known time.Time) []eventRow {
	type identity struct {
		customer string
		id       int
	}
	newest := make(map[identity]eventRow)
	for _, e := range w.events {
		i := identity{e.customer, e.id}
		if held, ok := newest[i]; e.source == source && e.known().Before(known) && (!ok || e.known().After(held.known())) {
			newest[i] = e
		}
	}
	var out []eventRow
	for _, e := range newest {
		if e.at.Before(until) {
			out = append(out, e)
		}
	}
	return out
}

// A span is a paid period [start, end); an open one ends in the year 9999.
type span struct {
	start, end             time.Time
	cancelled, involuntary bool
	mrr                    *float64
}

var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// knownPeriods are the rows of subscriptions of a customer, each in the version known at known, by id.
func (w world) knownPeriods(customer string, known time.Time) map[int]periodRow {
	newest := make(map[int]periodRow)
	for _, p := range w.periods {
		if held, ok := newest[p.id]; p.customer == customer && p.known().Before(known) && (!ok || p.known().After(held.known())) {
			newest[p.id] = p
		}
	}
	return newest
}

// knownSpans are the periods of a customer that started before until, as known at known.
func (w world) knownSpans(customer string, until, known time.Time) []span {
	visible := func(t *time.Time) bool { return t != nil && t.Before(known) }
	var out []span
	for _, p := range w.knownPeriods(customer, known) {
		if !p.started.Before(until) {
			continue
		}
		s := span{start: p.started, end: never, cancelled: visible(p.cancelled), mrr: p.mrr}
		switch {
		case visible(p.ended):
			s.end = *p.ended
		case p.ends != nil:
			s.end = *p.ends
		case visible(p.cancelled) && p.billing == nil:
			s.end = *p.cancelled
			if s.end.Before(s.start) {
				s.end = s.start
			}
		case visible(p.cancelled):
			for s.end = s.start.Add(time.Duration(*p.billing) * day); !s.end.After(*p.cancelled); {
				s.end = s.end.Add(time.Duration(*p.billing) * day)
			}
		}
		s.involuntary = strings.Contains(p.reason, "ayment")
		if s.end.After(s.start) {
			out = append(out, s)
		}
	}
	return out
}

// standing is where each existing customer stands at the cutoff.
func (w world) standing(c ChurnSpec, cutoff time.Time) map[string]int {
	out := make(map[string]int)
	first := make(map[string]time.Time)
	exists := func(id string, at time.Time) {
		out[id] = standingScored
		if f, ok := first[id]; !ok || at.Before(f) {
			first[id] = at
		}
	}
	events := map[string][]eventRow{}
	for _, source := range eventSources() {
		events[source] = w.knownEvents(source, cutoff, cutoff)
		for _, e := range events[source] {
			exists(e.customer, e.at)
		}
	}
	newestPeriod := make(map[[2]any]periodRow)
	for _, p := range w.periods {
		i := [2]any{p.customer, p.id}
		if held, ok := newestPeriod[i]; p.known().Before(cutoff) && (!ok || p.known().After(held.known())) {
			newestPeriod[i] = p
		}
	}
	for _, p := range newestPeriod {
		if p.started.Before(cutoff) {
			exists(p.customer, p.started)
		}
	}
	newest := make(map[string]customerRow)
	for _, r := range w.customers {
		if held, ok := newest[r.customer]; r.known().Before(cutoff) && (!ok || r.known().After(held.known())) {
			newest[r.customer] = r
		}
	}
	for id, r := range newest {
		if r.created != nil && !r.created.Before(cutoff) {
			delete(newest, id) // a row of the future tells nothing
			continue
		}
		out[id] = standingScored
	}
	for id := range out {
		out[id] = w.standingOf(c, id, cutoff, events, newest[id], first)
	}
	return out
}

func (w world) standingOf(c ChurnSpec, id string, cutoff time.Time, events map[string][]eventRow, profile customerRow, first map[string]time.Time) int {
	if profile.optedOut != nil && profile.optedOut.Before(cutoff) {
		return standingOptedOut
	}
	last := func(source string, match map[string]string) (time.Time, bool) {
		var newest time.Time
		for _, e := range events[source] {
			if e.customer == id && (match == nil || match["channel"] == e.channel) && (newest.IsZero() || e.at.After(newest)) {
				newest = e.at
			}
		}
		return newest, !newest.IsZero()
	}
	switch c.Setting {
	case Contractual:
		spans := w.knownSpans(id, cutoff, cutoff)
		if len(spans) == 0 {
			return standingNeverAlive
		}
		alive, renewing, grace := false, false, false
		for _, s := range spans {
			if !s.end.Before(cutoff) {
				alive = true
				renewing = renewing || !s.cancelled
			} else if !s.end.Before(cutoff.Add(-time.Duration(c.GraceDays) * day)) {
				grace = true
			}
		}
		switch {
		case !alive && grace:
			return standingInGrace
		case !alive:
			return standingChurned
		case !renewing:
			return standingCancelPending
		}
	case EventSetting:
		left, hasLeft := last(c.Event.Source, c.Event.Match)
		if c.Event.Start == nil {
			if hasLeft {
				return standingChurned
			}
			break
		}
		joined, hasJoined := last(c.Event.Start.Source, c.Event.Start.Match)
		switch {
		case !hasJoined:
			return standingNeverAlive
		case hasLeft && !joined.After(left):
			return standingChurned
		}
	default:
		var newest time.Time
		for _, source := range c.Activity {
			if t, ok := last(source, nil); ok && t.After(newest) {
				newest = t
			}
		}
		switch {
		case newest.IsZero():
			return standingNeverAlive
		case newest.Before(cutoff.Add(-time.Duration(c.ActiveDays) * day)):
			return standingChurned
		}
	}
	if c.MinTenureDays > 0 {
		since, ok := first[id]
		if profile.created != nil {
			since, ok = *profile.created, true
		}
		if !ok || since.After(cutoff.Add(-time.Duration(c.MinTenureDays)*day)) {
			return standingTenure
		}
	}
	return standingScored
}

// fate is what became of an eligible customer, from rows with ingested_at < known.
func (w world) fate(c ChurnSpec, id string, cutoff, known time.Time) int {
	from := cutoff.Add(time.Duration(c.GapDays) * day)
	until := from.Add(time.Duration(c.HorizonDays) * day)
	switch c.Setting {
	case Contractual:
		return w.contractualFate(c, id, window{from, until}, cutoff, known)
	case EventSetting:
		fate := fateStayed
		for _, e := range w.knownEvents(c.Event.Source, until, known) {
			if e.customer != id || e.channel != c.Event.Match["channel"] || e.at.Before(cutoff) {
				continue
			}
			if e.at.Before(from) {
				return fateLeftInGap
			}
			fate = fateChurned
		}
		return fate
	default:
		for _, source := range c.Activity {
			for _, e := range w.knownEvents(source, until, known) {
				if e.customer == id && !e.at.Before(from) {
					return fateStayed
				}
			}
		}
		return fateChurned
	}
}

// contractualFate joins the periods one by one and looks at the end of the joined one that T lies in or behind.
func (w world) contractualFate(c ChurnSpec, id string, label window, cutoff, known time.Time) int {
	spans := w.knownSpans(id, c.Matures(cutoff), known)
	slices.SortFunc(spans, func(a, b span) int { return a.start.Compare(b.start) })
	grace := time.Duration(c.GraceDays) * day
	var joined []span
	for _, s := range spans {
		if n := len(joined); n > 0 && !s.start.After(joined[n-1].end.Add(grace)) {
			if s.end.After(joined[n-1].end) {
				joined[n-1].end = s.end
			}
			continue
		}
		joined = append(joined, s)
	}
	var end time.Time
	for _, s := range joined {
		if s.start.Before(cutoff) {
			end = s.end
		}
	}
	switch {
	case end.Before(cutoff):
		return fateLeftBefore
	case end.Before(label.from):
		return fateLeftInGap
	case !end.Before(label.until):
		return fateStayed
	}
	for _, s := range spans {
		if s.end.Equal(end) && !s.involuntary {
			return fateChurned
		}
	}
	return fateInvoluntary
}

// monthlyValue is MRR, else net spend of 365 days / 12, else NaN.
func (w world) monthlyValue(id string, cutoff time.Time) float64 {
	var mrr, spent float64
	priced, paid := false, false
	for _, s := range w.knownSpans(id, cutoff, cutoff) {
		if !s.end.Before(cutoff) && s.mrr != nil {
			mrr, priced = mrr+*s.mrr, true
		}
	}
	for _, e := range w.knownEvents(Purchases, cutoff, cutoff) {
		if e.customer != id || e.amount == nil {
			continue
		}
		paid = true
		sentBack := e.returned != nil && *e.returned && !e.ingested.IsZero()
		if !sentBack && !e.at.Before(cutoff.Add(-365*day)) {
			spent += *e.amount
		}
	}
	switch {
	case priced:
		return mrr
	case paid:
		return spent / 12
	}
	return math.NaN()
}
