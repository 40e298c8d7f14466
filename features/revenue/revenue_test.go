package revenue

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"retain/features"
)

// The definitions of the package once more, one day at a time: all instants of these worlds are midnights.

const dayMS = 86_400_000

// held are the periods that a customer holds on a day, the last moment of which is asked for: those that run, else within a gap of at
// most the grace those that ran just before it; within each subscription first.
func held(periods []features.PaidPeriod, day, grace int64) []features.PaidPeriod {
	subscriptions := map[uint64][]features.PaidPeriod{}
	for _, p := range periods {
		subscriptions[p.Subscription] = append(subscriptions[p.Subscription], p)
	}
	on := func(day int64) (out []features.PaidPeriod) {
		for _, own := range subscriptions {
			out = append(out, through(day, grace, own, func(day int64) []features.PaidPeriod { return running(own, day) })...)
		}
		return out
	}
	return through(day, grace, periods, on)
}

func running(periods []features.PaidPeriod, day int64) (out []features.PaidPeriod) {
	for _, p := range periods {
		if p.Start <= day*dayMS && day*dayMS < p.End {
			out = append(out, p)
		}
	}
	return out
}

// through is what is held on a day, or just before the gap that it lies in.
func through(day, grace int64, periods []features.PaidPeriod, on func(day int64) []features.PaidPeriod) []features.PaidPeriod {
	if now := on(day); now != nil {
		return now
	}
	before := day
	for ; on(before) == nil; before-- {
		if before < 0 {
			return nil
		}
	}
	next := int64(-1)
	for _, p := range periods {
		if start := p.Start / dayMS; start > day && (next < 0 || start < next) {
			next = start
		}
	}
	if next >= 0 && next-(before+1) <= grace {
		return on(before)
	}
	return nil
}

func drawPayers(t *rapid.T) []features.Payer {
	payers := make([]features.Payer, rapid.IntRange(1, 5).Draw(t, "customers"))
	for i := range payers {
		payers[i].Customer = string(rune('a' + i))
		for range rapid.IntRange(1, 6).Draw(t, "periods") {
			start := rapid.Int64Range(0, 150).Draw(t, "start")
			payers[i].Periods = append(payers[i].Periods, features.PaidPeriod{
				Start: start * dayMS, End: (start + rapid.Int64Range(1, 60).Draw(t, "days")) * dayMS,
				Subscription: rapid.Uint64Range(1, 2).Draw(t, "subscription"), MRR: rapid.Int64Range(0, 3).Draw(t, "mrr"), Priced: true,
			})
		}
	}
	return payers
}

// epochMonths are the first seven months of 1970.
func epochMonths() []time.Time {
	return Months(time.Unix(0, 0), time.Date(1970, 7, 1, 0, 0, 0, 0, time.UTC))
}

