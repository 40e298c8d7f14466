// Package timeline holds the words for what happened to one customer over all sources, as it was known at a cutoff: what the
// service asks for and what reads the sources gives.
package timeline

import (
	"errors"
	"time"
)

// Sources are all sources, in the order in which their events of one instant are told.
var Sources = []string{"surveys", "tickets", "subscriptions", "purchases", "contacts", "touchpoints", "usage", "customers"}

// Kinds of events by source.
const (
	Answered  = "answered"  // surveys
	Invited   = "invited"   // surveys: no answer
	Opened    = "opened"    // tickets
	Replied   = "replied"   // tickets: the first reply
	Resolved  = "resolved"  // tickets
	Started   = "started"   // subscriptions
	Renewed   = "renewed"   // subscriptions: the next period of the same subscription, as it was
	Changed   = "changed"   // subscriptions: a renewal with another plan, price or number of seats
	Returned  = "returned"  // subscriptions: a start after a pause of the same subscription
	Cancelled = "cancelled" // subscriptions: notice was given
	Ended     = "ended"     // subscriptions: the service stopped
	Expired   = "expired"   // subscriptions: the paid period ran out, without an end or a renewal known
	Purchased = "purchased" // purchases: the rows of one order
	Contacted = "contacted" // contacts, with their outcome where it was known
	Touched   = "touched"   // touchpoints: equal ones of a UTC day
	Used      = "used"      // usage of a UTC day, or of a week from Monday
	Created   = "created"   // customers
	OptedOut  = "opted_out" // customers
)

// Event is one thing that happened to a customer, or many small ones summed up.
type Event struct {
	At      time.Time      `json:"at" doc:"When it happened; of a sum the last instant."`
	Source  string         `json:"source" enum:"surveys,tickets,subscriptions,purchases,contacts,touchpoints,usage,customers" doc:"The source it stands in."`
	Kind    string         `json:"kind" doc:"What happened: answered, invited; opened, replied, resolved; started, renewed, changed, returned, cancelled, ended, expired; purchased; contacted; touched; used; created, opted_out."`
	Details map[string]any `json:"details" doc:"What is known of it, by column of the source; sums have rows, uses, days, features. What is not known is absent."`
}

// Text is a detail that is a text; "" when it is not known.
func (e Event) Text(name string) string {
	v, _ := e.Details[name].(string)
	return v
}

// Number is a detail that is a number.
func (e Event) Number(name string) (v float64, known bool) {
	v, known = e.Details[name].(float64)
	return v, known
}

// Texts is a detail that is a list of texts; nil when it is not known.
func (e Event) Texts(name string) []string {
	v, _ := e.Details[name].([]string)
	return v
}

// Instant is a detail that is an instant; zero when it is not known.
func (e Event) Instant(name string) time.Time {
	v, _ := e.Details[name].(time.Time)
	return v
}

// Is tells whether a detail that is true or false is known to be true.
func (e Event) Is(name string) bool {
	v, _ := e.Details[name].(bool)
	return v
}

// MaxLimit bounds one stretch of a timeline, in events.
const MaxLimit = 1000

// Query asks for a stretch of a customer's timeline.
type Query struct {
	Customer string
	Cutoff   time.Time // only what was known then: at < Cutoff and ingested_at < Cutoff
	Source   string    // one of Sources; "" = all, and usage is then told by week instead of by day
	From     *Place    // nil = from the newest
	Limit    int       // at most so many events, 1 to MaxLimit
}

// Place is where a timeline goes on.
type Place struct {
	At     time.Time `json:"t"` // of the first event that was not given yet
	Source string    `json:"s"`
	Key    uint64    `json:"k"` // orders events of one source and instant
	Skip   int       `json:"n"` // wholly equal events that were given already
}

// ErrPlace says that a place is none of a timeline.
var ErrPlace = errors.New("no place of a timeline")

// Overview is a customer at a glance: how much there is of each source, and what the sparklines show.
type Overview struct {
	Rows    []Rows    // sources with rows of the customer, in the order of Sources
	NPS     []Answer  // invitations and answers of the two years before the cutoff, oldest first, at most 60: the newest
	NPSFrom time.Time // start of these two years
	Usage   []Week    // the 52 weeks before the cutoff, oldest first, the last one ending at it; nil if the customer has no usage
}

// Rows is how many rows a source holds of a customer.
type Rows struct {
	Source string
	Rows   int
}

// Answer is one NPS survey.
type Answer struct {
	At    time.Time
	Score *float64 // 0 to 10; nil = invited, no answer
}

// Week sums up the use of seven days.
type Week struct {
	From       time.Time // the week is [From, From + 7 d)
	Uses       int
	Minutes    float64 // 0 where durations are not known
	Features   int     // different ones
	Before     bool    // ends before the customer was first known in any source: there is nothing to draw
	OutageDays int     // days on which usage was missing for everyone
}
