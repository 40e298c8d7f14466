package features

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings are one specification of each kind, with all lengths of use.
func settings() map[string]ChurnSpec {
	return map[string]ChurnSpec{
		"silence of purchases": {Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 90, HorizonDays: 30},
		"silence of both":      {Setting: NonContractual, Activity: []string{Usage, Purchases}, ActiveDays: 20, GapDays: 5, HorizonDays: 14, MinTenureDays: 40},
		"contractual":          {Setting: Contractual, GraceDays: 10, HorizonDays: 60, MinTenureDays: 10},
		"contractual, gap":     {Setting: Contractual, GapDays: 7, HorizonDays: 30},
		"event":                {Setting: EventSetting, GapDays: 3, HorizonDays: 45, Event: &EventSpec{Source: Usage, Match: map[string]string{"channel": "leave"}, Start: &EventMatch{Source: Purchases, Match: map[string]string{"channel": "join"}}}},
		"silence of service":   {Setting: NonContractual, Activity: []string{Surveys, Tickets, Contacts, Touchpoints}, ActiveDays: 60, HorizonDays: 40},
		"event of touchpoints": {Setting: EventSetting, HorizonDays: 45, Event: &EventSpec{Source: Touchpoints, Match: map[string]string{"channel": "leave"}, Start: &EventMatch{Source: Purchases, Match: map[string]string{"channel": "join"}}}},
		"event without start":  {Setting: EventSetting, HorizonDays: 30, MinTenureDays: 5, Event: &EventSpec{Source: Purchases, Match: map[string]string{"channel": "it's \\ left"}}},
	}
}

// randomWorld is a year of 200 customers in which instants fall on midnights and on each other, rows are late, unmapped,
// corrected or from the future, and periods join, overlap, lapse, stay open, are cancelled and end for every reason.
func randomWorld(rng *rand.Rand) world {
	start := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	instant := func() time.Time {
		t := start.Add(time.Duration(rng.IntN(400)) * day)
		if rng.IntN(2) == 0 {
			t = t.Add(time.Duration(rng.IntN(86400000)) * time.Millisecond)
		}
		return t
	}
	lagged := func(t time.Time) time.Time {
		switch rng.IntN(3) {
		case 0:
			return time.Time{}
		case 1:
			return t.Add(time.Duration(rng.IntN(3)) * day)
		}
		return t.Add(time.Duration(rng.IntN(20*86400000)) * time.Millisecond)
	}
	amount := func() *float64 {
		if rng.IntN(6) == 0 {
			return nil
		}
		return probability(float64(rng.IntN(10000)) / 100)
	}
	var w world
	for i := range 200 {
		id := string(rune('a'+i%26)) + string(rune('A'+rng.IntN(26))) + string(rune('0'+i/26)) + "'"
		for k := range rng.IntN(12) {
			e := eventRow{source: Purchases, customer: id, id: k, at: instant(), channel: []string{"", "join", "leave", "it's \\ left"}[rng.IntN(4)], amount: amount()}
			if rng.IntN(2) == 0 {
				e.source = Usage
			}
			if rng.IntN(3) == 0 {
				back := rng.IntN(2) == 0
				e.returned = &back
			}
			e.ingested = lagged(e.at)
			w.events = append(w.events, e)
			if rng.IntN(5) == 0 { // a correction may also move it, to earlier or later
				e.ingested = e.known().Add(time.Duration(1+rng.IntN(30*86400000)) * time.Millisecond)
				e.at = e.at.Add(time.Duration(rng.IntN(21)-10) * day)
				e.channel = []string{"join", "leave", "it's \\ left"}[rng.IntN(3)]
				w.events = append(w.events, e)
			}
		}
		w.periods = append(w.periods, randomPeriods(rng, id, instant, lagged, amount)...)
		for range rng.IntN(3) {
			c := customerRow{customer: id}
			if rng.IntN(2) == 0 {
				t := instant()
				c.created = &t
			}
			if rng.IntN(8) == 0 {
				t := instant()
				c.optedOut = &t
			}
			if c.ingested = instant().Add(time.Duration(1+rng.IntN(1000)) * time.Millisecond); len(w.customers)%5 == 0 {
				c.ingested = time.Time{}
			}
			// Two versions of one customer that become known together have no order that a test could ask for.
			if !slices.ContainsFunc(w.customers, func(o customerRow) bool { return o.customer == id && o.known().Equal(c.known()) }) {
				w.customers = append(w.customers, c)
			}
		}
	}
	for k := range 300 { // beside the others, some of people of whom nothing else is known
		e := eventRow{customer: "service only", id: 100 + k, at: instant(), channel: []string{"", "join", "leave"}[rng.IntN(3)]}
		if n := len(w.events); k%10 > 0 {
			e.customer = w.events[rng.IntN(n)].customer
		}
		e.source = []string{Surveys, Tickets, Contacts, Touchpoints, Touchpoints}[rng.IntN(5)]
		e.ingested = lagged(e.at)
		w.events = append(w.events, e)
	}
	return w
}

