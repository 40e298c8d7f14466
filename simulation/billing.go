package simulation

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// money is an amount in ten-thousandths, rounded to a hundredth.
func money(v float64) int64 { return int64(math.Round(v*100)) * 100 }

// billing is the billing of one customer, day by day.
type billing struct {
	w     *World
	c     *Customer
	p     *path
	r     *rand.Rand
	seats int
	level float64 // of prices against the list of the first day
	order int     // number of the next order
}

// bill writes subscriptions and purchases.
func (w *World) bill(c *Customer) {
	p := &c.path
	c.Subscriptions, c.Purchases = c.Subscriptions[:0], c.Purchases[:0]
	b := &billing{w: w, c: c, p: p, r: w.stream(p.index, forBilling, 0), seats: p.seats, level: 1}
	from, until := w.here(p)
	// Prices before the records: the shocks are known, what else rose is not.
	for _, day := range p.shocks {
		if day < from {
			b.level *= 1.10
		}
	}
	for start := from; start < until; {
		end := p.boundary(start)
		if start > from {
			b.renew(start)
		}
		b.invoice(start)
		b.period(start, end, until)
		start = end
	}
	if w.course != nil { // how many invoices there are depends on how far the course has gone
		b.r, b.order = w.stream(p.index, forBilling, 1), shopOrders
	}
	b.shop(from, until)
	slices.SortStableFunc(c.Purchases, func(a, b Purchase) int { return cmp.Compare(a.At, b.At) })
}

// renew changes seats and prices at a boundary.
func (b *billing) renew(day int) {
	if b.p.anniversary(day) {
		shocked := slices.Contains(b.p.shocks, day)
		if rise := b.r.Float64(); shocked {
			b.level *= 1.07 + .08*rise
		} else {
			b.level *= 1 + .02*rise
		}
	}
	u, v, e := b.r.Float64(), b.r.Float64(), b.p.at(day).engagement
	often := .05
	if b.p.annual {
		often = .35
	}
	switch {
	case u < often*sigmoid(e-.2)*2:
		b.seats += 1 + int(.2*v*float64(b.seats))
	case u > 1-often*sigmoid(-e-.8)*2 && b.seats > 1:
		b.seats -= 1 + int(.2*v*float64(b.seats-1))
	}
}

// prices are the monthly list price and what is paid.
func (b *billing) prices() (list, paid int64) {
	l := b.level * plans[planFor(b.seats)].price * float64(b.seats)
	if b.p.shownAs {
		return money(l), money(l * (1 - b.p.cut))
	}
	return money(l), money(l)
}

// invoice writes what the period costs that begins on a day. Periods that run when the records begin were paid before.
func (b *billing) invoice(start int) {
	hour := 6*3_600_000 + b.r.Int64N(4*3600)*1000
	if start != b.p.start && b.p.boundary(start-1) != start {
		return
	}
	list, paid := b.prices()
	months := int64(1)
	if b.p.annual {
		months = 12
	}
	at := b.w.ms(start) + hour
	b.c.Purchases = append(b.c.Purchases, Purchase{
		At: at, Known: at, Order: b.order, Product: "plan_" + plans[planFor(b.seats)].name, Category: "subscription",
		Quantity: int64(b.seats) * 10_000, Amount: paid * months, Discount: (list - paid) * months, Channel: "invoice",
	})
	b.order++
}

// row begins a row of the subscription on a day; it is paid until another one.
func (b *billing) row(from, end int) *Subscription {
	list, paid := b.prices()
	b.c.Subscriptions = append(b.c.Subscriptions, Subscription{
		StartedAt: b.w.ms(from), Known: b.w.ms(from), EndsAt: b.w.ms(end), EndedAt: Missing, CancelledAt: Missing,
		Plan: plans[planFor(b.seats)].name, MRR: paid, ListMRR: list, Seats: int64(b.seats), BillingDays: int64(b.p.periodDays()), AutoRenew: b.p.autoRenew,
	})
	return &b.c.Subscriptions[len(b.c.Subscriptions)-1]
}

// period writes the rows of the paid period [start, end), several if the seats of an annual one grow within. until is where the service or the records end.
func (b *billing) period(start, end, until int) {
	p, now := b.p, b.row(start, end)
	if p.annual {
		for day := start + daysOfMonth; day < min(end, until); day += daysOfMonth {
			if u := b.r.Float64(); day < p.cancelled && u < .05*sigmoid(p.at(day).engagement) {
				b.seats += 1 + int(.15*b.r.Float64()*float64(b.seats))
				now.EndedAt, now.EndReason = b.w.ms(day), "changed"
				now = b.row(day, end)
			}
		}
	}
	r := b.w.apart(b.r, p.index, forBilling, 2)
	moment := 1 + r.Int64N(dayMs-1) // after midnight: a cutoff there does not know it yet
	why := p.reason(r)
	switch {
	case p.cancelled < min(end, b.w.until):
		now.CancelledAt, now.EndReason = b.w.ms(p.cancelled)+moment, why
		if end < b.w.until {
			now.EndedAt = b.w.ms(end)
		}
	case p.failed && p.end == end:
		now.EndedAt, now.EndReason = b.w.ms(end), "payment_failed"
	}
}

// reason is why a customer says it leaves.
func (p *path) reason(r *rand.Rand) string {
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

// shopOrders is the number of the first order of the shop in a course: no customer has so many invoices.
const shopOrders = 10_000

var extras = []struct {
	product, category string
	price             float64
}{{"training_day", "services", 900}, {"setup_help", "services", 450}, {"data_pack", "addon", 120}, {"premium_support", "addon", 250}}

// shop writes orders beside the subscription. Their carts are among the touchpoints.
func (b *billing) shop(from, until int) {
	for day := from + b.r.IntN(60); day < until; day += 20 + b.r.IntN(160) {
		u, v, hour := b.r.Float64(), b.r.Float64(), int64((8+9*b.r.Float64())*3600)*1000
		if day >= b.p.cancelled || u > sigmoid(b.p.at(day).engagement-.5) {
			continue
		}
		x := extras[int(v*float64(len(extras)))]
		at := b.w.ms(day) + hour
		b.c.Purchases = append(b.c.Purchases, Purchase{
			At: at, Known: at, Order: b.order, Product: x.product, Category: x.category, Quantity: 10_000,
			Amount: money(x.price), Channel: "shop", Returned: b.r.Float64() < .03,
		})
		b.order++
	}
}
