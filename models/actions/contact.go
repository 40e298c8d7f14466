package actions

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// ContactPolicy bounds how often customers are contacted. Its windows are [now-days, now).
type ContactPolicy struct {
	Caps           []Cap             `json:"caps" yaml:"caps"`
	Ignored        Hold              `json:"ignored" yaml:"ignored"`                   // no marketing for those who ignored so many
	RepeatDays     int               `json:"repeat_days" yaml:"repeat_days"`           // the same marketing message, whatever the action or campaign, once in so many days; 0 = no rule
	OpenTicketDays int               `json:"open_ticket_days" yaml:"open_ticket_days"` // a ticket without a solution is open for so many days
	Weights        map[Class]float64 `json:"weights" yaml:"weights"`                   // of contact pressure, in [0, 1]; a class that is absent weighs 0
	Quiet          QuietHours        `json:"quiet" yaml:"quiet"`
	Hour           int               `json:"hour" yaml:"hour"` // of the customer's clock at which to act, on a weekday
}

// Cap is at most Max contacts in Days.
type Cap struct {
	Channel string `json:"channel,omitempty" yaml:"channel"` // "" = all channels together
	Class   Class  `json:"class" yaml:"class"`               // of the contacts that count and of the actions that it stops; answers to tickets are not stopped
	Days    int    `json:"days" yaml:"days"`
	Max     int    `json:"max" yaml:"max"`
}

// Hold is so many times in so many days; Times 0 = no rule.
type Hold struct {
	Times int `json:"times" yaml:"times"`
	Days  int `json:"days" yaml:"days"`
}

// Contact is one outbound contact of the past.
type Contact struct {
	At       time.Time
	Channel  string
	Class    Class  // "" counts as marketing: what cannot be told is not more
	Action   string // id of the action, "" when it was none of ours
	Ignored  bool   // known at the decision, as is
	Answered bool   // that the customer reacted: accepted, rejected, replied, clicked, bought
}

func (c Contact) class() Class {
	if c.Class == "" {
		return Marketing
	}
	return c.Class
}

// Contactable is what the contact policy needs to know of a customer.
type Contactable struct {
	Refused       []string // keys of consent that are false: a channel, a class, or class_channel
	OpenTickets   int
	TicketChannel string // of the oldest open ticket
}

// Allows tells whether the action may be proposed to the customer now, by consent and contact policy, on any of its channels; the
// reason says why not on its first one. It depends on its arguments only. Contacts at or after now are the future and do not count.
// The words of a reason are the same for all customers.
func (c *Catalogue) Allows(action int, who Contactable, history []Contact, now time.Time) (reason string, ok bool) {
	a := &c.Actions[action]
	if reason, ok = c.allowsOn(a, a.Channel, who, history, now); ok {
		return "", true
	}
	for _, channel := range a.Also {
		if _, ok := c.allowsOn(a, channel, who, history, now); ok {
			return "", true
		}
	}
	return reason, false
}

// Channel is the channel on which to do an action that Allows: of those that are allowed the one on which the customer answers, by
// the share (answered + 1) / (contacts + 2) of the history, the catalogue's order among equals. The channel of a ticket is the
// ticket's own.
func (c *Catalogue) Channel(action int, who Contactable, history []Contact, now time.Time) string {
	a := &c.Actions[action]
	if a.Channel == ChannelTicket && who.TicketChannel != "" {
		return who.TicketChannel
	}
	best, most := a.Channel, -1.0
	for k := -1; k < len(a.Also); k++ {
		channel := a.Channel
		if k >= 0 {
			channel = a.Also[k]
		}
		if _, ok := c.allowsOn(a, channel, who, history, now); !ok {
			continue
		}
		var answered, all float64
		for _, h := range history {
			if h.Channel == channel && h.At.Before(now) {
				all++
				answered += float64(b2i(h.Answered))
			}
		}
		if share := (answered + 1) / (all + 2); share > most {
			best, most = channel, share
		}
	}
	return best
}

