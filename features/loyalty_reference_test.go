package features

import (
	"cmp"
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
	for _, p := range w.knownPeriods(id, cutoff) {
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
	for _, started := range w.knownSpansAll(id, cutoff) {
		see(started)
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
