package features

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// firstSilence is the last instant of the first silence of so many days that begins just after one of the instants, which are in order.
func firstSilence(after []time.Time, silence time.Duration, until time.Time) (last time.Time, ok bool) {
	for i, t := range after {
		next := until
		if i+1 < len(after) {
			next = after[i+1]
		}
		begin := t.Add(time.Millisecond)
		if next.Sub(begin) >= silence {
			return begin.Add(silence - time.Millisecond), true
		}
	}
	return last, false
}

// split is the world of each customer by itself.
func (w world) split() map[string]world {
	out := map[string]world{}
	for _, e := range w.events {
		own := out[e.customer]
		own.events = append(own.events, e)
		out[e.customer] = own
	}
	for _, p := range w.periods {
		own := out[p.customer]
		own.periods = append(own.periods, p)
		out[p.customer] = own
	}
	return out
}

// activities are those of a customer in [from, until), in order.
func (w world) activities(c ChurnSpec, id string, from, until time.Time) (active []time.Time) {
	for _, source := range c.LabelSources() {
		for _, e := range w.knownEvents(source, until, endOfTime) {
			if e.customer == id && !e.at.Before(from) {
				active = append(active, e.at)
			}
		}
	}
	slices.SortFunc(active, time.Time.Compare)
	return active
}

