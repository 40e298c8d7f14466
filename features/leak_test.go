package features

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// sameVectors tells the first cell in which two snapshots differ.
func sameVectors(t *testing.T, before, after *Snapshot) {
	t.Helper()
	if !slices.Equal(before.Customer, after.Customer) {
		t.Fatal("other customers")
	}
	for j, c := range before.X.Schema {
		if !slices.Equal(c.Levels, after.X.Schema[j].Levels) {
			t.Fatalf("%s: levels %q became %q", c.Name, c.Levels, after.X.Schema[j].Levels)
		}
		for i := range before.X.X[j] {
			if math.Float32bits(before.X.X[j][i]) != math.Float32bits(after.X.X[j][i]) {
				t.Fatalf("%s of %s: %v became %v", c.Name, before.Customer[i], before.X.X[j][i], after.X.X[j][i])
			}
		}
	}
}

// TestTheFutureChangesNoVector adds rows that happen or become known at the cutoff or later, corrections of earlier events and
// new customers among them: no bit of any vector may move.
func TestTheFutureChangesNoVector(t *testing.T) {
	for seed := range uint64(2) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := randomHistory(rng, cutoffMS())
		cutoff := formCutoffs[1+int(seed)%2]
		now := milliseconds(cutoff)
		// What is known at the cutoff alone, then everything.
		past := &refWorld{static: w.static}
		for _, r := range w.rows {
			if r.ingested < now && r.at < now {
				past.rows = append(past.rows, r)
			}
		}
		future := &refWorld{static: w.static}
		for _, r := range past.rows {
			future.rows = append(future.rows, r.filledIn(rng, now))
		}
		for n := range 400 {
			r := w.rows[rng.IntN(len(w.rows))]
			r.hash += uint64(n) + 1
			r.imported += int64(n)
			switch rng.IntN(4) {
			case 0: // a late row about the past, at the last instant that may not count
				r.mapped, r.ingested, r.event = true, now, 1000+n
			case 1: // a correction that comes later
				r.mapped, r.ingested = true, now+rng.Int64N(50*dayMS)
			case 2: // an event at the cutoff
				r.mapped, r.at, r.ingested, r.event = false, now, now, 1000+n
			case 3: // a later customer
				r.customer, r.at, r.ingested = "new", now+rng.Int64N(50*dayMS), now+rng.Int64N(50*dayMS)
			}
			future.rows = append(future.rows, w.fill(rng, r))
		}
		ids := past.eye(now).customers()
		a, b := past.store(t), future.store(t)
		all := DefaultCatalogue()
		all.Treatment = true
		c, err := all.Resolve(t.Context(), a, []time.Time{cutoff})
		if err != nil {
			t.Fatal(err)
		}
		again, err := all.Resolve(t.Context(), b, []time.Time{cutoff})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Names(), again.Names()) {
			t.Fatalf("the future changed the catalogue: %q, was %q", again.Names(), c.Names())
		}
		before, err := a.Snapshot(t.Context(), c, everyone(t, a, cutoff, ids))
		if err != nil {
			t.Fatal(err)
		}
		after, err := b.Snapshot(t.Context(), c, everyone(t, b, cutoff, ids))
		if err != nil {
			t.Fatal(err)
		}
		sameVectors(t, before, after)
	}
}

// filledIn is the row with everything that is written into it at the cutoff or later changed: replies, ends of tickets, outcomes.
func (r refRow) filledIn(rng *rand.Rand, now int64) refRow {
	r.num, r.text = maps.Clone(r.num), maps.Clone(r.text)
	fill := func(at string, numbers, texts []string) {
		if v, ok := r.num[at]; ok && v < float64(now) {
			return
		}
		r.num[at] = float64(now + rng.Int64N(2)*rng.Int64N(30*dayMS))
		for _, c := range numbers {
			r.num[c] = float64(rng.IntN(2))
		}
		for _, c := range texts {
			r.text[c] = "ignored"
		}
	}
	switch r.source {
	case Tickets:
		fill("first_reply_at", nil, []string{"reply_channel"})
		fill("resolved_at", []string{"reopened", "escalated", "self_served", "satisfaction"}, nil)
	case Contacts:
		fill("outcome_at", nil, []string{"outcome"})
	case Subscriptions:
		fill("cancelled_at", nil, nil)
		fill("ended_at", nil, nil)
	}
	return r
}

