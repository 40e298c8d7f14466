package features

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// Each case is one customer who buys on the day before the cutoff, so that he is alive, and of whom one more thing is told.
func TestLoyaltyBoundaries(t *testing.T) {
	cutoff := utc(t, "2023-01-01")
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Usage}, ActiveDays: 30, GapDays: 40, HorizonDays: 10}
	const ms = time.Millisecond
	end, start, early := cutoff.Add(180*day), cutoff.Add(-180*day), cutoff.Add(-400*day)
	used := func(id string, at ...time.Time) (out []eventRow) {
		for i, a := range append([]time.Time{cutoff.Add(-day)}, at...) {
			out = append(out, eventRow{source: Usage, customer: id, id: i, at: a})
		}
		return out
	}
	type spend struct {
		at     time.Time
		amount float64
	}
	answer := func(at time.Time, score float64) saidRow {
		return saidRow{source: Surveys, kind: "nps", at: at, score: &score}
	}
	invited := saidRow{source: Surveys, kind: "nps", at: cutoff}
	nan := math.NaN()
	cases := []struct {
		name             string
		uses             []time.Time
		spends           []spend
		said             []saidRow
		repeat, promotes float64
	}{
		{"silent", nil, nil, nil, 0, nan},
		{"used at the cutoff", []time.Time{cutoff}, nil, nil, 1, nan},
		{"used in the last instant", []time.Time{end.Add(-ms)}, nil, nil, 1, nan},
		{"used at the end", []time.Time{end}, nil, nil, 0, nan},
		{"the gap and the horizon of churn do not count", []time.Time{cutoff.Add(120 * day)}, nil, nil, 1, nan},

		{"a nine at the cutoff", []time.Time{cutoff}, nil, []saidRow{answer(cutoff, 9)}, 1, 1},
		{"an eight", []time.Time{cutoff}, nil, []saidRow{answer(cutoff, 8)}, 1, 0},
		{"an eight and a ten", []time.Time{cutoff}, nil, []saidRow{answer(cutoff, 8), answer(cutoff.Add(day), 10)}, 1, 1},
		{"a ten in the last instant", []time.Time{cutoff}, nil, []saidRow{answer(end.Add(-ms), 10)}, 1, 1},
		{"a ten at the end", []time.Time{cutoff}, nil, []saidRow{answer(end, 10)}, 1, nan},
		{"a ten before the cutoff", []time.Time{cutoff}, nil, []saidRow{answer(cutoff.Add(-ms), 10)}, 1, nan},
		{"asked, no answer: not a no", []time.Time{cutoff}, nil, []saidRow{invited}, 1, nan},
		{"another kind of survey", []time.Time{cutoff}, nil, []saidRow{{source: Surveys, kind: "csat", at: cutoff, score: probability(10)}}, 1, nan},
		{"a ten of one who does not repeat", nil, nil, []saidRow{answer(cutoff, 10)}, 0, nan},

		{"spent the same", []time.Time{cutoff}, []spend{{start, 5}, {cutoff, 5}}, nil, 1, 1},
		{"spent a cent less", []time.Time{cutoff}, []spend{{cutoff.Add(-ms), 5}, {end.Add(-ms), 4.99}}, nil, 1, 0},
		{"spent more after the end", []time.Time{cutoff}, []spend{{start, 5}, {end, 50}}, nil, 1, 0},
		{"spent nothing before: no comparison", []time.Time{cutoff}, []spend{{start.Add(-ms), 5}, {cutoff, 50}}, nil, 1, nan},
		{"spent 0 before: no comparison", []time.Time{cutoff}, []spend{{start, 0}, {cutoff, 0}}, nil, 1, nan},
		{"less spent, but a nine", []time.Time{cutoff}, []spend{{start, 5}}, []saidRow{answer(cutoff, 9)}, 1, 1},
		{"an eight, but as much spent", []time.Time{cutoff}, []spend{{start, 5}, {cutoff, 6}}, []saidRow{answer(cutoff, 8)}, 1, 1},
	}
	var w world
	var said []saidRow
	amount := 1.
	w.events = append(w.events, eventRow{source: Purchases, customer: "first", at: early, amount: &amount}) // purchases go back far enough
	for i, k := range cases {
		id := fmt.Sprintf("x%02d", i)
		w.events = append(w.events, used(id, k.uses...)...)
		for n, b := range k.spends {
			w.events = append(w.events, eventRow{source: Purchases, customer: id, id: 100 + n, at: b.at, amount: &b.amount})
		}
		for _, r := range k.said {
			r.customer = id
			said = append(said, r)
		}
	}
	s := w.store(t)
	say(t, s, said)
	labels := func() (*Population, *LoyaltyLabels) {
		p := populationOf(t, s, c, cutoff)
		l, err := s.LoyaltyLabels(t.Context(), c, p, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		return p, l
	}
	p, l := labels()
	if len(p.Eligible()) != len(cases) || l.Referrals {
		t.Fatalf("%d eligible customers, referrals %v", len(p.Eligible()), l.Referrals)
	}
	for i, k := range cases {
		if diff := gocmp.Diff([]float64{k.repeat, k.promotes}, []float64{l.Repeat[i], l.Promotes[i]}, equalNaNs); diff != "" {
			t.Errorf("%s: %s", k.name, diff)
		}
		both := k.promotes
		if k.repeat == 0 {
			both = 0
		}
		if diff := gocmp.Diff(both, l.Both()[i], equalNaNs); diff != "" {
			t.Errorf("%s, both: %s", k.name, diff)
		}
	}

	// Once a referral has been recorded before the cutoff, sending none is a no, and one in the window a yes.
	answers := map[string]float64{"x01": 1, "x02": 1, "x04": 0, "x09": 0}
	say(t, s, []saidRow{
		{source: Touchpoints, customer: "first", kind: "referral_sent", at: cutoff.Add(-ms)},
		{source: Touchpoints, customer: "x01", kind: "referral_sent", at: cutoff},
		{source: Touchpoints, customer: "x02", kind: "referral_sent", at: end.Add(-ms)},
		{source: Touchpoints, customer: "x04", kind: "referral_sent", at: end},
		{source: Touchpoints, customer: "x09", kind: "referral_joined", at: cutoff},
	})
	p, l = labels()
	if !l.Referrals {
		t.Error("referrals are recorded")
	}
	for i, id := range p.Eligible() {
		if want, ok := answers[id]; ok && l.Promotes[i] != want {
			t.Errorf("%s with referrals: promotes %v, want %v", id, l.Promotes[i], want)
		}
	}
	if _, err := s.LoyaltyLabels(t.Context(), c, p, end.Add(-ms)); !errors.Is(err, ErrLabelsUnknown) {
		t.Errorf("labels before they are complete: %v", err)
	}
}