func TestMovementsAgainstDays(t *testing.T) {
	bounds := epochMonths()
	rapid.Check(t, func(t *rapid.T) {
		payers := drawPayers(t)
		grace := rapid.Int64Range(0, 40).Draw(t, "grace")
		ledger := NewLedger(bounds, time.Duration(grace*24)*time.Hour)
		cohorts := NewCohorts(bounds, time.Duration(grace*24)*time.Hour)
		for _, p := range payers {
			ledger.Add(p)
			cohorts.Add(p)
		}
		sum := func(p features.Payer, bound time.Time) (mrr int64, there bool) {
			now := held(p.Periods, bound.UnixMilli()/dayMS-1, grace)
			for _, period := range now {
				mrr += period.MRR
			}
			return mrr, now != nil
		}
		for k, got := range ledger.Movements() {
			want := Movement{Month: bounds[k]}
			for _, p := range payers {
				before, _ := sum(p, bounds[k])
				after, _ := sum(p, bounds[k+1])
				paidEarlier := false
				for _, period := range p.Periods {
					paidEarlier = paidEarlier || period.MRR > 0 && period.Start < bounds[k].UnixMilli()
				}
				if before > 0 {
					want.Start.add(before)
				}
				if after > 0 {
					want.End.add(after)
				}
				switch {
				case before > 0 && after == 0:
					want.Churn.add(before)
				case before > 0 && after > before:
					want.Expansion.add(after - before)
				case before > 0 && after < before:
					want.Contraction.add(before - after)
				case before == 0 && after > 0 && paidEarlier:
					want.Reactivation.add(after)
				case before == 0 && after > 0:
					want.New.add(after)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("grace %d, %+v: %s", grace, payers, d)
			}
			if got.Start.MRR+got.New.MRR+got.Reactivation.MRR+got.Expansion.MRR-got.Contraction.MRR-got.Churn.MRR != got.End.MRR ||
				got.Start.Customers+got.New.Customers+got.Reactivation.Customers-got.Churn.Customers != got.End.Customers {
				t.Fatalf("it does not add up: %+v", got)
			}
			if k > 0 && ledger.Movements()[k-1].End != got.Start {
				t.Fatalf("month %d begins with other than the last one ended with", k)
			}
		}
		for k, got := range cohorts.List() {
			want := Cohort{Month: bounds[k], Cells: make([]Flow, len(bounds)-1-k)}
			for _, p := range payers {
				first := p.Periods[0].Start
				for _, period := range p.Periods {
					first = min(first, period.Start)
				}
				if first < bounds[k].UnixMilli() || first >= bounds[k+1].UnixMilli() {
					continue
				}
				want.Customers++
				for _, period := range p.Periods {
					if period.Start == first {
						want.MRR += period.MRR
					}
				}
				for age := range want.Cells {
					if mrr, there := sum(p, bounds[k+1+age]); there {
						want.Cells[age].add(mrr)
					}
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("grace %d, %+v: %s", grace, payers, d)
			}
		}
	})
}

func TestMovementsByHand(t *testing.T) {
	at := func(day string) int64 {
		t, err := time.Parse(time.DateOnly, day)
		if err != nil {
			panic(err)
		}
		return t.UnixMilli()
	}
	period := func(subscription uint64, start, end string, mrr int64) features.PaidPeriod {
		return features.PaidPeriod{Start: at(start), End: at(end), Subscription: subscription, MRR: mrr, Priced: true}
	}
	bounds := Months(time.UnixMilli(at("2026-01-15")), time.UnixMilli(at("2026-05-20")))
	if len(bounds) != 5 {
		t.Fatalf("bounds %v", bounds)
	}
	ledger := NewLedger(bounds, 10*24*time.Hour)
	for _, p := range []features.Payer{
		{Customer: "paid to the last instant of January", Periods: []features.PaidPeriod{period(1, "2026-01-01", "2026-02-01", 100)}},
		{Customer: "renews with inclusive ends", Periods: []features.PaidPeriod{period(1, "2026-01-05", "2026-01-31", 10), period(1, "2026-02-01", "2026-02-28", 10), period(1, "2026-03-01", "2026-06-30", 15)}},
		{Customer: "comes back", Periods: []features.PaidPeriod{period(1, "2026-01-05", "2026-01-20", 7), period(2, "2026-03-02", "2026-03-20", 9)}},
		{Customer: "two, then one", Periods: []features.PaidPeriod{period(1, "2026-01-05", "2026-06-01", 1000), period(2, "2026-01-05", "2026-02-10", 500)}},
		{Customer: "free", Periods: []features.PaidPeriod{{Start: at("2026-01-05"), End: at("2026-06-01")}}},
	} {
		ledger.Add(p)
	}
	want := []Movement{
		{New: Flow{3, 1610}, End: Flow{3, 1610}},
		{Start: Flow{3, 1610}, Contraction: Flow{1, 500}, Churn: Flow{1, 100}, End: Flow{2, 1010}},
		{Start: Flow{2, 1010}, Expansion: Flow{1, 5}, End: Flow{2, 1015}},
		{Start: Flow{2, 1015}, End: Flow{2, 1015}},
	}
	for k := range want {
		want[k].Month = bounds[k]
	}
	if d := cmp.Diff(want, ledger.Movements()); d != "" {
		t.Error(d)
	}
	if ledger.Unpriced != 1 {
		t.Errorf("%d unpriced", ledger.Unpriced)
	}
	gross, net, ok := ledger.Movements()[2].Retention()
	if !ok || gross != 1 || net != 1015./1010 {
		t.Errorf("retention %v, %v, %v", gross, net, ok)
	}
	if _, _, ok := ledger.Movements()[0].Retention(); ok {
		t.Error("nothing was there, and it was kept")
	}
}
