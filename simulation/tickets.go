package simulation

import (
	"math"
	"slices"
)

var (
	helpChannels = []string{"email", "chat", "phone", "social"}
	helpShares   = []float64{.50, .28, .15, .07}
	topics       = []string{"how_to", "bug", "billing", "feature_request", "outage"}
	topicShares  = []float64{.38, .27, .17, .13, .05}
)

// help writes the tickets. A late reply takes 26 to 96 hours.
func (w *World) help(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forSupport, 0)
	c.Tickets = c.Tickets[:0]
	slices.SortStableFunc(p.tickets, func(a, b ticket) int { return a.day - b.day })
	const hour = 3_600_000
	for i, t := range p.tickets {
		at := w.workTime(p, t.day, r.Float64())
		wait := int64((26 + 70*r.Float64()) * hour)
		if quick := int64(math.Min(math.Exp(.8+.9*r.NormFloat64()), 20) * hour); !t.late {
			wait = quick
		}
		channel := helpChannels[pick(r, helpShares)]
		row := Ticket{At: at, Known: loaded(at), Number: i + 1, Channel: channel, ReplyChannel: channel,
			Topic: topics[pick(r, topicShares)], Priority: "normal", Reopened: Missing, Satisfaction: Missing}
		if r.Float64() < .15 {
			row.Priority = "high"
		}
		if u := r.Float64(); u < .15 {
			row.ReplyChannel = "email"
		}
		self := r.Float64() < .15 && !t.late
		work := int64(math.Min(math.Exp(2+1.1*r.NormFloat64()), 600) * hour)
		row.FirstReplyAt = w.within(at + wait)
		row.ResolvedAt = w.within(at + wait + work)
		open, again, up, happy, asked := r.Float64() < .03, poisson(r, .10), r.Float64(), r.NormFloat64(), r.Float64()
		if self {
			row.FirstReplyAt, row.ReplyChannel, row.ResolvedAt = Missing, "", w.within(at+wait/4)
		}
		if open && !self {
			row.ResolvedAt = Missing
		}
		if row.ResolvedAt != Missing {
			late := 0.
			if t.late {
				late = 1
			}
			row.Reopened = int64(again)
			row.Escalated = up < .05+.15*late
			row.SelfServed = self
			if asked < .4 {
				row.Satisfaction = int64(math.Round(math.Min(math.Max(4.2-1.2*late+.25*p.at(t.day).engagement+.8*happy, 1), 5))) * 10_000
			}
		}
		if row.Known < w.endMs() {
			c.Tickets = append(c.Tickets, row)
		}
	}
}
