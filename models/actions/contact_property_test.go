package actions

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// broken names a limit of the policy that a sequence of contacts has exceeded, by counting anew from the definition: in no window
// [t, t+days) of any cap lie more contacts than it allows, looked at from each contact backwards. "" = none.
func broken(c *Catalogue, made []Contact) string {
	within := func(end time.Time, days int, counts func(Contact) bool) (n int) {
		for _, h := range made {
			if !h.At.Before(end.AddDate(0, 0, -days)) && h.At.Before(end) && counts(h) {
				n++
			}
		}
		return n
	}
	for _, x := range made {
		a := &c.Actions[c.Index(x.Action)]
		for _, limit := range c.Policy.Caps {
			if limit.Class != x.Class || limit.Channel != "" && limit.Channel != x.Channel {
				continue
			}
			before := within(x.At, limit.Days, func(h Contact) bool {
				return h.Class == limit.Class && (limit.Channel == "" || h.Channel == limit.Channel)
			})
			if before+1 > limit.Max {
				return fmt.Sprintf("%s at %v: %v", x.Action, x.At, limit)
			}
		}
		if a.CooldownDays > 0 && within(x.At, a.CooldownDays, func(h Contact) bool { return h.Action == x.Action }) > 0 {
			return fmt.Sprintf("%s at %v: its cooldown of %d days", x.Action, x.At, a.CooldownDays)
		}
		if x.Class != Marketing {
			continue
		}
		if within(x.At, c.Policy.RepeatDays, func(h Contact) bool {
			return c.Actions[c.Index(h.Action)].Message[defaultMessage] == a.Message[defaultMessage]
		}) > 0 {
			return fmt.Sprintf("%s at %v: its words again", x.Action, x.At)
		}
	}
	return ""
}

// Over any sequence of decisions and outcomes no limit of the policy is ever exceeded.
func TestNoCapIsEverExceeded(t *testing.T) {
	e, err := Parse([]byte(policyCatalogue), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Catalogue
	rapid.Check(t, func(t *rapid.T) {
		var history []Contact
		at := now
		for step := range rapid.IntRange(1, 120).Draw(t, "steps") {
			// half a day to ten, whole windows and their edges to the millisecond among them
			gap := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 12 * time.Hour, 24*time.Hour - time.Millisecond, 24 * time.Hour, 24*time.Hour + time.Millisecond,
				7*24*time.Hour - time.Millisecond, 7 * 24 * time.Hour, 7*24*time.Hour + time.Millisecond, 3 * 24 * time.Hour, 10 * 24 * time.Hour}).Draw(t, "gap")
			at = at.Add(gap)
			who := Contactable{OpenTickets: rapid.IntRange(0, 4).Draw(t, "tickets") / 4, TicketChannel: "chat"}
			if rapid.IntRange(0, 9).Draw(t, "refuses") == 0 {
				who.Refused = []string{rapid.SampledFrom([]string{"email", "marketing", "service", "marketing_sms"}).Draw(t, "refused")}
			}
			i := rapid.IntRange(0, len(c.Actions)-1).Draw(t, "action")
			a := &c.Actions[i]
			_, ok := c.Allows(i, who, history, at)
			if !ok || a.ID == DoNothing {
				continue
			}
			if a.Class == Marketing && (who.OpenTickets > 0 || slices.Contains(who.Refused, "marketing") || slices.Contains(who.Refused, a.Channel)) {
				t.Fatalf("step %d: %s in spite of %+v", step, a.ID, who)
			}
			if a.Class == Marketing && count(history, at, 30, func(h Contact) bool { return h.Class == Marketing && h.Ignored }) >= 2 {
				t.Fatalf("step %d: %s after two were ignored", step, a.ID)
			}
			channel := a.Channel
			if channel == ChannelTicket {
				channel = who.TicketChannel
			}
			history = append(history, Contact{At: at, Channel: channel, Class: a.Class, Action: a.ID, Ignored: rapid.IntRange(0, 3).Draw(t, "ignored") == 0})
			// the next decision stands after this contact: one at its very instant is the future, so the world moves on
			at = at.Add(time.Millisecond)
		}
		if limit := broken(c, history); limit != "" {
			t.Fatal(limit)
		}
	})
}