// The label of every horizon follows from the exit, and silences after the first end when they should.
func TestExitsAgainstReference(t *testing.T) {
	w := randomWorld(rand.New(rand.NewPCG(7, 8)))
	s := w.store(t)
	until := utc(t, "2023-02-01")
	own := w.split()
	for name, c := range settings() {
		for _, cutoff := range cutoffs(t)[1:] {
			p := populationOf(t, s, c, cutoff)
			got, err := s.Exits(t.Context(), c, p, until, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			from := cutoff.Add(time.Duration(c.GapDays) * day)
			if want := until.Sub(from.Add(time.Duration(c.MaturityDays()-c.GapDays-c.HorizonDays)*day)).Hours() / 24; got.Seen != want {
				t.Errorf("%s: seen for %v days, want %v", name, got.Seen, want)
			}
			horizons := []int{c.HorizonDays}
			if c.Setting != NonContractual {
				horizons = []int{7, 30, 45, 100}
			}
			for i, id := range p.Eligible() {
				for _, horizon := range horizons {
					spec := c
					spec.HorizonDays = horizon
					want := map[int]float64{fateChurned: 1, fateStayed: 0, fateInvoluntary: 0, fateLeftInGap: math.NaN(), fateLeftBefore: math.NaN()}[own[id].fate(spec, id, cutoff, endOfTime)]
					y := 0.
					switch days := got.Days[i]; {
					case math.IsNaN(days):
						y = days
					case days < float64(horizon):
						y = 1
					}
					if !gocmp.Equal(want, y, equalNaNs) {
						t.Fatalf("%s at %v, %q: left after %v days, label of %d days %v; active %v", name, cutoff, id, got.Days[i], horizon, want, own[id].activities(c, id, from, until))
					}
				}
				if c.Setting != NonContractual {
					continue
				}
				want := math.Inf(1)
				after := append([]time.Time{from.Add(-time.Millisecond)}, own[id].activities(c, id, from, until)...)
				if last, ok := firstSilence(after, time.Duration(c.HorizonDays)*day, until); ok {
					want = last.Sub(from).Hours() / 24
				}
				if !gocmp.Equal(want, got.Days[i], cmpopts.EquateApprox(0, 1e-6)) {
					t.Fatalf("%s at %v, %q: left after %v days, want %v", name, cutoff, id, got.Days[i], want)
				}
			}
		}
	}
}

// A corrected row that became known later is not seen by one who stands earlier.
func TestExitsAsKnown(t *testing.T) {
	cutoff, until := utc(t, "2026-02-01"), utc(t, "2026-06-01")
	at := func(day string) *time.Time { v := utc(t, day); return &v }
	w := world{periods: []periodRow{
		{customer: "a", started: utc(t, "2026-01-01"), ends: at("2026-03-01"), ingested: utc(t, "2026-01-01")},
		{customer: "a", id: 1, started: utc(t, "2026-03-01"), ends: at("2026-12-01"), ingested: utc(t, "2026-07-01")},
	}}
	s := w.store(t)
	c := ChurnSpec{Setting: Contractual, HorizonDays: 30}
	p := populationOf(t, s, c, cutoff)
	for known, want := range map[time.Time]float64{until: 28, {}: math.Inf(1)} {
		got, err := s.Exits(t.Context(), c, p, until, known)
		if err != nil || len(got.Days) != 1 || got.Days[0] != want || got.Seen != 120 {
			t.Errorf("known before %v: %+v, %v; want %v", known, got, err, want)
		}
	}
}

func TestTenuresAgainstReference(t *testing.T) {
	w := randomWorld(rand.New(rand.NewPCG(9, 10)))
	s := w.store(t)
	until := utc(t, "2023-02-01")
	created := map[string]time.Time{}
	known := map[string]time.Time{}
	for _, r := range w.customers {
		if k, ok := known[r.customer]; ok && !r.known().After(k) {
			continue
		}
		known[r.customer] = r.known()
		delete(created, r.customer)
		if r.created != nil {
			created[r.customer] = *r.created
		}
	}
	own := w.split()
	for name, c := range settings() {
		c.DataUntil = &until
		got, err := s.Tenures(t.Context(), c, Ungrouped)
		if err != nil {
			t.Fatal(err)
		}
		if grace := time.Duration(c.MaturityDays()-c.GapDays-c.HorizonDays) * day; !got.Until.Equal(until.Add(-grace)) {
			t.Errorf("%s: known until %v", name, got.Until)
		}
		type life struct{ Born, First, Left int64 }
		want, have := map[string]life{}, map[string]life{}
		for i, id := range got.Customer {
			have[id] = life{got.Born[i], got.First[i], got.Left[i]}
		}
		for id := range own {
			first, left, ok := own[id].firstLife(c, id, until)
			if !ok {
				continue
			}
			l := life{first.UnixMilli(), first.UnixMilli(), StillThere}
			if b, ok := created[id]; ok && b.Before(first) {
				l.Born = b.UnixMilli()
			}
			if ms := left.UnixMilli(); ms < until.UnixMilli() {
				l.Left = ms
			}
			want[id] = l
		}
		if d := gocmp.Diff(want, have); d != "" {
			t.Fatalf("%s: %s", name, d)
		}
		if len(want) < 90 || !slices.IsSorted(got.Customer) {
			t.Errorf("%s: %d customers", name, len(want))
		}
	}
}

// firstLife is when a customer began and first left.
func (w world) firstLife(c ChurnSpec, id string, until time.Time) (first, left time.Time, ok bool) {
	left = never
	event := func(source string, match map[string]string) (at []time.Time) {
		for _, e := range w.knownEvents(source, until, until) {
			if e.customer == id && (match == nil || e.channel == match["channel"]) {
				at = append(at, e.at)
			}
		}
		slices.SortFunc(at, time.Time.Compare)
		return at
	}
	switch c.Setting {
	case Contractual:
		spans := w.knownSpans(id, until, endOfTime)
		if len(spans) == 0 {
			return first, left, false
		}
		slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.start.Compare(b.start), a.end.Compare(b.end)) })
		first, left = spans[0].start, spans[0].end
		for _, s := range spans {
			if !s.start.After(left.Add(time.Duration(c.GraceDays)*day)) && s.end.After(left) {
				left = s.end
			}
		}
		return first, left, true
	case EventSetting:
		var joined []time.Time
		if start := c.Event.Start; start != nil {
			joined = event(start.Source, start.Match)
		} else {
			for _, source := range eventSources() {
				joined = append(joined, event(source, nil)...)
			}
			joined = append(joined, w.knownSpansAll(id, until)...)
			slices.SortFunc(joined, time.Time.Compare)
		}
		if len(joined) == 0 {
			return first, left, false
		}
		for _, t := range event(c.Event.Source, c.Event.Match) {
			if !t.Before(joined[0]) {
				return joined[0], t, true
			}
		}
		return joined[0], left, true
	}
	active := w.activities(c, id, time.Time{}, until)
	if len(active) == 0 {
		return first, left, false
	}
	if last, ok := firstSilence(active, time.Duration(c.HorizonDays)*day, until); ok {
		left = last
	}
	return active[0], left, true
}

