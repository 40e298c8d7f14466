package kpi_test

import (
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/features/lifecycle/kpi"
)

const dayMs = 86_400_000

// person is what is known of one customer at the cutoff, by plain counting.
type person struct {
	id              string
	created         int64
	segment, source string // of the profile
	uses            []useRow
	sales           []saleRow
	periods         [][2]int64 // started, end; not joined
	paying          []periodRow
	begun           []int64 // paid or not
	surveys         []surveyRow
	tickets         []ticketRow
	contacts        []contactRow
	touches         []touchRow
	stages          map[int64]string // by month start
}

// brute counts figures one customer after the other.
type brute struct {
	o      kpi.Options
	cutoff int64
	people []*person
	first  map[string]int64 // instant of the first row of a source
	scale  int64
}

// newest keeps of the rows of one identity the one that held at the cutoff, and only what had happened then.
func newest[T any](rows []T, cutoff int64, of func(T) (customer, identity string, at, known int64)) map[string][]T {
	type key struct{ customer, identity string }
	held := map[key]int{}
	kept := map[string][]T{}
	var alone []int
	for i, r := range rows {
		customer, identity, at, known := of(r)
		if known >= cutoff {
			continue
		}
		if identity == "" {
			alone = append(alone, i)
			continue
		}
		k := key{customer, identity}
		j, ok := held[k]
		if ok {
			_, _, otherAt, otherKnown := of(rows[j])
			if otherKnown > known || otherKnown == known && otherAt > at {
				continue
			}
		}
		held[k] = i
	}
	for _, i := range held {
		alone = append(alone, i)
	}
	slices.Sort(alone)
	for _, i := range alone {
		if customer, _, at, _ := of(rows[i]); at < cutoff {
			kept[customer] = append(kept[customer], rows[i])
		}
	}
	return kept
}

// visible hides an instant that lies in the future.
func visible(ms, cutoff int64) int64 {
	if ms >= cutoff {
		return none
	}
	return ms
}

func newBrute(r *records, o kpi.Options) *brute {
	b := &brute{o: o, cutoff: o.Cutoff.UnixMilli(), first: map[string]int64{}, scale: 5}
	people := map[string]*person{}
	of := func(id string) *person {
		if people[id] == nil {
			people[id] = &person{id: id, created: none, stages: map[int64]string{}}
		}
		return people[id]
	}
	begin := func(source string, at int64) {
		if f, ok := b.first[source]; !ok || at < f {
			b.first[source] = at
		}
	}
	for id, list := range newest(r.profiles, b.cutoff, func(p profileRow) (string, string, int64, int64) { return p.id, "profile", p.created, p.known }) {
		p := of(id)
		p.created, p.segment, p.source = list[0].created, list[0].segment, list[0].source
	}
	for id, list := range newest(r.uses, b.cutoff, func(u useRow) (string, string, int64, int64) { return u.id, u.event, u.at, u.known }) {
		of(id).uses = list
		for _, u := range list {
			begin("usage", u.at)
		}
	}
	for id, list := range newest(r.sales, b.cutoff, func(s saleRow) (string, string, int64, int64) { return s.id, s.order + "/" + s.product, s.at, s.known }) {
		of(id).sales = list
		for _, s := range list {
			if s.amount >= 0 {
				begin("purchases", s.at)
			}
		}
	}
	for id, list := range newest(r.periods, b.cutoff, func(p periodRow) (string, string, int64, int64) {
		return p.id, p.sub + stamp(p.start), p.start, p.known
	}) {
		p := of(id)
		for _, row := range list {
			end := int64(math.MaxInt64)
			cancelled := visible(row.cancelled, b.cutoff)
			switch ended := visible(row.ended, b.cutoff); {
			case ended != none:
				end = ended
			case row.ends != none:
				end = row.ends
			case cancelled != none && row.billing > 0:
				for end = row.start; end <= cancelled; end += row.billing * dayMs {
				}
			case cancelled != none:
				end = cancelled
			}
			begin("subscriptions", row.start)
			p.begun = append(p.begun, row.start)
			if end > row.start {
				row.ends = end
				p.periods = append(p.periods, [2]int64{row.start, end})
				p.paying = append(p.paying, row)
			}
		}
	}
	for id, list := range newest(r.surveys, b.cutoff, func(s surveyRow) (string, string, int64, int64) { return s.id, "", s.at, s.known }) {
		of(id).surveys = list
	}
	for id, list := range newest(r.tickets, b.cutoff, func(k ticketRow) (string, string, int64, int64) { return k.id, k.ticket, k.at, k.known }) {
		for i := range list {
			k := &list[i]
			k.replied, k.resolved = visible(k.replied, b.cutoff), visible(k.resolved, b.cutoff)
			k.self = k.self && k.resolved != none
			if k.replied == none {
				k.reply = ""
			}
		}
		of(id).tickets = list
	}
	for id, list := range newest(r.contacts, b.cutoff, func(k contactRow) (string, string, int64, int64) { return k.id, k.contact, k.at, k.known }) {
		of(id).contacts = list
		for _, k := range list {
			begin("contacts", k.at)
		}
	}
	for id, list := range newest(r.touches, b.cutoff, func(k touchRow) (string, string, int64, int64) { return k.id, "", k.at, k.known }) {
		of(id).touches = list
	}
	for _, p := range people {
		b.people = append(b.people, p)
	}
	slices.SortFunc(b.people, func(x, y *person) int { return strings.Compare(x.id, y.id) })
	return b
}

