package simulation

import (
	"math"
	"math/rand/v2"
	"slices"
)

// money is an amount in ten-thousandths, rounded to a hundredth.
func money(v float64) int64 { return int64(math.Round(v*100)) * 100 }

// terms are what a period costs.
type terms struct {
	seats int
	level float64 // of prices against the list of the first day
}

// bill writes subscriptions and purchases.
func (w *World) bill(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forBilling, 0)
	c.Subscriptions, c.Purchases = c.Subscriptions[:0], c.Purchases[:0]
	t := terms{seats: p.seats, level: 1}
	from, until := w.here(p)
	order := 0
	// Prices before the records: the shocks are known, what else rose is not.
	for _, day := range p.shocks {
		if day < from {
			t.level *= 1.10
		}
	}
	for start := from; start < until; {
		end := p.boundary(start)
		if start > from {
			w.renew(p, r, &t, start)
		}
		order = w.invoice(c, r, &t, start, end, order)
		start = w.period(c, r, &t, start, end, until)
	}
	w.shop(c, r, order)
	slices.SortStableFunc(c.Purchases, func(a, b Purchase) int { return int((a.At - b.At) / 1000) })
}

// renew changes seats and prices at a boundary.
func (w *World) renew(p *path, r *rand.Rand, t *terms, day int) {
	if p.anniversary(day) {
		shocked := slices.Contains(p.shocks, day)
		if rise := r.Float64(); shocked {
			t.level *= 1.07 + .08*rise
		} else {
			t.level *= 1 + .02*rise
		}
	}
	u, v, e := r.Float64(), r.Float64(), p.at(day).engagement
	often := .05
	if p.annual {
		often = .35
	}
	switch {
	case u < often*sigmoid(e-.2)*2:
		t.seats += 1 + int(.2*v*float64(t.seats))
	case u > 1-often*sigmoid(-e-.8)*2 && t.seats > 1:
		t.seats -= 1 + int(.2*v*float64(t.seats-1))
	}
}

// prices are the monthly list price and what is paid.
func (t *terms) prices(p *path) (list, paid int64) {
	l := t.level * plans[planFor(t.seats)].price * float64(t.seats)
	if p.shownAs {
		return money(l), money(l * (1 - p.cut))
	}
	return money(l), money(l)
}

// invoice writes what a period costs, on its first day. Periods that run when the records begin were paid before.
func (w *World) invoice(c *Customer, r *rand.Rand, t *terms, start, end, order int) int {
	p := &c.path
	hour := 6*3_600_000 + r.Int64N(4*3600)*1000
	if start != p.start && p.boundary(start-1) != start {
		return order
	}
	list, paid := t.prices(p)
	months := int64(1)
	if p.annual {
		months = 12
	}
	at := w.ms(start) + hour
	c.Purchases = append(c.Purchases, Purchase{
		At: at, Known: at, Order: order, Product: "plan_" + plans[planFor(t.seats)].name, Category: "subscription",
		Quantity: int64(t.seats) * 10_000, Amount: paid * months, Discount: (list - paid) * months, Channel: "invoice",
	})
	return order + 1
}

// period writes the rows of a paid period, several if the seats of an annual one grow within, and returns the day after it.
func (w *World) period(c *Customer, r *rand.Rand, t *terms, start, end, until int) int {
	p := &c.path
	row := func(from int) *Subscription {
		list, paid := t.prices(p)
		c.Subscriptions = append(c.Subscriptions, Subscription{
			StartedAt: w.ms(from), Known: w.ms(from), EndsAt: w.ms(end), EndedAt: Missing, CancelledAt: Missing,
			Plan: plans[planFor(t.seats)].name, MRR: paid, ListMRR: list, Seats: int64(t.seats), BillingDays: int64(p.periodDays()), AutoRenew: p.autoRenew,
		})
		return &c.Subscriptions[len(c.Subscriptions)-1]
	}
	now := row(start)
	if p.annual {
		for day := start + daysOfMonth; day < min(end, until); day += daysOfMonth {
			if u := r.Float64(); day < p.cancelled && u < .05*sigmoid(p.at(day).engagement) {
				t.seats += 1 + int(.15*r.Float64()*float64(t.seats))
				now.EndedAt, now.EndReason = w.ms(day), "changed"
				now = row(day)
			}
		}
	}
	moment := 1 + r.Int64N(dayMs-1)
	why := w.reason(p, r)
	switch {
	case p.cancelled < min(end, w.options.Days):
		now.CancelledAt, now.EndReason = w.ms(p.cancelled)+moment, why
		if end < w.options.Days {
			now.EndedAt = w.ms(end)
		}
	case p.failed && p.end == end:
		now.EndedAt, now.EndReason = w.ms(end), "payment_failed"
	}
	return end
}

// reason is why a customer says it leaves.
func (w *World) reason(p *path, r *rand.Rand) string {
	u := r.Float64()
	if p.cancelled == never {
		return ""
	}
	k := p.at(p.cancelled)
	switch {
	case k.price > .3 && u < .6:
		return "price"
	case k.pain > .8 && u < .6:
		return "support"
	case k.declining && u < .7:
		return "not_used"
	case u < .25:
		return "price"
	case u < .5:
		return "missing_features"
	case u < .75:
		return "switched"
	}
	return "other"
}

var extras = []struct {
	product, category string
	price             float64
}{{"training_day", "services", 900}, {"setup_help", "services", 450}, {"data_pack", "addon", 120}, {"premium_support", "addon", 250}}

// shop writes orders beside the subscription. Carts are in the touchpoints.
func (w *World) shop(c *Customer, r *rand.Rand, order int) {
	p := &c.path
	from, until := w.here(p)
	for day := from + r.IntN(60); day < until; day += 20 + r.IntN(160) {
		u, v, hour := r.Float64(), r.Float64(), int64((8+9*r.Float64())*3600)*1000
		if day >= p.cancelled || u > sigmoid(p.at(day).engagement-.5) {
			continue
		}
		x := extras[int(v*float64(len(extras)))]
		at := w.ms(day) + hour
		c.Purchases = append(c.Purchases, Purchase{
			At: at, Known: at, Order: order, Product: x.product, Category: x.category, Quantity: 10_000,
			Amount: money(x.price), Channel: "shop", Returned: r.Float64() < .03,
		})
		order++
	}
}
