package pipelines

import (
	"context"
	"strconv"
	"unsafe"

	"retain/internal/warehouse"
	"retain/simulation"
)

// simulatedRows gathers the rows of one source in columns. Texts that are put together lie in one arena.
type simulatedRows struct {
	source warehouse.ImportSource
	feed   *warehouse.Feed
	batch  warehouse.ImportBatch
	next   int    // column that the next value of the row belongs to
	arena  []byte // free room for texts; a full one is left to those that point into it
}

// Rows that are written at once. Most are usage; those of the other sources wait in memory the longer.
const (
	simulatedMany = 200_000
	simulatedFew  = 50_000
)

func newSimulatedRows(fill *warehouse.Fill, source warehouse.ImportSource) (*simulatedRows, error) {
	feed, err := fill.Feed(source.Name)
	if err != nil {
		return nil, err
	}
	n := len(source.Columns)
	return &simulatedRows{source: source, feed: feed, batch: warehouse.ImportBatch{Texts: make([][]string, n), Whole: make([][]int64, n)}}, nil
}

// row begins a row that became known at an instant.
func (s *simulatedRows) row(known int64) *simulatedRows {
	s.batch.Rows++
	s.batch.IngestedAt = append(s.batch.IngestedAt, known)
	s.batch.IngestedMapped = append(s.batch.IngestedMapped, 1)
	s.next = 0
	return s
}

// text appends texts to the columns that follow.
func (s *simulatedRows) text(values ...string) *simulatedRows {
	for _, v := range values {
		s.batch.Texts[s.next] = append(s.batch.Texts[s.next], v)
		s.next++
	}
	return s
}

// whole appends numbers or instants to the columns that follow.
func (s *simulatedRows) whole(values ...int64) *simulatedRows {
	for _, v := range values {
		s.batch.Whole[s.next] = append(s.batch.Whole[s.next], v)
		s.next++
	}
	return s
}

// flag appends a truth value.
func (s *simulatedRows) flag(v bool) *simulatedRows {
	if v {
		return s.whole(1)
	}
	return s.whole(0)
}

// numbered makes an id of a prefix, the customer's own id and a number.
func (s *simulatedRows) numbered(prefix, id string, number int) string {
	if cap(s.arena)-len(s.arena) < 64 {
		s.arena = make([]byte, 0, 1<<16)
	}
	begin := len(s.arena)
	s.arena = append(s.arena, prefix...)
	s.arena = append(s.arena, id...)
	s.arena = append(s.arena, '-')
	s.arena = strconv.AppendInt(s.arena, int64(number), 10)
	return unsafe.String(&s.arena[begin], len(s.arena)-begin) // the arena is only appended to
}

// send writes the rows if there are enough of them, or if all is to go.
func (s *simulatedRows) send(ctx context.Context, all bool) error {
	enough := simulatedFew
	if s.source.Name == "usage" {
		enough = simulatedMany
	}
	if s.batch.Rows < enough && !all {
		return nil
	}
	if err := s.feed.Append(ctx, &s.batch); err != nil {
		return err
	}
	for i := range s.batch.Texts {
		s.batch.Texts[i], s.batch.Whole[i] = s.batch.Texts[i][:0], s.batch.Whole[i][:0]
	}
	s.batch.Rows, s.batch.IngestedAt, s.batch.IngestedMapped = 0, s.batch.IngestedAt[:0], s.batch.IngestedMapped[:0]
	return nil
}

// simulatedCustomer appends all rows of a customer, columns in the order of warehouse.ImportSources.
func simulatedCustomer(to map[string]*simulatedRows, c *simulation.Customer) {
	id := c.ID
	bare := id[1:]
	p := &c.Profile
	if p.Known != simulation.Missing {
		to["customers"].row(p.Known).text(id).whole(p.CreatedAt).text(p.LeadSource, p.Segment).whole(simulation.Missing).
			text(p.Region, p.Plan, p.Timezone, p.Owner, consentText(p.Email, p.Phone)).whole(p.OptedOutAt).
			text("employees\x00" + p.Employees + "\x00industry\x00" + p.Industry)
	}
	usage := to["usage"]
	for i := range c.Usage {
		u := &c.Usage[i]
		usage.row(u.Known).text(id).whole(u.At).text(usage.numbered("e", bare, u.Event), userNames.of(u.User), u.Feature, u.Channel).
			whole(u.DurationMs, simulation.Missing, u.Errors)
	}
	purchases := to["purchases"]
	for i := range c.Purchases {
		o := &c.Purchases[i]
		purchases.row(o.Known).text(id).whole(o.At).text(purchases.numbered("o", bare, o.Order), o.Product, o.Category).
			whole(o.Quantity, o.Amount, o.Discount).text("USD", o.Channel).flag(o.Returned)
	}
	subscriptions := to["subscriptions"]
	subscription := subscriptions.numbered("s", bare, 1)
	for i := range c.Subscriptions {
		s := &c.Subscriptions[i]
		subscriptions.row(s.Known).text(id, subscription).whole(s.StartedAt, s.EndsAt, s.EndedAt, s.CancelledAt).
			text(s.EndReason, s.Plan).whole(s.MRR, s.ListMRR, s.Seats, s.BillingDays).flag(s.AutoRenew)
	}
	for i := range c.Surveys {
		s := &c.Surveys[i]
		to["surveys"].row(s.Known).text(id).whole(s.At).text(s.Kind).whole(s.Score).text(s.Channel, s.Comment)
	}
	tickets := to["tickets"]
	for i := range c.Tickets {
		t := &c.Tickets[i]
		tickets.row(t.Known).text(id).whole(t.At).text(tickets.numbered("t", bare, t.Number), t.Channel, t.ReplyChannel, t.Topic, t.Priority).
			whole(t.FirstReplyAt, t.ResolvedAt, t.Reopened)
		if t.ResolvedAt == simulation.Missing {
			tickets.whole(simulation.Missing, simulation.Missing)
		} else {
			tickets.flag(t.Escalated).flag(t.SelfServed)
		}
		tickets.whole(t.Satisfaction)
	}
	contacts := to["contacts"]
	for i := range c.Contacts {
		k := &c.Contacts[i]
		contacts.row(k.Known).text(id).whole(k.At).text(contacts.numbered("m", bare, k.Number), k.Channel, k.Class, k.Action, k.Campaign, k.Decision, k.Outcome).
			whole(k.OutcomeAt)
	}
	for i := range c.Touchpoints {
		t := &c.Touchpoints[i]
		who := id
		if t.Lead > 0 {
			who = to["touchpoints"].numbered("l", bare, t.Lead)
		}
		to["touchpoints"].row(t.Known).text(who).whole(t.At).text(t.Kind, t.Channel, t.LeadSource, t.Campaign).whole(t.Value)
	}
}

func consentText(email, phone bool) string {
	bit := map[bool]string{true: "1", false: "0"}
	return "email\x00" + bit[email] + "\x00phone\x00" + bit[phone]
}

// names are the ids of numbered users.
type names []string

func (n names) of(number int) string {
	if number < len(n) {
		return n[number]
	}
	return "u" + strconv.Itoa(number+1)
}

var userNames = func() names {
	n := make(names, 256)
	for i := range n {
		n[i] = "u" + strconv.Itoa(i+1)
	}
	return n
}()