func randomPeriods(rng *rand.Rand, id string, instant func() time.Time, lagged func(time.Time) time.Time, amount func() *float64) []periodRow {
	var out []periodRow
	chain := instant()
	for k := range rng.IntN(7) {
		p := periodRow{customer: id, id: k, started: chain, mrr: amount(), reason: []string{"", "too dear", "Payment failed", "payment-failure"}[rng.IntN(4)]}
		billing := uint16([]int{7, 30, 31}[rng.IntN(3)])
		if rng.IntN(3) > 0 {
			p.billing = &billing
		}
		end := p.started.Add(time.Duration(rng.IntN(60)) * day)
		switch rng.IntN(5) {
		case 0: // open
		case 1: // stopped early or late
			stopped := end.Add(time.Duration(rng.IntN(20)-10) * day)
			p.ends, p.ended = &end, &stopped
		default:
			p.ends = &end
		}
		if rng.IntN(4) == 0 {
			t := p.started.Add(time.Duration(rng.IntN(70)-5) * day)
			p.cancelled = &t
		}
		p.ingested = lagged(p.started)
		out = append(out, p)
		if rng.IntN(5) == 0 {
			p.ingested = p.known().Add(time.Duration(1+rng.IntN(40)) * day)
			later := end.Add(time.Duration(rng.IntN(40)-20) * day)
			p.ends, p.cancelled = &later, nil
			out = append(out, p)
		}
		chain = end.Add([]time.Duration{0, 0, day, 10 * day, 10*day + time.Millisecond, 40 * day, -5 * day}[rng.IntN(7)])
	}
	return out
}

func cutoffs(t testing.TB) []time.Time {
	return instants(t, "2022-02-01", "2022-06-15 13:30", "2022-09-01")
}