// knownSpansAll are the begins of all of a customer's rows of subscriptions known and started before until.
func (w world) knownSpansAll(id string, until time.Time) (starts []time.Time) {
	for _, p := range w.knownPeriods(id, until) {
		if p.started.Before(until) {
			starts = append(starts, p.started)
		}
	}
	return starts
}

func TestPayersAgainstReference(t *testing.T) {
	w := randomWorld(rand.New(rand.NewPCG(11, 12)))
	s := w.store(t)
	ids := map[string]bool{}
	for _, p := range w.periods {
		ids[p.customer] = true
	}
	for _, known := range append(cutoffs(t), endOfTime) {
		cutoff := known
		if cutoff.Equal(endOfTime) {
			cutoff = utc(t, "2022-12-01")
		}
		order := func(a, b PaidPeriod) int {
			return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.MRR, b.MRR))
		}
		want, got := map[string][]PaidPeriod{}, map[string][]PaidPeriod{}
		for id := range ids {
			for _, span := range w.knownSpans(id, cutoff, known) {
				p := PaidPeriod{Start: span.start.UnixMilli(), End: 4000000000000000}
				if span.end != never {
					p.End = span.end.UnixMilli()
				}
				if span.mrr != nil {
					p.MRR, p.Priced = int64(math.Round(*span.mrr*10000)), true
				}
				want[id] = append(want[id], p)
			}
			slices.SortFunc(want[id], order)
			if len(want[id]) == 0 {
				delete(want, id)
			}
		}
		before := ""
		for p, err := range s.Payers(t.Context(), cutoff, known) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Customer <= before {
				t.Errorf("%q comes after %q", p.Customer, before)
			}
			before = p.Customer
			periods := slices.Clone(p.Periods)
			for i := range periods {
				periods[i].Subscription = 0
			}
			slices.SortFunc(periods, order)
			got[p.Customer] = periods
		}
		if d := gocmp.Diff(want, got); d != "" {
			t.Fatalf("known at %v: %s", known, d)
		}
	}
}

func TestActivityCohortsAgainstReference(t *testing.T) {
	w := randomWorld(rand.New(rand.NewPCG(13, 14)))
	s := w.store(t)
	until := utc(t, "2022-12-01")
	month := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) }
	for name, c := range settings() {
		if c.Setting != NonContractual {
			continue
		}
		type key struct{ cohort, month time.Time }
		first := map[string]time.Time{}
		active := map[string]map[time.Time]int64{}
		for _, source := range c.LabelSources() {
			for _, e := range w.knownEvents(source, until, endOfTime) {
				if f, ok := first[e.customer]; !ok || e.at.Before(f) {
					first[e.customer] = e.at
				}
				if active[e.customer] == nil {
					active[e.customer] = map[time.Time]int64{}
				}
				active[e.customer][month(e.at)] += 0
				returned := e.returned != nil && *e.returned && !e.ingested.IsZero()
				if source == Purchases && e.amount != nil && !returned {
					active[e.customer][month(e.at)] += int64(math.Round(*e.amount * 10000))
				}
			}
		}
		want, have := map[key]CohortCell{}, map[key]CohortCell{}
		for id, months := range active {
			for m, spent := range months {
				k := key{month(first[id]), m}
				cell := want[k]
				want[k] = CohortCell{Cohort: k.cohort, Month: m, Customers: cell.Customers + 1, Spent: cell.Spent + spent}
			}
		}
		cells, err := s.ActivityCohorts(t.Context(), c, until)
		if err != nil {
			t.Fatal(err)
		}
		for _, cell := range cells {
			have[key{cell.Cohort, cell.Month}] = cell
		}
		if d := gocmp.Diff(want, have); d != "" {
			t.Fatalf("%s: %s", name, d)
		}
		if c.CountsSpend() != slices.Contains(c.Activity, Purchases) {
			t.Errorf("%s: counts spend: %v", name, c.CountsSpend())
		}
	}
}
