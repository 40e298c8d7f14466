package actions

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"retain/models"
)

// Context is what is known only at the moment of asking, after the decision was logged.
type Context struct {
	Exclude     []string `json:"exclude_actions,omitempty" maxItems:"64" doc:"Actions that cannot be taken now, whatever the reason."`
	Unreachable []string `json:"unreachable_channels,omitempty" maxItems:"16" doc:"Channels on which the customer cannot be reached now: email, sms, phone, chat, in_app, push, post."`
	OpenTicket  string   `json:"open_ticket_channel,omitempty" maxLength:"64" doc:"A ticket is open now that the decision does not know of, and this is its channel: it is answered there; marketing waits, and so does service that was not asked for."`
}

// Empty tells whether nothing is known beyond the decision.
func (x *Context) Empty() bool {
	return len(x.Exclude) == 0 && len(x.Unreachable) == 0 && x.OpenTicket == ""
}

// Unknown is an action or channel that the context names and there is none of; "" when all are known.
func (x *Context) Unknown(c *Catalogue) string {
	for _, id := range x.Exclude {
		if c.Index(id) < 0 {
			return "exclude_actions: the catalogue has no action " + id
		}
		if id == DoNothing {
			return "exclude_actions: to do nothing is always possible"
		}
	}
	for _, channel := range x.Unreachable {
		if !slices.Contains(Channels, channel) || channel == ChannelNone {
			return "unreachable_channels: there is no channel " + channel
		}
	}
	return ""
}

// Apply narrows a logged answer to what the context leaves, and keeps its draw: the chosen action stays chosen where it is still possible,
// else the action of the greatest priority above 0 stands in, else nothing. So the propensities stay exact: what an action had that falls
// away goes to the one that stands in, and the answer to a ticket is certain. Nothing is drawn anew and nothing is logged; what comes of
// another action than the logged one is told with its name, and learning counts the decision as what was drawn.
//
// Chosen, Actions, Suppressed and Explored of the answer change. An answer to a ticket that opens now is due at now, in the words of the score.
func (d *Deciding) Apply(x *Context, a *Answer, made *Decision, score *models.Score, now time.Time) {
	logged := a.Chosen
	var kept []Proposal
	var lost float64
	gone := func(p Proposal, reason string) {
		lost += p.Propensity
		a.Suppressed = append(a.Suppressed, Suppressed{p.Action, reason})
	}
	for _, p := range a.Actions {
		k := d.Catalogue.Index(p.Action)
		switch {
		case p.Action == DoNothing:
			kept = append(kept, p)
		case slices.Contains(x.Exclude, p.Action):
			gone(p, "context: it cannot be taken now")
		case slices.Contains(x.Unreachable, p.Channel):
			gone(p, "context: by "+p.Channel+" the customer cannot be reached now")
		case x.OpenTicket != "" && k >= 0 && d.Catalogue.Actions[k].withheld():
			gone(p, "complaint: a ticket is open now")
		default:
			kept = append(kept, p)
		}
	}
	if x.OpenTicket != "" {
		for k := range d.Catalogue.Actions {
			action := &d.Catalogue.Actions[k]
			if action.Channel != ChannelTicket || !action.duty() || slices.Contains(x.Exclude, action.ID) || slices.Contains(x.Unreachable, x.OpenTicket) {
				continue
			}
			if at := slices.IndexFunc(a.Suppressed, func(s Suppressed) bool { return s.Action == action.ID && strings.HasPrefix(s.Reason, "rule:") }); at >= 0 {
				a.Suppressed = slices.Delete(slices.Clone(a.Suppressed), at, at+1)
				o := Option{Action: action.ID, Channel: x.OpenTicket, Source: SourcePrior, Terms: d.Catalogue.Terms(k, made.Value, made.Pressure)}
				o.Moment, o.Expires = now, now.Add(time.Duration(action.ExpiresAfter))
				p := d.proposal(o, score)
				kept = append(kept, p)
			}
		}
	}
	stand, answered := d.standIn(kept)
	for i := range kept {
		switch {
		case answered:
			kept[i].Propensity = float64(b2i(i == stand))
		case i == stand:
			kept[i].Propensity += lost
		}
	}
	if answered || !slices.ContainsFunc(kept, func(p Proposal) bool { return p.Action == logged }) {
		a.Chosen = kept[stand].Action
	}
	a.Explored = a.Explored && a.Chosen == logged
	slices.SortStableFunc(kept, func(p, q Proposal) int {
		return cmp.Or(b2i(q.Action == a.Chosen)-b2i(p.Action == a.Chosen), cmp.Compare(q.Priority, p.Priority))
	})
	a.Actions = kept
}

// standIn is the place of the duty of the greatest priority among the actions that are left, else of the greatest priority: nothing has 0.
func (d *Deciding) standIn(kept []Proposal) (at int, duty bool) {
	at = -1
	for i, p := range kept {
		due := d.isDuty(p.Action)
		switch {
		case at < 0, due && !duty, due == duty && (p.Priority > kept[at].Priority || p.Priority == kept[at].Priority && p.Action == DoNothing):
			at, duty = i, duty || due
		}
	}
	return at, duty
}

func (d *Deciding) isDuty(action string) bool {
	k := d.Catalogue.Index(action)
	return k >= 0 && d.Catalogue.Actions[k].duty()
}
