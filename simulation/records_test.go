package simulation

import (
	"math"
	"testing"
	"time"
)

// near reports a share that is not what the world promises.
func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s: %.4f, want %.4f ± %.4f", what, got, want, within)
	}
}

// tally counts customers of a world and shares of their rows.
type tally struct {
	rows, late, again, corrected float64 // usage events, and what went wrong with their records
	byDay                        []float64
}

func TestRecordsAreAsPromised(t *testing.T) {
	const customers = 3000
	w := mustNew(t, Options{Customers: customers, Days: 540, Seed: 7})
	var u tally
	u.byDay = make([]float64, 540)
	served := make([]float64, 540)
	var early, annual, silent, discounts, shown, nps, answered, tickets, late, contacts, trials float64
	c := new(Customer)
	for i := range customers {
		w.Customer(i, c)
		p := &c.path
		if p.start < 0 {
			early++
		}
		if p.annual {
			annual++
		}
		if c.Profile.Segment == "" {
			silent++
		}
		if p.discount {
			discounts++
		}
		if p.discount != p.shownAs {
			shown++
		}
		from, until := w.here(p)
		for d := from; d < until; d++ {
			served[d]++
		}
		for j, r := range c.Usage {
			if j > 0 && r.Event == c.Usage[j-1].Event {
				first := c.Usage[j-1]
				if r.DurationMs != first.DurationMs {
					u.corrected++
				} else {
					u.again++
				}
				first.DurationMs, first.Known = r.DurationMs, r.Known
				if first != r || r.Known < c.Usage[j-1].Known {
					t.Fatalf("customer %d: version %+v of %+v", i, r, c.Usage[j-1])
				}
				continue
			}
			u.rows++
			u.byDay[w.Day(time.UnixMilli(r.At))]++
			if r.Known-r.At > dayMs {
				u.late++
			}
		}
		for _, s := range c.Surveys {
			if s.Kind == "nps" {
				nps++
				if s.Score != Missing {
					answered++
				}
			}
		}
		for _, k := range c.Tickets {
			tickets++
			if k.FirstReplyAt != Missing && k.FirstReplyAt-k.At > dayMs {
				late++
			}
		}
		for _, k := range c.Contacts {
			if k.Action != "" {
				contacts++
				if k.Campaign == "trial" {
					trials++
				}
			}
		}
	}
	near(t, "late usage rows", u.late/u.rows, .02, .002)
	near(t, "duplicates", u.again/u.rows, .005, .001)
	near(t, "corrections", u.corrected/u.rows, .01, .001)
	near(t, "customers who precede the records", early/customers, .40, .03)
	near(t, "annual customers", annual/customers, .30, .05)
	near(t, "segment not recorded", silent/customers, .08, .02)
	near(t, "discount history", discounts/customers, .30, .04)
	near(t, "prices that tell it wrongly", shown/customers, .10, .03)
	near(t, "late replies", late/tickets, .25, .02)
	near(t, "contacts drawn at random", trials/contacts, .20, .05)
	near(t, "answers to NPS", answered/nps, .32, .05) // σ(-.9 + .35 E) at E around .4

	rate := func(d int) float64 { return u.byDay[d] / served[d] / w.season[d] }
	usual := 0.
	for week := 1; week <= 4; week++ {
		usual += (rate(w.productOutage-7*week) + rate(w.productOutage+7*week)) / 8
	}
	near(t, "usage in the outage of the product", rate(w.productOutage)/usual, outageLeftOver, .03)
	near(t, "usage rows of the outage of the records", u.byDay[w.recordsOutage], 0, 0)
	mean := func(from, until time.Time) (sum float64) {
		a, b := w.Day(from), w.Day(until)
		for d := a; d < b; d++ {
			sum += u.byDay[d] / served[d] / float64(b-a)
		}
		return sum
	}
	around := (mean(midnight(2025, 6, 3), midnight(2025, 7, 1)) + mean(midnight(2025, 9, 2), midnight(2025, 9, 30))) / 2
	near(t, "usage in summer", mean(midnight(2025, 7, 8), midnight(2025, 8, 26))/around, .85, .06)
	around = (mean(midnight(2025, 12, 1), midnight(2025, 12, 15)) + mean(midnight(2026, 1, 12), midnight(2026, 1, 26))) / 2
	near(t, "usage around the year's end", mean(midnight(2025, 12, 22), midnight(2026, 1, 5))/around, .75, .06)
}