// The contractual setting: a renewal must fall due, as the cutoff knows it, and any end is none.
func TestLoyaltyOfContracts(t *testing.T) {
	cutoff := utc(t, "2023-01-01")
	c := ChurnSpec{Setting: Contractual, GraceDays: 10, HorizonDays: 30}
	at := func(days int) *time.Time { v := cutoff.Add(time.Duration(days) * day); return &v }
	after := func(t *time.Time) *time.Time { v := t.Add(time.Millisecond); return &v }
	before := func(t *time.Time) *time.Time { v := t.Add(-time.Millisecond); return &v }
	nan, thirty := math.NaN(), uint16(30)
	paid := func(started, ends *time.Time) periodRow {
		return periodRow{started: *started, ends: ends, ingested: *started}
	}
	cases := []struct {
		name    string
		periods []periodRow
		want    float64
	}{
		{"open", []periodRow{paid(at(-20), nil)}, 1},
		{"paid until the end of the window: nothing falls due", []periodRow{paid(at(-20), at(180))}, nan},
		{"paid until the last instant of it, not renewed", []periodRow{paid(at(-20), before(at(180)))}, 0},
		{"paid until the last instant of it, renewed", []periodRow{paid(at(-20), before(at(180))), paid(at(180), at(300))}, 1},
		{"renewed a grace later", []periodRow{paid(at(-20), at(50)), paid(at(60), at(300))}, 1},
		{"renewed a millisecond more than a grace later", []periodRow{paid(at(-20), at(50)), paid(after(at(60)), at(300))}, 0},
		{"renewed once, then left", []periodRow{paid(at(-20), at(50)), paid(at(50), at(100))}, 0},
		{"renewed until exactly the end", []periodRow{paid(at(-20), at(50)), paid(at(50), at(180))}, 1},
		{"payment failed", []periodRow{{started: *at(-20), ends: at(50), ended: at(50), reason: "payment_failed", ingested: *at(-20)}}, 0},
		{"bound for long beside a short one", []periodRow{paid(at(-20), at(20)), paid(at(-40), at(325))}, nan},
		{"bound for long, stopped early all the same: unknown at the cutoff", []periodRow{{started: *at(-20), ends: at(345), ended: at(90), ingested: *at(-20)}}, nan},
		{"the end was written down later: what was known is the next bill", []periodRow{{started: *at(-20), ends: at(345), billing: &thirty}}, 1},
		{"the end was written down later, and it came", []periodRow{{started: *at(-20), ends: at(100), billing: &thirty}}, 0},
	}
	var w world
	for i, k := range cases {
		for n, p := range k.periods {
			p.customer, p.id = fmt.Sprintf("x%02d", i), n
			w.periods = append(w.periods, p)
		}
	}
	s := w.store(t)
	p := populationOf(t, s, c, cutoff)
	l, err := s.LoyaltyLabels(t.Context(), c, p, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for i, k := range cases {
		if diff := gocmp.Diff(k.want, l.Repeat[i], equalNaNs); diff != "" {
			t.Errorf("%s: %s", k.name, diff)
		}
		if l.Promotes[i] == l.Promotes[i] {
			t.Errorf("%s: nothing tells who promotes, and yet %v", k.name, l.Promotes[i])
		}
	}
	if l.NotDue != 3 || l.Involuntary != 1 {
		t.Errorf("%d not due, %d involuntary", l.NotDue, l.Involuntary)
	}
	if _, err := s.LoyaltyReach(t.Context(), c, PartPromotes); !errors.Is(err, ErrNothingPromotes) {
		t.Errorf("nothing promotes: %v", err)
	}
}

// A customer older than the records has spent what nobody knows: his earlier spend is not compared.
func TestLoyaltySpendBeforeTheRecords(t *testing.T) {
	first := utc(t, "2022-01-10")
	cutoff := first.Add(100 * day)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 365, HorizonDays: 30}
	ten, created := 10., first.Add(-day)
	var w world
	for _, id := range []string{"new", "old"} {
		for i, at := range []time.Time{first, cutoff.Add(day)} {
			w.events = append(w.events, eventRow{source: Purchases, customer: id, id: i, at: at, amount: &ten})
		}
	}
	w.customers = []customerRow{{customer: "old", created: &created}}
	s := w.store(t)
	p := populationOf(t, s, c, cutoff)
	l, err := s.LoyaltyLabels(t.Context(), c, p, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]float64{1, math.NaN()}, l.Promotes, equalNaNs); diff != "" {
		t.Error(diff)
	}
}