// TestFactsWrittenLaterAreHidden reads one period, return and attribute around the instants at which they become known.
func TestFactsWrittenLaterAreHidden(t *testing.T) {
	at := func(d float64) int64 { return refStart + int64(d*dayMS) }
	w := &refWorld{static: map[string][]string{Customers: {"region"}, Tickets: {"escalated"}}, rows: []refRow{
		{source: Subscriptions, customer: "a", at: at(0), ingested: at(0), hash: 1,
			num:  map[string]float64{"cancelled_at": float64(at(10)), "ended_at": float64(at(20)), "ends_at": float64(at(20)), "billing_days": 30, "mrr": 5},
			text: map[string]string{"end_reason": "price", "subscription_id": "s"}},
		{source: Subscriptions, customer: "b", at: at(0), ingested: at(0), hash: 2,
			num: map[string]float64{"ends_at": float64(at(20))}, text: map[string]string{}},
		{source: Purchases, customer: "a", at: at(1), ingested: at(1), hash: 3, num: map[string]float64{"returned": 1}, text: map[string]string{}},
		{source: Purchases, customer: "b", at: at(1), ingested: at(5), mapped: true, hash: 4, num: map[string]float64{"returned": 1}, text: map[string]string{}},
		{source: Tickets, customer: "a", at: at(2), ingested: at(2), mapped: true, hash: 7,
			num:  map[string]float64{"first_reply_at": float64(at(10)), "resolved_at": float64(at(20)), "reopened": 2, "escalated": 1, "self_served": 0, "satisfaction": 4},
			text: map[string]string{"reply_channel": "phone"}},
		{source: Contacts, customer: "a", at: at(2), ingested: at(2), hash: 8, num: map[string]float64{"outcome_at": float64(at(10))}, text: map[string]string{"outcome": "accepted"}},
		{source: Contacts, customer: "b", at: at(2), ingested: at(2), hash: 9, num: map[string]float64{}, text: map[string]string{"outcome": "accepted"}},
		{source: Customers, customer: "a", at: at(0), ingested: at(0), hash: 5, text: map[string]string{"region": "north", "segment": "large"}},
		{source: Customers, customer: "b", at: at(0), ingested: at(0), mapped: true, hash: 6, text: map[string]string{"region": "south", "segment": "small"}},
	}}
	s := w.store(t)
	readAt := func(source, column, customer string, cutoff int64) string {
		t.Helper()
		rows, err := s.Versions(t.Context(), source, []string{column}, time.UnixMilli(cutoff))
		if err != nil {
			t.Fatal(err)
		}
		var v string
		if err := s.DB.Conn().QueryRow(t.Context(), "SELECT ifNull(toString("+column+"), 'missing') FROM "+rows+" WHERE customer_id = "+QuoteText(customer)).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	cases := []struct {
		name, source, column, customer string
		cutoff                         int64
		want                           string
	}{
		{"cancelled at the cutoff is the future", Subscriptions, "cancelled_at", "a", at(10), "missing"},
		{"cancelled a moment before", Subscriptions, "cancelled_at", "a", at(10) + 1, "2023-01-11 00:00:00.000"},
		{"the reason hides with the cancellation", Subscriptions, "end_reason", "a", at(10), ""},
		{"and shows with it", Subscriptions, "end_reason", "a", at(10) + 1, "price"},
		{"ended at the cutoff", Subscriptions, "ended_at", "a", at(20), "missing"},
		{"ended before", Subscriptions, "ended_at", "a", at(20) + 1, "2023-01-21 00:00:00.000"},
		{"an end written down later reads as the next bill", Subscriptions, "ends_at", "a", at(5), "2023-01-31 00:00:00.000"},
		{"an end that has passed is a fact", Subscriptions, "ends_at", "a", at(21), "2023-01-21 00:00:00.000"},
		{"without billing days an end is paid until", Subscriptions, "ends_at", "b", at(5), "2023-01-21 00:00:00.000"},
		{"a return whose knowledge time is not known", Purchases, "returned", "a", at(50), "missing"},
		{"a return with one", Purchases, "returned", "b", at(6), "true"},
		{"a reply at the cutoff is the future", Tickets, "first_reply_at", "a", at(10), "missing"},
		{"a reply a moment before", Tickets, "first_reply_at", "a", at(10) + 1, "2023-01-11 00:00:00.000"},
		{"its channel hides with it", Tickets, "reply_channel", "a", at(10), ""},
		{"and shows with it", Tickets, "reply_channel", "a", at(10) + 1, "phone"},
		{"resolved at the cutoff", Tickets, "resolved_at", "a", at(20), "missing"},
		{"reopened hides with the end", Tickets, "reopened", "a", at(20), "missing"},
		{"unless declared static", Tickets, "escalated", "a", at(20), "true"},
		{"self-service too", Tickets, "self_served", "a", at(20), "missing"},
		{"satisfaction too", Tickets, "satisfaction", "a", at(20), "missing"},
		{"resolved a moment before", Tickets, "resolved_at", "a", at(20) + 1, "2023-01-21 00:00:00.000"},
		{"reopened shows", Tickets, "reopened", "a", at(20) + 1, "2"},
		{"self-service shows", Tickets, "self_served", "a", at(20) + 1, "false"},
		{"satisfaction shows", Tickets, "satisfaction", "a", at(20) + 1, "4"},
		{"an outcome at the cutoff", Contacts, "outcome", "a", at(10), ""},
		{"its instant", Contacts, "outcome_at", "a", at(10), "missing"},
		{"an outcome a moment before", Contacts, "outcome", "a", at(10) + 1, "accepted"},
		{"an outcome without an instant is never known", Contacts, "outcome", "b", at(50), ""},
		{"a declared static column", Customers, "region", "a", at(50), "north"},
		{"any other column of customers", Customers, "segment", "a", at(50), ""},
		{"any column with its own knowledge time", Customers, "segment", "b", at(50), "small"},
	}
	for _, c := range cases {
		if got := readAt(c.source, c.column, c.customer, c.cutoff); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