// slice is that of a person in a month.
func (b *brute) slice(p *person, m kpi.Month) string {
	switch b.o.By {
	case kpi.ByStage:
		return p.stages[m.Start.UnixMilli()]
	case kpi.BySegment:
		return p.segment
	}
	if p.source != "" {
		return p.source
	}
	source, at := "", int64(math.MaxInt64)
	for _, k := range p.touches {
		if k.source != "" && k.at < at {
			source, at = k.source, k.at
		}
	}
	return source
}

// tally is what a figure adds up in a month: per person y of x, and the values of a median.
type tally struct {
	y, z, x int64
	people  [][2]float64
	values  []float64
}

type span2 struct{ s, e int64 }

func (m span2) holds(at int64) bool { return at != none && at >= m.s && at < m.e }

// count is one figure in one month, of those whom keep tells.
func (b *brute) count(name string, m kpi.Month, keep func(*person) bool) tally {
	var t tally
	in := span2{m.Start.UnixMilli(), m.End.UnixMilli()}
	for _, p := range b.people {
		if !keep(p) {
			continue
		}
		y, z, x := b.one(name, p, in, &t)
		if x != 0 || y != 0 {
			t.y, t.z, t.x = t.y+y, t.z+z, t.x+x
			t.people = append(t.people, [2]float64{float64(y), float64(x)})
		}
	}
	slices.Sort(t.values)
	return t
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// one is what a person adds to a figure.
func (b *brute) one(name string, p *person, in span2, t *tally) (y, z, x int64) {
	limits := b.o.Thresholds
	switch name {
	case "lead_volume":
		first := none
		for _, k := range b.leadTouches(p) {
			if first == none || k.at < int64(first) {
				first = int(k.at)
			}
		}
		n := one(in.holds(int64(first)))
		return n, 0, n
	case "inquiry_rate":
		for _, k := range b.leadTouches(p) {
			if in.holds(k.at) {
				x = 1
				y = max(y, one(k.kind == "inquiry"))
			}
		}
	case "visit_to_buy_ratio":
		for _, k := range b.leadTouches(p) {
			if in.holds(k.at) && k.kind == "visit" {
				x = 1
				y = one(in.holds(b.paidSince(p)))
			}
		}
	case "stage_conversion":
		from, to := slices.Index(b.o.Stages, p.stages[in.s]), slices.Index(b.o.Stages, p.stages[in.e])
		if from >= 0 && from < len(b.o.Stages)-1 {
			return one(to > from), 0, 1
		}
	case "activation_rate", "onboarding_depth":
		born := p.created
		if born == none {
			born = math.MaxInt64
			for _, u := range p.uses {
				born = min(born, u.at)
			}
			if at := b.paidSince(p); at != none {
				born = min(born, at)
			}
		}
		if born == math.MaxInt64 || born < b.first["usage"]/dayMs*dayMs || !in.holds(born+30*dayMs) {
			return 0, 0, 0
		}
		seen := map[string]bool{}
		for _, u := range p.uses {
			if u.feature != "" && u.at >= born && u.at < born+30*dayMs {
				seen[u.feature] = true
			}
		}
		if name == "onboarding_depth" {
			return int64(len(seen)), 0, 1
		}
		return one(len(seen) >= limits.ActivationFeatures), 0, 1
	case "active_rate":
		if b.here(p, in.s) {
			x = 1
			for _, u := range p.uses {
				y = max(y, one(in.holds(u.at)))
			}
		}
	case "churn_rate":
		if b.here(p, in.s) {
			return one(b.left(p, in)), 0, 1
		}
	case "retention_rate":
		if b.here(p, in.s) {
			return one(!b.left(p, in)), 0, 1
		}
	case "gross_revenue_retention", "net_revenue_retention":
		x, y = b.mrr(p, in.s), b.mrr(p, in.e)
		if x == 0 {
			return 0, 0, 0
		}
		if name == "gross_revenue_retention" {
			y = min(x, y)
		}
	case "repeat_purchase_rate":
		n := 0
		for _, d := range b.purchaseDays(p) {
			if d >= in.e-365*dayMs && d < in.e {
				n++
			}
		}
		return one(n > 1), 0, one(n > 0)
	case "early_churn_first", "early_churn_second":
		k := 0
		if name == "early_churn_second" {
			k = 1
		}
		days := b.purchaseDays(p)
		if len(days) <= k || p.created != none && p.created < b.first["purchases"]/dayMs*dayMs {
			return 0, 0, 0
		}
		waited := days[k] + int64(limits.EarlyDays)*dayMs
		if !in.holds(waited) {
			return 0, 0, 0
		}
		stays := len(days) > k+1 && days[k+1] < waited
		for _, q := range p.periods {
			stays = stays || q[0] < waited && waited <= q[1]
		}
		return one(!stays), 0, 1
	case "nps", "nps_response_rate":
		for _, s := range p.surveys {
			if s.kind != "nps" || !in.holds(s.at) {
				continue
			}
			if name == "nps_response_rate" {
				y, x = y+one(s.score != none), x+1
			} else if s.score != none {
				y, z, x = y+one(s.score >= 9), z+one(s.score <= 6), x+1
			}
		}
	case "csat":
		for _, s := range p.surveys {
			if s.kind == "csat" && s.score != none && in.holds(s.at) {
				y, x = y+one(float64(s.score) >= .8*float64(b.scale)), x+1
			}
		}
	case "first_reply_median":
		for _, k := range p.tickets {
			if in.holds(k.replied) && k.replied >= k.at {
				x++
				t.values = append(t.values, float64(k.replied-k.at)/3_600_000)
			}
		}
	case "late_answer_rate":
		for _, k := range p.tickets {
			until := k.at + int64(limits.LateHours)*3_600_000
			if k.self || !in.holds(until) {
				continue
			}
			answered := k.replied
			if answered == none {
				answered = k.resolved
			}
			y, x = y+one(answered == none || answered > until), x+1
		}
	case "single_channel_share":
		ways := map[string]bool{}
		see := func(at int64, channel string) {
			if channel != "" && in.holds(at) {
				ways[plain(channel)] = true
			}
		}
		for _, u := range p.uses {
			see(u.at, u.channel)
		}
		if b.o.Churn.Setting != features.Contractual {
			for _, s := range p.sales {
				see(s.at, s.channel)
			}
		}
		for _, k := range p.tickets {
			see(k.at, k.channel)
		}
		for _, k := range p.touches {
			see(k.at, k.channel)
		}
		if b.here(p, in.s) && len(ways) > 0 {
			return one(len(ways) == 1), 0, 1
		}
	case "same_channel_resolution_rate":
		for _, k := range p.tickets {
			if in.holds(k.resolved) && k.channel != "" && k.reply != "" {
				y, x = y+one(plain(k.channel) == plain(k.reply)), x+1
			}
		}
	case "referral_rate":
		if b.here(p, in.s) {
			x = 1
			for _, k := range p.touches {
				y = max(y, one(k.kind == "referral_sent" && in.holds(k.at)))
			}
		}
	case "discount_share":
		for _, s := range p.sales {
			if in.holds(s.at) && s.amount >= 0 && !s.returned {
				y, x = y+s.discount, x+s.amount+s.discount
			}
		}
	case "existing_budget_share":
		spend := func(at, cost int64) {
			x += cost
			if paid := b.paidSince(p); paid != none && paid/dayMs < at/dayMs {
				y += cost
			}
		}
		for _, k := range p.contacts {
			if in.holds(k.at) {
				spend(k.at, int64(math.Round(b.o.Costs[k.action]*10_000)))
			}
		}
		for _, s := range p.sales {
			if in.holds(s.at) && s.amount >= 0 && !s.returned {
				spend(s.at, s.discount)
			}
		}
	case "neglected_customers", "neglected_share":
		if !b.here(p, in.e) {
			return 0, 0, 0
		}
		window := span2{in.e - int64(limits.NeglectDays)*dayMs, in.e}
		cared := false
		for _, k := range p.contacts {
			cared = cared || window.holds(k.at)
		}
		for _, k := range p.tickets {
			cared = cared || window.holds(k.replied)
		}
		for _, s := range p.sales {
			cared = cared || s.discount > 0 && window.holds(s.at)
		}
		return one(!cared), 0, 1
	default:
		panic("no plain count of " + name)
	}
	return y, z, x
}

func plain(channel string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(channel)), "-", "_"), " ", "_")
}