// allowsOn is Allows for one channel.
func (c *Catalogue) allowsOn(a *Action, channel string, who Contactable, history []Contact, now time.Time) (reason string, ok bool) {
	p := &c.Policy
	if a.ID == DoNothing {
		return "", true
	}
	if channel == ChannelTicket {
		channel = who.TicketChannel
	}
	if a.withheld() {
		for _, key := range []string{channel, string(a.Class), string(a.Class) + "_" + channel} {
			if slices.Contains(who.Refused, key) {
				return "consent: " + key + " is refused", false
			}
		}
	}
	if a.CooldownDays > 0 && count(history, now, a.CooldownDays, func(h Contact) bool { return h.Action == a.ID }) > 0 {
		return fmt.Sprintf("cooldown: done in the last %d days", a.CooldownDays), false
	}
	switch {
	case a.Channel == ChannelTicket && a.duty(): // who waits is answered, however often he asks
		return "", true
	case a.Class != Marketing:
		return p.capped(a, channel, history, now)
	}
	if who.OpenTickets > 0 {
		return "complaint: no marketing while a ticket is open", false
	}
	if h := p.Ignored; h.Times > 0 && count(history, now, h.Days, func(h Contact) bool { return h.class() == Marketing && h.Ignored }) >= h.Times {
		return fmt.Sprintf("hold: ignored %d contacts in %d days", h.Times, h.Days), false
	}
	if p.RepeatDays > 0 && count(history, now, p.RepeatDays, func(h Contact) bool { return c.sameMessage(h.Action, a) }) > 0 {
		return fmt.Sprintf("repeat: the same message went out in the last %d days", p.RepeatDays), false
	}
	return p.capped(a, channel, history, now)
}

// capped tells whether a cap stops the action.
func (p *ContactPolicy) capped(a *Action, channel string, history []Contact, now time.Time) (reason string, ok bool) {
	for _, limit := range p.Caps {
		if limit.Class != a.Class || limit.Channel != "" && limit.Channel != channel {
			continue
		}
		n := count(history, now, limit.Days, func(h Contact) bool {
			return h.class() == limit.Class && (limit.Channel == "" || h.Channel == limit.Channel)
		})
		if n >= limit.Max {
			return limit.String(), false
		}
	}
	return "", true
}

// String is the cap in words.
func (c Cap) String() string {
	channel := ""
	if c.Channel != "" {
		channel = " by " + c.Channel
	}
	return fmt.Sprintf("cap: at most %d %s contact%s%s in %d day%s", c.Max, c.Class, plural(c.Max), channel, c.Days, plural(c.Days))
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// sameMessage tells whether the action of a past contact had the words of a.
func (c *Catalogue) sameMessage(past string, a *Action) bool {
	if past == "" {
		return false
	}
	if past == a.ID {
		return true
	}
	i := c.Index(past)
	return i >= 0 && a.Message[defaultMessage] != "" && c.Actions[i].Message[defaultMessage] == a.Message[defaultMessage]
}

// count counts the contacts in [now-days, now).
func count(history []Contact, now time.Time, days int, counts func(Contact) bool) (n int) {
	from := now.AddDate(0, 0, -days)
	for _, h := range history {
		if !h.At.Before(from) && h.At.Before(now) && counts(h) {
			n++
		}
	}
	return n
}

// pressureDays is how far contact pressure looks back: what is older weighs less than exp(-8).
const pressureDays = 56

// pressureLife is the time in days in which a contact's pressure falls to 1/e.
const pressureLife = 7

// Pressure is P = Σ w·exp(-days/7) over the contacts of the last 56 days, w the weight of their class.
func (p *ContactPolicy) Pressure(history []Contact, now time.Time) float64 {
	var pressure float64
	from := now.AddDate(0, 0, -pressureDays)
	for _, h := range history {
		if h.At.Before(from) || !h.At.Before(now) {
			continue
		}
		pressure += p.Weights[h.class()] * math.Exp(-now.Sub(h.At).Hours()/24/pressureLife)
	}
	return pressure
}

// HistoryDays is how far back decisions look at contacts.
func (c *Catalogue) HistoryDays() int {
	days := max(pressureDays, c.Policy.RepeatDays, c.Policy.Ignored.Days)
	for _, limit := range c.Policy.Caps {
		days = max(days, limit.Days)
	}
	for _, a := range c.Actions {
		days = max(days, a.CooldownDays)
	}
	return days
}