// No record tells of what lies behind the end of the records, or of a customer that is not there.
func TestRecordsKnowOnlyWhatHasHappened(t *testing.T) {
	const customers = 800
	w := mustNew(t, Options{Customers: customers, Days: 400, Seed: 8})
	end := w.End().UnixMilli()
	ended, cancelled, failed, changed := 0, 0, 0, 0
	c := new(Customer)
	for i := range customers {
		w.Customer(i, c)
		p := &c.path
		stopped := int64(math.MaxInt64)
		if p.end != never {
			stopped = w.ms(p.end)
		}
		begun := w.ms(max(p.start, 0))
		check := func(what string, at, known int64, others ...int64) {
			t.Helper()
			if at < begun || at >= stopped || known < at || known >= end {
				t.Fatalf("customer %d: %s at %d known %d, served from %d to %d", i, what, at, known, begun, stopped)
			}
			for _, o := range others {
				if o != Missing && (o >= end || o < at) {
					t.Fatalf("customer %d: %s at %d tells of %d", i, what, at, o)
				}
			}
		}
		for _, r := range c.Usage {
			check("usage", r.At, r.Known)
		}
		for _, r := range c.Purchases {
			check("purchase", r.At, r.Known)
		}
		for _, r := range c.Tickets {
			check("ticket", r.At, r.Known, r.FirstReplyAt, r.ResolvedAt)
			if r.ResolvedAt == Missing && (r.Satisfaction != Missing || r.Reopened != Missing) {
				t.Fatalf("customer %d: an open ticket tells how it ended", i)
			}
		}
		for _, r := range c.Contacts {
			check("contact", r.At, r.Known, r.OutcomeAt)
		}
		seen := map[Touchpoint]bool{}
		for _, r := range c.Touchpoints {
			if seen[r] || r.Known >= end || r.Known < r.At || r.At < w.startMs {
				t.Fatalf("customer %d: touchpoint %+v", i, r)
			}
			seen[r] = true
			if before := r.LeadSource != ""; r.Lead == 0 && before != (r.At < begun) {
				t.Fatalf("customer %d: touchpoint %+v, first purchase %d", i, r, begun)
			}
		}
		paid := begun
		for k, r := range c.Subscriptions {
			check("subscription", r.StartedAt, r.Known, r.EndedAt, r.CancelledAt)
			if r.StartedAt != paid || r.EndsAt <= r.StartedAt {
				t.Fatalf("customer %d: period %d begins %d, paid until %d", i, k, r.StartedAt, paid)
			}
			paid = r.EndsAt
			last := k == len(c.Subscriptions)-1
			switch {
			case r.EndReason == "changed":
				changed++
				paid = r.EndedAt
				if last || r.EndedAt >= r.EndsAt {
					t.Fatalf("customer %d: change %+v", i, r)
				}
			case r.CancelledAt != Missing:
				cancelled++
				if !last || r.CancelledAt >= r.EndsAt || r.EndsAt <= end-dayMs && r.EndedAt != r.EndsAt {
					t.Fatalf("customer %d: cancelled period %+v", i, r)
				}
			case r.EndedAt != Missing:
				failed++
				if !last || r.EndReason != "payment_failed" || r.EndedAt != r.EndsAt {
					t.Fatalf("customer %d: ended period %+v", i, r)
				}
			}
			if r.EndedAt != Missing {
				ended++
			}
		}
		if p.end == never && paid < end && p.cancelled == never {
			t.Fatalf("customer %d: paid until %d, the records end %d", i, paid, end)
		}
	}
	if ended == 0 || cancelled == 0 || failed == 0 || changed == 0 {
		t.Errorf("%d ended, %d cancelled, %d failed, %d changed: something never happens", ended, cancelled, failed, changed)
	}
}

// Those whom the company chose to contact were about to leave: taken at face value the contacts do harm, although they help.
func TestNaiveEffectOfTheHistoryIsWrong(t *testing.T) {
	const customers = 12_000
	w := mustNew(t, Options{Customers: customers, Days: 420, Seed: 9, Effects: ProportionalEffects})
	var left, n [3]float64 // nobody's, chosen, drawn at random
	c := new(Customer)
	for i := range customers {
		w.Live(i, c)
		p := &c.path
		group, day := 0, 200
		for _, k := range p.contacts {
			if k.action >= 0 && k.action != idleAction && k.day > 90 && k.day < 290 {
				day, group = k.day+1, 1
				if k.randomised {
					group = 2
				}
				break
			}
		}
		if went, ok := w.Left(c, day, Label{HorizonDays: 91}); ok {
			n[group]++
			if went {
				left[group]++
			}
		}
	}
	for g := range left {
		left[g] /= n[g]
	}
	if left[1] < 1.15*left[0] {
		t.Errorf("of those contacted by choice %.3f leave, of the others %.3f", left[1], left[0])
	}
	if left[2] > left[0] {
		t.Errorf("of those contacted at random %.3f leave, of the others %.3f", left[2], left[0])
	}
}