// leadTouches are the touchpoints of interest before anything was bought.
func (b *brute) leadTouches(p *person) (list []touchRow) {
	paid := b.paidSince(p)
	for _, k := range p.touches {
		switch k.kind {
		case "visit", "content", "form", "chat", "inquiry", "signup", "cart", "checkout", "referral_joined":
			if paid == none || k.at < paid {
				list = append(list, k)
			}
		}
	}
	return list
}

// paidSince is the first purchase or the begin of the first paid period.
func (b *brute) paidSince(p *person) int64 {
	first := int64(math.MaxInt64)
	for _, s := range p.sales {
		if s.amount >= 0 {
			first = min(first, s.at)
		}
	}
	for _, q := range p.periods {
		first = min(first, q[0])
	}
	if first == math.MaxInt64 {
		return none
	}
	return first
}

func (b *brute) purchaseDays(p *person) (days []int64) {
	for _, s := range p.sales {
		if s.amount >= 0 {
			days = append(days, s.at/dayMs*dayMs)
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// joined are the paid periods joined over gaps of at most the grace.
func (b *brute) joined(p *person) (list [][2]int64) {
	sorted := slices.Clone(p.periods)
	slices.SortFunc(sorted, func(x, y [2]int64) int { return int(min(max(x[0]-y[0], -1), 1)) })
	for _, q := range sorted {
		if n := len(list); n > 0 && q[0]-list[n-1][1] <= int64(b.o.Churn.GraceDays)*dayMs && list[n-1][1] != math.MaxInt64 {
			list[n-1][1] = max(list[n-1][1], q[1])
		} else if n == 0 || list[n-1][1] != math.MaxInt64 {
			list = append(list, q)
		}
	}
	return list
}

// moves are the joinings and leavings of the event setting.
func (b *brute) moves(p *person) (joins, leaves []int64) {
	e := b.o.Churn.Event
	for _, k := range p.touches {
		if k.kind == e.Match["kind"] {
			leaves = append(leaves, k.at)
		}
		if e.Start != nil && k.kind == e.Start.Match["kind"] {
			joins = append(joins, k.at)
		}
	}
	if e.Start == nil {
		for _, u := range p.uses {
			joins = append(joins, u.at)
		}
		for _, s := range p.sales {
			joins = append(joins, s.at)
		}
		joins = append(joins, p.begun...)
		for _, s := range p.surveys {
			joins = append(joins, s.at)
		}
		for _, k := range p.tickets {
			joins = append(joins, k.at)
		}
		for _, k := range p.contacts {
			joins = append(joins, k.at)
		}
		for _, k := range p.touches {
			joins = append(joins, k.at)
		}
		slices.Sort(joins)
		joins = joins[:min(1, len(joins))]
	}
	return joins, leaves
}

// here tells whether a person is there at an instant.
func (b *brute) here(p *person, at int64) bool {
	switch b.o.Churn.Setting {
	case features.Contractual:
		return slices.ContainsFunc(b.joined(p), func(q [2]int64) bool { return q[0] < at && at <= q[1] })
	case features.EventSetting:
		joins, leaves := b.moves(p)
		joined, left := int64(none), int64(none)
		for _, j := range joins {
			if j < at {
				joined = max(joined, j)
			}
		}
		for _, l := range leaves {
			if l < at {
				left = max(left, l)
			}
		}
		if b.o.Churn.Event.Start == nil {
			return joined != none && left == none
		}
		return joined != none && left < joined
	}
	since := at - int64(b.o.Churn.ActiveDays)*dayMs
	for _, s := range p.sales {
		if s.at >= since && s.at < at {
			return true
		}
	}
	return false
}

// left tells whether a person that was there at the begin left within.
func (b *brute) left(p *person, in span2) bool {
	switch b.o.Churn.Setting {
	case features.Contractual:
		return slices.ContainsFunc(b.joined(p), func(q [2]int64) bool { return q[0] < in.s && in.s <= q[1] && q[1] < in.e })
	case features.EventSetting:
		_, leaves := b.moves(p)
		return slices.ContainsFunc(leaves, in.holds)
	}
	return !b.here(p, in.e)
}

// mrr is what a person pays at an instant: through a gap of at most the grace what was paid just before goes on.
func (b *brute) mrr(p *person, at int64) (sum int64) {
	grace := int64(b.o.Churn.GraceDays) * dayMs
	extend := func(list []periodRow) []periodRow {
		longer := slices.Clone(list)
		for i, q := range list {
			next := int64(math.MaxInt64)
			for _, o := range list {
				if o.start > q.ends {
					next = min(next, o.start)
				}
			}
			if next == math.MaxInt64 || next-q.ends > grace {
				continue
			}
			beyond := slices.ContainsFunc(list, func(o periodRow) bool { return o.start < next && o.ends > q.ends })
			if !beyond {
				longer[i].ends = next
			}
		}
		return longer
	}
	bySub := map[string][]periodRow{}
	for _, q := range p.paying {
		bySub[q.sub] = append(bySub[q.sub], q)
	}
	var all []periodRow
	for _, list := range bySub {
		all = append(all, extend(list)...)
	}
	for _, q := range extend(all) {
		if q.start < at && at <= q.ends {
			sum += q.mrr
		}
	}
	return sum
}

// months are those of the options.
func monthsFrom(first time.Time, n int) (list []kpi.Month) {
	for k := range n {
		list = append(list, kpi.Month{Start: first.AddDate(0, k, 0), End: first.AddDate(0, k+1, 0)})
	}
	return list
}
