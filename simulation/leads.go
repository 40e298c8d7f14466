package simulation

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// leadSteps are what leads do before they buy, in about this order.
var leadSteps = []struct {
	kind, channel string
	share         float64 // of those who buy
	open          float64 // of those who do not
}{
	{"visit", "web", 1, 1}, {"content", "web", .7, .45}, {"form", "web", .5, .25}, {"chat", "chat", .3, .12}, {"visit", "web", .8, .35},
	{"inquiry", "email", .6, .15}, {"cart", "web", .8, .12}, {"signup", "web", 1, .06},
}

// lead writes the touchpoints: of the customer before and after its first purchase, and of leads beside it that never bought.
func (w *World) lead(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forLeads, 0)
	c.Touchpoints = c.Touchpoints[:0]
	if p.start >= 0 {
		w.steps(c, r, journey{start: p.start - 5 - r.IntN(75), until: p.start, source: p.source, buys: true})
		s := leadSources[p.source]
		for n := range poisson(r, (1-s.conversion)/s.conversion) {
			day := p.start - r.IntN(60)
			w.steps(c, r, journey{lead: n + 1, start: day, until: day + 10 + r.IntN(50), source: p.source})
		}
	}
	w.stay(c, r)
	slices.SortStableFunc(c.Touchpoints, func(a, b Touchpoint) int {
		if a.Lead != b.Lead {
			return a.Lead - b.Lead
		}
		return cmp.Compare(a.At, b.At)
	})
	for i := 1; i < len(c.Touchpoints); i++ { // no two rows are equal: they have no id
		if a, b := &c.Touchpoints[i], c.Touchpoints[i-1]; a.Lead == b.Lead {
			a.At = max(a.At, b.At+1000)
			a.Known = max(a.Known, a.At)
		}
	}
	end := w.endMs()
	c.Touchpoints = slices.DeleteFunc(c.Touchpoints, func(t Touchpoint) bool { return t.Known >= end })
}

// journey is the way of one lead.
type journey struct {
	lead         int
	start, until int // days
	source       int
	buys         bool
}

func (w *World) steps(c *Customer, r *rand.Rand, j journey) {
	for i, s := range leadSteps {
		u, v := r.Float64(), r.Float64()
		share := s.open
		if j.buys {
			share = s.share
		}
		if u >= share {
			if !j.buys && i > 0 {
				return // most leads lose interest on the way
			}
			continue
		}
		span := float64(j.until-j.start) / float64(len(leadSteps))
		at := w.ms(j.start) + int64((float64(i)+v)*span*dayMs)/1000*1000
		w.touch(c, Touchpoint{At: at, Lead: j.lead, Kind: s.kind, Channel: s.channel, LeadSource: leadSources[j.source].name, Value: Missing})
	}
	if j.buys && leadSources[j.source].name == "referral" {
		w.touch(c, Touchpoint{At: w.ms(j.until) - 3_600_000, Kind: "referral_joined", Channel: "web", LeadSource: "referral", Value: Missing})
	}
}

// touch appends a touchpoint of the records.
func (w *World) touch(c *Customer, t Touchpoint) {
	if t.At < w.startMs {
		return
	}
	t.Known = loaded(t.At)
	c.Touchpoints = append(c.Touchpoints, t)
}

// stay writes what customers do beside using and paying: carts, referrals, shares.
func (w *World) stay(c *Customer, r *rand.Rand) {
	p := &c.path
	for _, o := range c.Purchases {
		if o.Category == "subscription" {
			continue
		}
		w.touch(c, Touchpoint{At: o.At - 1_800_000, Kind: "cart", Channel: "web", Value: o.Amount})
		w.touch(c, Touchpoint{At: o.At - 60_000, Kind: "checkout", Channel: "web", Value: o.Amount})
	}
	from, until := w.here(p)
	for day := from + r.IntN(40); day < until; day += 10 + r.IntN(70) {
		u, hour := r.Float64(), int64((8+9*r.Float64())*3600)*1000
		warm := sigmoid(p.at(day).engagement - .8)
		kind, value := "", int64(Missing)
		switch {
		case u < .12*warm:
			kind = "referral_sent"
		case u < .20*warm:
			kind = "share"
		case u < .45*warm:
			kind, value = "cart", money(extras[int(hour/1000)%len(extras)].price)
		case u > .85:
			kind = "visit"
		default:
			continue
		}
		w.touch(c, Touchpoint{At: w.ms(day) + hour, Kind: kind, Channel: "web", Value: value})
	}
}
