package kpi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"retain/features"
)

// record is something that a figure needs the sources to tell.
type record struct {
	name    string // source.what
	columns []string
	tells   string // condition on a row
	without string // what to say where no row does
}

func (r record) source() string {
	source, _, _ := strings.Cut(r.name, ".")
	return source
}

// records are all of them.
var records = []record{
	{"customers.rows", nil, "1", "there are no customers on record"},
	{"customers.created_at", []string{"created_at"}, "isNotNull(created_at)", "no row of customers tells when it was created"},
	{"customers.segment", []string{"segment"}, "segment != ''", "no customer's segment was known at the cutoff; map its ingested_at, or declare segment static"},
	{"customers.lead_source", []string{"lead_source"}, "lead_source != ''", "no customer's lead source was known at the cutoff; map its ingested_at, or declare lead_source static"},
	{"usage.rows", nil, "1", "there is no usage"},
	{"usage.feature", []string{"feature"}, "feature != ''", "no row of usage names a feature"},
	{"usage.channel", []string{"channel"}, "channel != ''", "no row of usage names a channel"},
	{"purchases.rows", []string{"amount"}, "ifNull(amount, 0) >= 0", "there are no purchases"},
	{"purchases.discount", []string{"discount"}, "ifNull(discount, 0) > 0", "no purchase has a discount"},
	{"purchases.channel", []string{"channel"}, "channel != ''", "no purchase names a channel"},
	{"subscriptions.rows", nil, "1", "there are no subscriptions"},
	{"subscriptions.mrr", []string{"mrr"}, "ifNull(mrr, 0) > 0", "no subscription has mrr"},
	{"surveys.rows", nil, "1", "there are no surveys"},
	{"surveys.nps", []string{"kind", "score"}, "kind = 'nps' AND isNotNull(score)", "there are no answers to surveys of kind nps"},
	{"surveys.silent", []string{"kind", "score"}, "kind = 'nps' AND isNull(score)", "invitations that nobody answered are not on record (surveys of kind nps without a score)"},
	{"surveys.csat", []string{"kind", "score"}, "kind = 'csat' AND isNotNull(score)", "there are no answers to surveys of kind csat"},
	{"tickets.rows", nil, "1", "there are no tickets"},
	{"tickets.first_reply", []string{"first_reply_at"}, "isNotNull(first_reply_at)", "no ticket tells when it was first replied to (first_reply_at)"},
	{"tickets.resolved", []string{"resolved_at"}, "isNotNull(resolved_at)", "no ticket tells when it was resolved (resolved_at)"},
	{"tickets.channel", []string{"channel"}, "channel != ''", "no ticket names its channel"},
	{"tickets.reply_channel", []string{"reply_channel"}, "reply_channel != ''", "no ticket tells on which channel it was answered (reply_channel)"},
	{"tickets.satisfaction", []string{"satisfaction"}, "isNotNull(satisfaction)", "no ticket has a satisfaction"},
	{"contacts.rows", nil, "1", "there are no contacts"},
	{"touchpoints.rows", nil, "1", "there are no touchpoints"},
	{"touchpoints.leads", []string{"kind"}, "kind IN {interest:Array(String)}", "there are no touchpoints of interest (visit, content, form, chat, inquiry, signup, cart, checkout, referral_joined)"},
	{"touchpoints.visit", []string{"kind"}, "kind = 'visit'", "there are no touchpoints of kind visit"},
	{"touchpoints.inquiry", []string{"kind"}, "kind = 'inquiry'", "there are no touchpoints of kind inquiry"},
	{"touchpoints.referral", []string{"kind"}, "kind = 'referral_sent'", "there are no touchpoints of kind referral_sent"},
	{"touchpoints.channel", []string{"channel"}, "channel != ''", "no touchpoint names a channel"},
	{"touchpoints.lead_source", []string{"lead_source"}, "lead_source != ''", "no touchpoint names a lead source"},
}

// interest is the kinds of touchpoint by which somebody who has not bought yet is a lead.
var interest = []string{"visit", "content", "form", "chat", "inquiry", "signup", "cart", "checkout", "referral_joined"}