// The second part reaches as far as the least of its sources, the first as far as the churn label's, and cutoffs come from a window of 180 days.
func TestLoyaltyReach(t *testing.T) {
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 365, HorizonDays: 30}
	start, ten := utc(t, "2022-01-01"), 10.
	var w world
	for i := range 700 {
		w.events = append(w.events, eventRow{source: Purchases, customer: fmt.Sprint(i % 7), id: i, at: start.Add(time.Duration(i) * day), amount: &ten})
	}
	s := w.store(t)
	say(t, s, []saidRow{{source: Surveys, customer: "0", kind: "nps", at: start.Add(500*day + time.Hour), score: &ten}})
	for _, k := range []struct {
		part   LoyaltyPart
		until  time.Time
		source string
		last   string
	}{
		{PartRepeat, start.Add(700 * day), Purchases, "2023-06-01"},           // dated rows: to the end of the last day, 2023-12-02; less 180 days 2023-06-05
		{PartPromotes, start.Add(500*day + time.Hour), Surveys, "2022-11-01"}, // 2023-05-16 01:00; less 180 days 2022-11-17
	} {
		r, err := s.LoyaltyReach(t.Context(), c, k.part)
		if err != nil || !r.Watermark.Equal(k.until) || r.Source != k.source {
			t.Errorf("%s: %v by %s, %v; want %v by %s", k.part, r.Watermark, r.Source, err, k.until, k.source)
		}
		cutoffs, err := s.LoyaltyCutoffs(t.Context(), c, DefaultGrid(), k.part)
		if err != nil || len(cutoffs) == 0 || !cutoffs[len(cutoffs)-1].Equal(utc(t, k.last)) {
			t.Errorf("%s: cutoffs %v, %v; want the last %s", k.part, cutoffs, err, k.last)
		}
	}
	until := start.Add(400 * day)
	c.DataUntil = &until
	if r, err := s.LoyaltyReach(t.Context(), c, PartPromotes); err != nil || !r.Watermark.Equal(until) {
		t.Errorf("under data_until: %v, %v", r, err)
	}
}
