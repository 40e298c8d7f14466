package main

import (
	"math"
	"slices"

	"retain/features"
	"retain/simulation"
)

// sightColumns are what is seen of a customer at a cutoff, but for contacts: named and meant as the features of the catalogue.
var sightColumns = []string{
	"usage_sessions_count_28d", "usage_sessions_count_84d", "usage_sessions_change_28d", "usage_sessions_per_seat_28d", "usage_active_days_28d",
	"usage_recency_days", "usage_users_distinct_28d", "usage_features_distinct_84d", "usage_errors_28d",
	"subscription_seats_max", "subscription_mrr_sum", "subscription_paid_share", "subscription_billing_days", "subscription_auto_renew",
	"subscription_days_to_end", "subscription_mrr_renewal_change", "survey_nps_last", "survey_silent_count", "ticket_count_84d", "ticket_late_count_84d",
	"profile_tenure_days",
}

// Places of columns that others ask for.
var (
	columnMRR   = slices.Index(sightColumns, "subscription_mrr_sum")
	sightSchema = func() features.Schema {
		s := make(features.Schema, len(sightColumns))
		for j, name := range sightColumns {
			s[j] = features.Column{Name: name}
		}
		return s
	}()
)

const dayMs = 86_400_000

// sighting is what is known of a customer at a cutoff.
type sighting struct {
	x           []float32 // sightColumns; nil = not there, or not seen yet
	openTickets int
	ticket      string // channel of the oldest open ticket
}

// window is the part of rows with event times in [from, until) of rows sorted by time.
func window[T any](rows []T, at func(*T) int64, from, until int64) []T {
	place := func(ms int64) int {
		lo, hi := 0, len(rows)
		for lo < hi {
			if mid := (lo + hi) / 2; at(&rows[mid]) < ms {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		return lo
	}
	return rows[place(from):max(place(from), place(until))]
}

// see looks at the records of a customer from a cutoff, exclusive, by event time and knowledge time.
func see(c *simulation.Customer, cutoff int64) sighting {
	s := sighting{x: make([]float32, 0, len(sightColumns))}
	put := func(values ...float64) {
		for _, v := range values {
			s.x = append(s.x, float32(v))
		}
	}
	seats, subscription := subscribed(c, cutoff)
	put(used(c, cutoff, seats)...)
	put(subscription...)
	put(surveyed(c, cutoff)...)
	put(s.helped(c, cutoff)...)
	put(float64(cutoff-c.Profile.CreatedAt) / dayMs)
	return s
}

// used is the usage.
func used(c *simulation.Customer, cutoff int64, seats float64) []float64 {
	rows := window(c.Usage, func(u *simulation.Usage) int64 { return u.At }, cutoff-84*dayMs, cutoff)
	var month, earlier, quarter, days, users, kinds, errors float64
	var seenUser [64]bool
	seenFeature := map[string]bool{}
	lastDay, recency, event := int64(-1), math.NaN(), -1
	for i := range rows {
		u := &rows[i]
		if u.Known >= cutoff || u.Event == event { // a further version of the same session
			continue
		}
		event = u.Event
		quarter++
		if !seenFeature[u.Feature] {
			seenFeature[u.Feature] = true
			kinds++
		}
		recency = float64(cutoff-u.At) / dayMs
		switch age := cutoff - u.At; {
		case age <= 28*dayMs:
			month++
			errors += float64(u.Errors)
			if day := u.At / dayMs; day != lastDay {
				lastDay = day
				days++
			}
			if u.User < len(seenUser) && !seenUser[u.User] {
				seenUser[u.User] = true
				users++
			}
		case age <= 56*dayMs:
			earlier++
		}
	}
	change := math.NaN()
	if earlier > 0 {
		change = month/earlier - 1
	}
	return []float64{month, quarter, change, month / seats, days, recency, users, kinds, errors}
}

// subscribed is the running period: what is paid and how.
func subscribed(c *simulation.Customer, cutoff int64) (seats float64, columns []float64) {
	var now, before *simulation.Subscription
	for i := range c.Subscriptions {
		if p := &c.Subscriptions[i]; p.Known < cutoff && p.StartedAt < cutoff {
			if now != nil && now.MRR != p.MRR {
				before = now
			}
			now = p
		}
	}
	nan := math.NaN()
	if now == nil {
		return nan, []float64{nan, nan, nan, nan, nan, nan, nan}
	}
	renews, rise := 0., 0.
	if now.AutoRenew {
		renews = 1
	}
	if before != nil && cutoff-now.StartedAt < 120*dayMs {
		rise = float64(now.MRR)/float64(now.Seats)*float64(before.Seats)/float64(before.MRR) - 1
	}
	return float64(now.Seats), []float64{float64(now.Seats), float64(now.MRR) / 10_000, float64(now.MRR) / float64(now.ListMRR), float64(now.BillingDays), renews,
		float64(now.EndsAt-cutoff) / dayMs, rise}
}

// surveyed is the newest NPS answer and how many invitations since were not answered.
func surveyed(c *simulation.Customer, cutoff int64) []float64 {
	score, silent := math.NaN(), 0.
	for i := range c.Surveys {
		switch s := &c.Surveys[i]; {
		case s.Known >= cutoff || s.Kind != "nps":
		case s.Score == simulation.Missing:
			silent++
		default:
			score, silent = float64(s.Score)/10_000, 0
		}
	}
	return []float64{score, silent}
}

// openTicketDays is how long a ticket without a solution is open, as the contact policy has it.
const openTicketDays = 90

// helped is the tickets; it notes the open ones.
func (s *sighting) helped(c *simulation.Customer, cutoff int64) []float64 {
	var count, late float64
	for i := range c.Tickets {
		t := &c.Tickets[i]
		age := cutoff - t.At
		if t.Known >= cutoff || age > openTicketDays*dayMs {
			continue
		}
		if t.ResolvedAt == simulation.Missing || t.ResolvedAt >= cutoff {
			if s.openTickets == 0 {
				s.ticket = t.Channel
			}
			s.openTickets++
		}
		if age > 84*dayMs {
			continue
		}
		count++
		reply := t.FirstReplyAt
		if reply == simulation.Missing || reply > cutoff {
			reply = cutoff
		}
		if !t.SelfServed && reply-t.At > dayMs {
			late++
		}
	}
	return []float64{count, late}
}