func populationOf(t testing.TB, s *Store, c ChurnSpec, cutoff time.Time) *Population {
	t.Helper()
	p, err := s.Population(t.Context(), c, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// asMap is (status, code) by customer, after checking that everyone comes once, in order.
func asMap(t testing.TB, p *Population) map[string][2]string {
	t.Helper()
	out := make(map[string][2]string)
	for i, id := range p.Customer {
		out[id] = [2]string{p.Status[i], p.StatusCode[i]}
	}
	if len(out) != len(p.Customer) || !slices.IsSorted(p.Customer) {
		t.Error("customers come twice or out of order")
	}
	return out
}

func TestPopulationAndLabelsAgainstReference(t *testing.T) {
	s := world{}.store(t)
	seen := make(map[string]int)
	for seed := range uint64(2) {
		w := randomWorld(rand.New(rand.NewPCG(seed, 2)))
		w.load(t, s.DB)
		for name, c := range settings() {
			for _, cutoff := range cutoffs(t) {
				p := populationOf(t, s, c, cutoff)
				want := make(map[string][2]string)
				var eligible []string
				for id, standing := range w.standing(c, cutoff) {
					want[id] = [2]string{standings[standing].status, standings[standing].code}
					seen[name+" "+standings[standing].status+standings[standing].code]++
					if standing == standingScored {
						eligible = append(eligible, id)
					}
				}
				slices.Sort(eligible)
				if diff := cmp.Diff(want, asMap(t, p)); diff != "" {
					t.Fatalf("%s at %v, seed %d: %s", name, cutoff, seed, diff)
				}
				if diff := cmp.Diff(eligible, p.Eligible()); diff != "" {
					t.Fatalf("%s at %v, seed %d: eligible %s", name, cutoff, seed, diff)
				}
				for _, known := range []time.Time{{}, c.Matures(cutoff)} {
					checkLabels(t, s, w, c, p, known, seen, name)
				}
				checkValue(t, s, w, p)
			}
		}
	}
	for name, c := range settings() { // the worlds are rich enough to have tested every arm
		want := []string{"fate 0", "fate 1", StatusScored, StatusOptedOut}
		if c.MinTenureDays > 0 {
			want = append(want, StatusNotEligible+CodeTenure)
		}
		if c.GapDays > 0 && c.Setting != NonContractual {
			want = append(want, "fate 2")
		}
		if c.Setting == Contractual {
			want = append(want, "fate 3", "fate 4", StatusNotEligible+CodeCancelPending)
		}
		if c.GraceDays > 0 {
			want = append(want, StatusNotEligible+CodeInGrace)
		}
		for _, w := range want {
			if seen[name+" "+w] == 0 {
				t.Errorf("%s: no customer was %q", name, w)
			}
		}
	}
}

func TestPopulationKnowsNothingAfterTheCutoff(t *testing.T) {
	s := world{}.store(t)
	type seen struct {
		Stands map[string][2]string
		Worth  []float64
	}
	look := func(w world, cutoff time.Time) map[string]seen {
		w.load(t, s.DB)
		out := make(map[string]seen)
		for name, c := range settings() {
			p := populationOf(t, s, c, cutoff)
			out[name] = seen{asMap(t, p), valueOf(t, s, p)}
		}
		return out
	}
	for seed := range uint64(2) {
		full := randomWorld(rand.New(rand.NewPCG(seed, 3)))
		for _, cutoff := range instants(t, "2022-06-15 13:30", "2022-09-01") {
			if diff := cmp.Diff(look(full, cutoff), look(full.before(cutoff), cutoff), equalNaNs); diff != "" {
				t.Fatalf("at %v, seed %d, the future changes the population: %s", cutoff, seed, diff)
			}
		}
	}
}

// before is the world as it could be known at the cutoff: no later row or version, and nothing filled in later.
func (w world) before(cutoff time.Time) world {
	var out world
	past := func(t *time.Time) *time.Time {
		if t != nil && t.Before(cutoff) {
			return t
		}
		return nil
	}
	for _, e := range w.events {
		if e.known().Before(cutoff) && (e.at.Before(cutoff) || !e.ingested.IsZero()) {
			out.events = append(out.events, e) // one with at ≥ T known before T may take an earlier version's place
		}
	}
	for _, p := range w.periods {
		if p.known().Before(cutoff) {
			p.ended, p.cancelled = past(p.ended), past(p.cancelled)
			if p.ends != nil && !p.ends.Before(cutoff) && p.ingested.IsZero() {
				moved := p.ends.Add(17 * day) // an end written down afterwards
				p.ends = &moved
			}
			out.periods = append(out.periods, p)
		}
	}
	for _, c := range w.customers {
		if c.known().Before(cutoff) {
			c.optedOut = past(c.optedOut)
			out.customers = append(out.customers, c)
		}
	}
	return out
}

func TestPopulationScratchTables(t *testing.T) {
	at := utc(t, "2022-01-01")
	s := world{events: []eventRow{{source: Purchases, customer: "a", at: at}}}.store(t)
	count := func() (n uint64) {
		t.Helper()
		if err := s.DB.Conn().QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'retain_scratch_')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	p := populationOf(t, s, DefaultChurn(), at.Add(time.Millisecond))
	if got := count(); got != 2 {
		t.Errorf("%d scratch tables while the population is open, want those of the eligible and of everyone", got)
	}
	if err := s.DropLeftovers(t.Context(), time.Now().Add(-time.Hour)); err != nil || count() != 2 {
		t.Errorf("a young table was dropped: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); err != nil {
		t.Errorf("close under a cancelled context: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("close twice: %v", err)
	}
	if got := count(); got != 0 {
		t.Errorf("%d scratch tables after Close", got)
	}
	populationOf(t, s, DefaultChurn(), at.Add(time.Millisecond))
	if err := s.DropLeftovers(t.Context(), time.Now().Add(time.Hour)); err != nil || count() != 0 {
		t.Errorf("a leftover stayed: %v", err)
	}
	if _, err := s.Population(ctx, DefaultChurn(), at); err == nil {
		t.Error("no error under a cancelled context")
	}
	if _, err := s.Population(t.Context(), ChurnSpec{}, at); err == nil {
		t.Error("no error for an invalid specification")
	}
}

// Tables of one's own: no knowledge time, other names, dates, the same row twice.
func TestPopulationOfOwnTables(t *testing.T) {
	s := world{}.store(t)
	s.Sources = Sources{
		Purchases:     {Table: "orders", Columns: map[string]string{"customer_id": "account", "at": "paid_on", "amount": "euro", "order_id": "number"}},
		Subscriptions: {Table: "contracts", Columns: map[string]string{"customer_id": "account", "started_at": "begins", "ends_at": "ends", "subscription_id": "number", "mrr": "fee"}},
	}
	if err := s.Sources.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"CREATE TABLE orders (account UInt32, paid_on Date, euro Float64, number String) ENGINE = MergeTree ORDER BY account",
		"CREATE TABLE contracts (account UInt32, begins Date, ends Nullable(Date), number String, fee Float64) ENGINE = MergeTree ORDER BY account",
		"INSERT INTO orders VALUES (1, '2022-05-01', 120, 'n1'), (1, '2022-05-01', 120, 'n1'), (2, '2022-05-31', 60, 'n2'), (2, '2022-06-10', 60, 'n3'), (3, '2022-06-01', 10, 'n4')",
		"INSERT INTO contracts VALUES (4, '2022-01-01', NULL, 'c1', 7), (4, '2022-01-01', NULL, 'c1', 7), (5, '2022-01-01', '2022-06-20', 'c2', 8), (6, '2022-06-01', NULL, 'c3', 9)",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	cutoff := utc(t, "2022-06-01")
	for _, k := range []struct {
		spec     ChurnSpec
		eligible []string
		y, worth []float64
	}{
		{ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 60, HorizonDays: 30}, []string{"1", "2"}, []float64{1, 0}, []float64{10, 5}},
		{ChurnSpec{Setting: Contractual, GraceDays: 5, HorizonDays: 30}, []string{"4", "5"}, []float64{0, 1}, []float64{7, 8}},
	} {
		p := populationOf(t, s, k.spec, cutoff)
		if diff := cmp.Diff([]string{"1", "2", "4", "5"}, p.Customer); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(k.eligible, p.Eligible()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(k.y, labelsOf(t, s, k.spec, p, time.Time{}).Y); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(k.worth, valueOf(t, s, p)); diff != "" {
			t.Error(diff)
		}
	}
}
