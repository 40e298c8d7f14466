package simulation

import (
	"fmt"
	"math"
)

// Missing stands for an absent number or instant in a row.
const Missing = math.MinInt64

// Customer is one customer: the life, and the records of it once World.Customer has been called. Instants are milliseconds since
// 1970, UTC; Known is when the record reached the company. Money is in ten-thousandths, as are other numbers unless their names tell a unit. A row of an
// event that has several versions is followed by its further ones, in the order in which they became known. The slices are reused by the next call.
type Customer struct {
	ID            string
	Profile       Profile
	Usage         []Usage
	Purchases     []Purchase
	Subscriptions []Subscription
	Surveys       []Survey
	Tickets       []Ticket
	Contacts      []Contact
	Touchpoints   []Touchpoint // also those of leads that came beside this customer and never bought

	path    path
	outlook outlook
	own     []int     // features in use, by popularity
	users   []float64 // share of each user in the usage
	busy    []float64 // the same of this week, added up
}

// Profile is the row of customers. In a Course, Known is Missing as long as the customer has not come.
type Profile struct {
	CreatedAt  int64
	LeadSource string
	Segment    string // "" = not recorded
	Region     string
	Plan       string
	Timezone   string
	Owner      string
	Email      bool // consent
	Phone      bool
	OptedOutAt int64 // Missing = never
	Employees  string
	Industry   string
	Known      int64
}

// Usage is one session with one feature.
type Usage struct {
	At, Known  int64
	Event      int // number within the customer; versions and duplicates share it
	User       int // number within the customer
	Feature    string
	Channel    string
	DurationMs int64
	Errors     int64
}

// Purchase is one line of an order.
type Purchase struct {
	At, Known int64
	Order     int // number within the customer
	Product   string
	Category  string
	Quantity  int64
	Amount    int64
	Discount  int64
	Channel   string
	Returned  bool
}

// Subscription is one paid period, or the part of one between two changes.
type Subscription struct {
	StartedAt, Known   int64
	EndsAt             int64 // paid until
	EndedAt            int64 // Missing unless the service stopped, or the terms changed, within the records
	CancelledAt        int64 // Missing unless cancelled within the records
	EndReason          string
	Plan               string
	MRR, ListMRR       int64
	Seats, BillingDays int64
	AutoRenew          bool
}

// Survey is one question: its answer, or the invitation that was not answered.
type Survey struct {
	At, Known int64
	Kind      string
	Score     int64 // Missing = no answer
	Channel   string
	Comment   string
}

// Ticket is one call for help.
type Ticket struct {
	At, Known    int64
	Number       int // within the customer
	Channel      string
	ReplyChannel string
	Topic        string
	Priority     string
	FirstReplyAt int64 // Missing = not within the records
	ResolvedAt   int64 // likewise
	Reopened     int64
	Escalated    bool
	SelfServed   bool
	Satisfaction int64
}

// Contact is one message or call of the company.
type Contact struct {
	At, Known int64
	Number    int // within the customer
	Channel   string
	Class     string
	Action    string // "" = a newsletter
	Campaign  string // trial = drawn at random, risk_list = chosen by what seemed the risk; else that of the Treatment
	Decision  string `json:",omitempty"` // decision_id of the Treatment; "" = none
	Outcome   string
	OutcomeAt int64 // Missing = not within the records
}

// Touchpoint is one step of a lead or a customer.
type Touchpoint struct {
	At, Known  int64
	Lead       int // 0 = the customer itself, else the number of a lead beside it
	Kind       string
	Channel    string
	LeadSource string
	Campaign   string
	Value      int64
}

// Live puts the life of the customer with an index into c, without any records.
func (w *World) Live(index int, c *Customer) {
	w.live(index, &c.path)
	c.ID = ID(index)
}

// ID is the customer_id of an index. Ids sort as their indices do.
func ID(index int) string { return fmt.Sprintf("c%07d", index) }

// Customer puts the life and all records of the customer with an index into c. Only what was known before the end of the records is there.
func (w *World) Customer(index int, c *Customer) {
	w.Live(index, c)
	w.profile(c)
	w.bill(c)
	w.use(c)
	w.ask(c)
	w.help(c)
	w.reach(c)
	w.lead(c)
}

// here is the span [from, until) of days within the records on which the customer was served.
func (w *World) here(p *path) (from, until int) {
	return max(p.start, 0), min(p.end, w.until)
}

// at is the state in the week of a day on which the customer was served.
func (p *path) at(day int) *week {
	return &p.weeks[min(floorDiv(day, 7)-p.first, len(p.weeks)-1)]
}

// endMs is the first instant after the records.
func (w *World) endMs() int64 { return w.ms(w.until) }

// within is an instant if the records tell of it, else Missing.
func (w *World) within(at int64) int64 {
	if at >= w.endMs() {
		return Missing
	}
	return at
}

// workTime is the instant at a share of the nine hours that a customer works on a day, in whole seconds.
func (w *World) workTime(p *path, day int, share float64) int64 {
	return w.ms(day) + (regions[p.region].opens*3600+int64(9*3600*share))*1000
}

const loadMs = 15 * 60_000 // records arrive every quarter of an hour

// loaded is when the record of an instant reaches the company: with the load after it.
func loaded(at int64) int64 { return (at/loadMs + 1) * loadMs }
