package features

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// A saidRow is a survey or a touchpoint, of which the rows of world tell neither kind nor score.
type saidRow struct {
	source   string // Surveys or Touchpoints
	customer string
	at       time.Time
	ingested time.Time // zero = at
	kind     string
	score    *float64
}

func (r saidRow) known() time.Time {
	if r.ingested.IsZero() {
		return r.at
	}
	return r.ingested
}

// say adds rows to a store; they have no identity, so each counts.
func say(t testing.TB, s *Store, rows []saidRow) {
	t.Helper()
	for _, source := range []string{Surveys, Touchpoints} {
		columns := "customer_id, at, kind"
		if source == Surveys {
			columns += ", score"
		}
		b, err := s.DB.Conn().PrepareBatch(t.Context(), "INSERT INTO "+source+" ("+columns+", ingested_at, ingested_mapped, imported_at, event_hash, row_hash)")
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rows {
			if r.source != source {
				continue
			}
			row := []any{r.customer, r.at, r.kind}
			if source == Surveys {
				row = append(row, decimalOrNil(r.score))
			}
			hash := uint64(1_000_000 + i)
			if err := b.Append(append(row, r.known(), true, r.known(), hash, hash)...); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
}

// The definition of metrics.md §4 once more, one customer at a time: (repeat, promotes).
func (w world) loyalty(c ChurnSpec, said []saidRow, id string, cutoff, known time.Time) (repeat, promotes float64) {
	if known.IsZero() {
		known = endOfTime
	}
	nan, until, before := math.NaN(), cutoff.Add(180*day), cutoff.Add(-180*day)
	if c.Setting == Contractual && w.paidUntil(id, cutoff, until) {
		return nan, nan
	}
	c.GapDays, c.HorizonDays = 0, 180
	switch w.fate(c, id, cutoff, known) {
	case fateChurned, fateInvoluntary:
		return 0, nan
	case fateLeftBefore:
		return nan, nan
	}
	promotes = nan
	says := func(yes bool) {
		if yes {
			promotes = 1
		} else if promotes != promotes {
			promotes = 0
		}
	}
	recorded := false
	for _, r := range said {
		recorded = recorded || r.source == Touchpoints && r.kind == "referral_sent" && r.known().Before(known) && r.at.Before(cutoff)
	}
	if recorded {
		says(false)
	}
	for _, r := range said {
		if r.customer != id || !r.known().Before(known) || r.at.Before(cutoff) || !r.at.Before(until) {
			continue
		}
		switch {
		case r.source == Surveys && r.kind == "nps" && r.score != nil:
			says(*r.score >= 9)
		case recorded && r.source == Touchpoints && r.kind == "referral_sent":
			says(true)
		}
	}
	var earlier, later float64
	first := endOfTime
	for _, e := range w.knownEvents(Purchases, known, known) {
		if e.at.Before(first) {
			first = e.at
		}
		if e.customer != id || e.amount == nil || e.returned != nil && *e.returned && !e.ingested.IsZero() || e.at.Before(before) || !e.at.Before(until) {
			continue
		}
		if cents := math.Round(100 * *e.amount); e.at.Before(cutoff) {
			earlier += cents
		} else {
			later += cents
		}
	}
	if first != endOfTime && before.Before(first) && w.born(id, said, cutoff).Before(first) {
		return 1, nan // what he spent before is not on record
	}
	if earlier > 0 {
		says(later >= earlier)
	}
	return 1, promotes
}

// paidUntil says whether a running period is paid until an instant or longer, as the cutoff knows it.
func (w world) paidUntil(id string, cutoff, until time.Time) bool {
	newest := make(map[int]periodRow)
	for _, p := range w.periods {
		if held, ok := newest[p.id]; p.customer == id && p.known().Before(cutoff) && (!ok || p.known().After(held.known())) {
			newest[p.id] = p
		}
	}
	for _, p := range newest {
		if !p.started.Before(cutoff) || p.ended != nil && p.ended.Before(cutoff) {
			continue
		}
		ends := p.ends
		if p.ingested.IsZero() && p.billing != nil && *p.billing > 0 && (ends == nil || !ends.Before(cutoff)) { // written down later: the next billing date was known
			length := time.Duration(*p.billing) * day
			next := p.started.Add((cutoff.Sub(p.started)/length + 1) * length)
			ends = &next
		}
		if ends != nil && !ends.Before(until) {
			return true
		}
	}
	return false
}

// born is created_at, else the first row of any source, as known at the cutoff.
func (w world) born(id string, said []saidRow, cutoff time.Time) time.Time {
	var newest customerRow
	for _, r := range w.customers {
		if r.customer == id && r.known().Before(cutoff) && (newest.customer == "" || r.known().After(newest.known())) {
			newest = r
		}
	}
	if newest.created != nil && newest.created.Before(cutoff) {
		return *newest.created
	}
	first := endOfTime
	see := func(at time.Time) {
		if at.Before(first) {
			first = at
		}
	}
	for _, source := range eventSources() {
		for _, e := range w.knownEvents(source, cutoff, cutoff) {
			if e.customer == id {
				see(e.at)
			}
		}
	}
	for _, r := range said {
		if r.customer == id && r.at.Before(cutoff) && r.known().Before(cutoff) {
			see(r.at)
		}
	}
	held := make(map[int]periodRow)
	for _, p := range w.periods {
		if h, ok := held[p.id]; p.customer == id && p.known().Before(cutoff) && (!ok || p.known().After(h.known())) {
			held[p.id] = p
		}
	}
	for _, p := range held {
		if p.started.Before(cutoff) {
			see(p.started)
		}
	}
	return first
}

// longWorld is two years: randomWorld's first, and a second in which the 180 days after a cutoff lie.
func longWorld(rng *rand.Rand) (world, []saidRow) {
	w := randomWorld(rng)
	start := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	var ids []string
	for _, e := range w.events {
		ids = append(ids, e.customer)
	}
	for k := range 500 {
		amount := float64(rng.IntN(20000)) / 100
		at := start.Add(time.Duration(rng.IntN(600)) * day)
		w.events = append(w.events, eventRow{source: Purchases, customer: ids[rng.IntN(len(ids))], id: 1000 + k, at: at, amount: &amount})
	}
	for k := range 60 { // long and open periods beside the short ones
		ends := start.Add(time.Duration(200+rng.IntN(500)) * day)
		p := periodRow{customer: ids[rng.IntN(len(ids))], id: 100 + k, started: start.Add(time.Duration(rng.IntN(200)) * day), ends: &ends}
		switch rng.IntN(3) {
		case 0:
			p.ends = nil
		case 1:
			p.ingested = p.started
		}
		w.periods = append(w.periods, p)
	}
	var said []saidRow
	for range 700 {
		r := saidRow{customer: ids[rng.IntN(len(ids))], at: start.Add(time.Duration(rng.IntN(500*24)) * time.Hour), source: Surveys, kind: []string{"nps", "nps", "nps", "csat"}[rng.IntN(4)]}
		if rng.IntN(3) > 0 {
			score := float64(5 + rng.IntN(6))
			r.score = &score
		}
		if rng.IntN(4) == 0 {
			r.source, r.kind, r.score = Touchpoints, []string{"referral_sent", "visit", "referral_joined"}[rng.IntN(3)], nil
		}
		if rng.IntN(3) == 0 {
			r.ingested = r.at.Add(time.Duration(rng.IntN(60)) * day)
		}
		said = append(said, r)
	}
	slices.SortFunc(said, func(a, b saidRow) int { return cmp.Or(strings.Compare(a.source, b.source), a.at.Compare(b.at)) })
	return w, said
}

func TestLoyaltyLabelsAgainstReference(t *testing.T) {
	s := world{}.store(t)
	seen := make(map[string]int)
	for seed := range uint64(2) {
		w, said := longWorld(rand.New(rand.NewPCG(seed, 9)))
		if seed == 1 { // no referral is recorded before the last cutoff
			said = slices.DeleteFunc(said, func(r saidRow) bool { return r.kind == "referral_sent" && r.at.Before(utc(t, "2022-09-01")) })
		}
		w.load(t, s.DB)
		say(t, s, said)
		for _, name := range []string{"silence of both", "contractual", "event"} {
			c := settings()[name]
			for _, cutoff := range instants(t, "2022-06-15 13:30", "2022-09-01") {
				p := populationOf(t, s, c, cutoff)
				for _, known := range []time.Time{{}, c.Loyalty().Matures(cutoff)} {
					l, err := s.LoyaltyLabels(t.Context(), c, p, known)
					if err != nil {
						t.Fatal(err)
					}
					repeat, promotes := []float64{}, []float64{}
					for i, id := range p.Eligible() {
						r, q := w.loyalty(c, said, id, cutoff, known)
						if l.Sure[i] && r == 1 && q != q {
							t.Errorf("%s: %s repeats, and it is not known whether he promotes, though it was sure to be", name, id)
						}
						repeat, promotes = append(repeat, r), append(promotes, q)
						seen[fmt.Sprintf("%s repeat %v", c.Setting, r)]++
						seen[fmt.Sprintf("promotes %v of repeat %v, referrals %v", q, r, l.Referrals)]++
					}
					if diff := gocmp.Diff(repeat, l.Repeat, equalNaNs); diff != "" {
						t.Fatalf("%s at %v known before %v, seed %d: repeat %s", name, cutoff, known, seed, diff)
					}
					if diff := gocmp.Diff(promotes, l.Promotes, equalNaNs); diff != "" {
						t.Fatalf("%s at %v known before %v, seed %d: promotes %s", name, cutoff, known, seed, diff)
					}
				}
			}
		}
	}
	for _, want := range []string{
		"contractual repeat 0", "contractual repeat 1", "contractual repeat NaN", "event repeat 0", "event repeat 1", "non_contractual repeat 0", "non_contractual repeat 1",
		"promotes 0 of repeat 1, referrals true", "promotes 1 of repeat 1, referrals true", "promotes 0 of repeat 1, referrals false",
		"promotes 1 of repeat 1, referrals false", "promotes NaN of repeat 1, referrals false",
	} {
		if seen[want] == 0 {
			t.Errorf("no customer was %q", want)
		}
	}
}

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