// span is from the first to the last row, by event time.
type span struct{ first, last time.Time }

// readRecords asks each source once what it tells, and when. A record that no row has is absent.
func (c *compiler) readRecords(ctx context.Context) error {
	bySource := map[string][]record{}
	for _, r := range records {
		bySource[r.source()] = append(bySource[r.source()], r)
	}
	for _, source := range append(slices.Clone(eventSources), features.Customers) {
		list := bySource[source]
		columns := []string{"at"}
		var spans []string
		for _, r := range list {
			columns = append(columns, r.columns...)
			spans = append(spans, fmt.Sprintf("(toUInt64(countIf(%[1]s)), minIf(ms, %[1]s), maxIf(ms, %[1]s))", r.tells))
		}
		rows, err := c.store.Versions(ctx, source, columns, c.o.Cutoff)
		if err != nil {
			return err
		}
		query := "SELECT t.1 AS n, t.2 AS first, t.3 AS last\nFROM (\nSELECT arrayJoin([" + strings.Join(spans, ",\n") + "]) AS t\nFROM (\nSELECT *, ifNull(toUnixTimestamp64Milli(at), toInt64(0)) AS ms\nFROM " + rows + "\n)\n)"
		i := 0
		for b, err := range c.store.DB.Blocks(ctx, query, c.used(query)) {
			if err != nil {
				return fmt.Errorf("what %s tells: %w", source, err)
			}
			n, first, last := b.UInt64s("n"), b.Int64s("first"), b.Int64s("last")
			for k := range n {
				if n[k] > 0 {
					c.held[list[i].name] = span{time.UnixMilli(first[k]).UTC(), time.UnixMilli(last[k]).UTC()}
				}
				i++
			}
		}
	}
	c.gather()
	return nil
}

// Spans that several sources make.
const (
	activity = "activity" // by which the label tells who is there
	use      = "use"      // usage, or purchases where there is none
	buyers   = "buyers"   // purchases and subscriptions
)

// gather makes the spans of several sources, and tells the statements where records begin.
func (c *compiler) gather() {
	join := func(name string, sources ...string) {
		for _, source := range sources {
			s, ok := c.held[source+".rows"]
			if !ok {
				continue
			}
			if t, ok := c.held[name]; ok {
				s = span{earlier(s.first, t.first), later(s.last, t.last)}
			}
			c.held[name] = s
		}
	}
	join(activity, c.o.Churn.LabelSources()...)
	join(buyers, features.Purchases, features.Subscriptions)
	join(use, c.useSource())
	for _, source := range []string{features.Usage, features.Purchases} {
		first := int64(math.MinInt64)
		if s, ok := c.held[source+".rows"]; ok {
			first = s.first.Truncate(day).UnixMilli()
		}
		c.params[source+"_ms"] = strconv.FormatInt(first, 10)
	}
}

// useSource is the source by which customers are active in a month.
func (c *compiler) useSource() string {
	if c.has("usage.rows") {
		return features.Usage
	}
	return features.Purchases
}

// reaches tells whether the records of a figure tell of a month: from since, or its end, they were there before, and they go on into it.
func (c *compiler) reaches(f *figure, m Month) bool {
	for i, name := range f.within {
		since := m.End.Add(-1)
		if i == 0 && f.since != nil {
			since = f.since(c.o, m)
		}
		s := c.held[name]
		if s.first.Truncate(day).After(since) {
			return false
		}
		// Paid periods tell of months in which none begins.
		if s.last.Before(m.Start) && (name != activity || c.o.Churn.Setting != features.Contractual) {
			return false
		}
	}
	return true
}

// has tells whether some row has the record.
func (c *compiler) has(name string) bool {
	_, ok := c.held[name]
	return ok
}

// missing is why a figure cannot be told; "" if it can.
func (c *compiler) missing(needs []string) string {
	for _, name := range needs {
		if !c.has(name) {
			source, _, _ := strings.Cut(name, ".")
			if !c.has(source + ".rows") {
				name = source + ".rows" // nothing at all says more
			}
			if i := slices.IndexFunc(records, func(r record) bool { return r.name == name }); i >= 0 {
				return records[i].without
			}
		}
	}
	return ""
}
