package kpi_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/pipelines"
	"retain/simulation"
)

func TestMain(m *testing.M) { warehousetest.Main(m) }

// none is an absent instant or number.
const none = math.MinInt64

// Rows as a test knows them: instants in ms, money in ten-thousandths. id "" has no identity.
type (
	profileRow struct {
		id, source, segment string
		created, known      int64
	}
	useRow struct {
		id, event, feature, channel string
		at, known                   int64
	}
	saleRow struct {
		id, order, channel string
		at, known          int64
		amount, discount   int64
		returned           bool
		product            string
	}
	periodRow struct {
		id, sub                              string
		start, ends, ended, cancelled, known int64
		mrr, billing                         int64
	}
	surveyRow struct {
		id, kind         string
		at, known, score int64 // score in whole points; none = no answer
	}
	ticketRow struct {
		id, ticket, channel, reply   string
		at, known, replied, resolved int64
		self                         bool
		satisfaction                 int64
	}
	contactRow struct {
		id, contact, action string
		at, known           int64
	}
	touchRow struct {
		id, kind, channel, source string
		at, known                 int64
	}
	records struct {
		profiles []profileRow
		uses     []useRow
		sales    []saleRow
		periods  []periodRow
		surveys  []surveyRow
		tickets  []ticketRow
		contacts []contactRow
		touches  []touchRow
	}
)

const testDays = 430

var testEnd = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

// newRecords are those of a small known world, and a handful of rows by hand at the edges of months, late and corrected.
func newRecords(t testing.TB, customers int) (*records, *simulation.World) {
	t.Helper()
	w, err := simulation.New(simulation.Options{Customers: customers, Days: testDays, Seed: 7, End: testEnd})
	if err != nil {
		t.Fatal(err)
	}
	r := &records{}
	c := new(simulation.Customer)
	for i := range customers {
		w.Customer(i, c)
		r.simulated(c)
	}
	return r, w
}

func (r *records) simulated(c *simulation.Customer) {
	id := c.ID
	p := &c.Profile
	r.profiles = append(r.profiles, profileRow{id, p.LeadSource, p.Segment, p.CreatedAt, p.Known})
	for _, u := range c.Usage {
		r.uses = append(r.uses, useRow{id, fmt.Sprint("e", u.Event), u.Feature, u.Channel, u.At, u.Known})
	}
	for _, o := range c.Purchases {
		r.sales = append(r.sales, saleRow{id, fmt.Sprint("o", o.Order), o.Channel, o.At, o.Known, o.Amount, o.Discount, o.Returned, o.Product})
	}
	for _, s := range c.Subscriptions {
		r.periods = append(r.periods, periodRow{id, "s", s.StartedAt, s.EndsAt, s.EndedAt, s.CancelledAt, s.Known, s.MRR, s.BillingDays})
	}
	for _, s := range c.Surveys {
		score := int64(none)
		if s.Score != simulation.Missing {
			score = s.Score / 10_000
		}
		r.surveys = append(r.surveys, surveyRow{id, s.Kind, s.At, s.Known, score})
	}
	for _, k := range c.Tickets {
		row := ticketRow{id, fmt.Sprint("t", k.Number), k.Channel, k.ReplyChannel, k.At, k.Known, k.FirstReplyAt, k.ResolvedAt, k.SelfServed && k.ResolvedAt != simulation.Missing, none}
		if k.Satisfaction != simulation.Missing {
			row.satisfaction = k.Satisfaction / 10_000
		}
		r.tickets = append(r.tickets, row)
	}
	for _, k := range c.Contacts {
		r.contacts = append(r.contacts, contactRow{id, fmt.Sprint("m", k.Number), k.Action, k.At, k.Known})
	}
	for _, k := range c.Touchpoints {
		who := id
		if k.Lead > 0 {
			who = fmt.Sprintf("l%s-%d", id[1:], k.Lead)
		}
		r.touches = append(r.touches, touchRow{who, k.Kind, k.Channel, k.LeadSource, k.At, k.Known})
	}
}

// at is an instant in ms.
func at(text string) int64 {
	t, err := time.Parse("2006-01-02 15:04:05.000", text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

// edges are rows by hand. Each comment says what would go wrong.
func edges() *records {
	midnight, before, after := at("2026-03-01 00:00:00.000"), at("2026-02-28 23:59:59.999"), at("2026-03-01 00:00:00.001")
	const hour, day = 3_600_000, 86_400_000
	late := at("2026-07-01 00:00:00.000") // known at the cutoff: too late
	r := &records{
		profiles: []profileRow{
			{"x1", "fair", "", at("2026-01-30 00:00:00.000"), at("2026-01-30 00:00:00.000")}, // onboarding ends at a month's first instant
			{"x2", "", "large", at("2026-01-29 23:59:59.999"), at("2026-01-30 00:00:00.000")},
			{"x2", "fair", "large", at("2026-01-29 23:59:59.999"), at("2026-02-10 00:00:00.000")}, // a later version holds
			{"x2", "web", "small", at("2026-01-29 23:59:59.999"), late},                           // but not one that is not known yet
			{"x3", "fair", "small", at("2026-03-15 00:00:00.000"), at("2026-03-15 00:00:00.000")}, // never used anything: counts, with a depth of 0
		},
		touches: []touchRow{
			{"x1", "visit", "web", "fair", at("2026-01-31 23:59:59.999"), at("2026-02-03 00:00:00.000")},
			{"x1", "inquiry", "web", "fair", at("2026-02-01 00:00:00.000"), at("2026-02-01 00:00:00.000")},
			{"x2", "visit", "web", "", before, before},
			{"x2", "visit", "web", "web", midnight, midnight}, // after the purchase: no lead any more
			{"x4", "visit", "web", "fair", midnight, late},    // not known at the cutoff
			{"x5", "visit", "", "fair", midnight, midnight},
			{"x5", "unsubscribe", "web", "fair", at("2026-02-10 00:00:00.000"), at("2026-02-10 00:00:00.000")}, // no interest
			{"x6", "referral_sent", "web", "", midnight, midnight},
			{"x6", "referral_sent", "web", "", before, before},
		},
		sales: []saleRow{
			{"x2", "1", "shop", before + 1, midnight, 10_0000, 0, false, "a"}, // at the month's first instant, one ms after the visit
			{"x1", "1", "shop", at("2026-02-01 00:00:00.001"), at("2026-02-01 00:00:00.001"), 100_0000, 50_0000, false, "a"},
			{"x1", "1", "shop", at("2026-02-03 00:00:00.000"), at("2026-04-01 00:00:00.000"), 80_0000, 70_0000, false, "a"}, // corrected: another day and amount
			{"x1", "1", "shop", at("2026-05-03 00:00:00.000"), late, 80_0000, 0, false, "a"},                                // a correction that is not known yet
			{"x1", "2", "phone", at("2026-05-04 00:00:00.000"), at("2026-05-04 00:00:00.000"), 20_0000, 0, false, "a"},      // the 90th day after the corrected one
			{"x1", "3", "phone", at("2026-05-05 00:00:00.000"), at("2026-05-05 00:00:00.000"), -20_0000, 0, false, "a"},     // a refund
			{"x12", "1", "shop", at("2026-01-10 00:00:00.000"), at("2026-01-10 00:00:00.000"), 1_0000, 0, false, "a"},
			{"x12", "2", "shop", at("2026-02-03 00:00:00.000"), at("2026-02-03 00:00:00.000"), 1_0000, 0, false, "a"},
			{"x12", "3", "shop", at("2026-05-04 00:00:00.000"), at("2026-05-04 00:00:00.000"), 1_0000, 0, false, "a"},     // the 90th day after the second
			{"x13", "1", "shop", midnight, midnight, 1_0000, 0, false, "a"},                                               // a month's first instant is of that month
			{"x7", "1", "shop", at("2026-04-30 23:59:59.999"), at("2026-05-02 00:00:00.000"), 30_0000, 3_0000, true, "a"}, // returned
			{"x7", "2", "shop", at("2026-04-30 23:59:59.999"), at("2026-05-02 00:00:00.000"), 0, 5_0000, false, "b"},      // free
			{"x7", "3", "shop", at("2026-05-01 00:00:00.000"), at("2026-05-02 00:00:00.000"), 12_3456, 1_0001, false, "b"},
		},
		periods: []periodRow{
			{"x6", "a", at("2026-01-01 00:00:00.000"), midnight, none, none, 0, 100_0000, 30},                     // paid until a month's first instant: still there at it
			{"x6", "a", midnight + 30*day, midnight + 60*day, none, none, 0, 120_0000, 30},                        // a gap of the grace exactly
			{"x6", "b", at("2026-01-10 00:00:00.000"), none, none, at("2026-01-20 12:00:00.000"), 0, 50_0000, 30}, // cancelled: to the end of the billing period
			{"x8", "a", at("2025-12-01 00:00:00.000"), before, none, none, 0, 10_0000, 0},                         // ends one ms before
			{"x8", "a", before + 30*day + 1, none, none, none, 0, 30_0000, 0},                                     // one ms beyond the grace; open
			{"x9", "a", at("2025-12-01 00:00:00.000"), after, none, none, 0, 10_0000, 0},                          // ends one ms after the month's begin
			{"x9", "b", at("2025-12-01 00:00:00.000"), at("2026-01-25 00:00:00.000"), none, none, 0, 5_0000, 0},   // of two subscriptions one ends
			{"x9", "b", at("2026-02-05 00:00:00.000"), at("2026-05-10 00:00:00.000"), none, none, 0, 6_0000, 0},   // and goes on
			{"x14", "a", at("2026-01-01 00:00:00.000"), after, none, none, 0, 1_0000, 0},
			{"x14", "a", after + 30*day + 1, at("2026-06-01 00:00:00.000"), none, none, 0, 1_0000, 0}, // left and came back in one month
			{"x15", "a", at("2026-01-01 00:00:00.000"), at("2026-02-15 00:00:00.000"), none, none, 0, 9_0000, 0},
			{"x15", "a", at("2026-03-17 00:00:00.000"), at("2026-04-17 00:00:00.000"), none, none, 0, 8_0000, 0},                          // a month begins in a gap of the grace
			{"x10", "a", midnight, midnight, none, none, 0, 99_0000, 0},                                                                   // nothing was ever paid for
			{"x11", "a", at("2026-01-05 00:00:00.000"), at("2026-12-05 00:00:00.000"), at("2026-04-01 00:00:00.000"), none, 0, 7_0000, 0}, // stopped early
			{"x11", "a", at("2026-01-05 00:00:00.000"), at("2026-12-05 00:00:00.000"), none, none, late, 8_0000, 0},                       // a correction that is not known yet
		},
		uses: []useRow{
			{"x9", "1", "", "web", midnight, midnight}, {"x9", "2", "", "Web ", after, after}, // one channel in two spellings
			{"x6", "1", "reports", "web", before, before + 5*day}, {"x6", "2", "reports", "Web ", midnight, midnight}, {"x6", "3", "", "api", midnight, late},
			{"x1", "1", "a", "web", at("2026-01-30 00:00:00.000"), at("2026-01-30 00:00:00.000")}, {"x1", "2", "b", "web", at("2026-02-28 23:59:59.999"), midnight},
			{"x1", "3", "c", "web", midnight, midnight},                                           // the 31st day
			{"x1", "2", "d", "web", at("2026-02-27 00:00:00.000"), at("2026-03-05 00:00:00.000")}, // corrects b
			{"x1", "4", "", "web", at("2026-02-02 00:00:00.000"), at("2026-02-02 00:00:00.000")},
		},
		surveys: []surveyRow{
			{"x1", "nps", before, midnight, 10}, {"x1", "nps", midnight, midnight, 6}, {"x2", "nps", midnight, midnight, 7}, {"x2", "nps", after, after, 8}, {"x6", "nps", after, after, 9},
			{"x7", "nps", after, after, 0}, {"x6", "nps", after + 1, after + 1, none}, {"x6", "nps", after + 2, late, 0}, {"x6", "csat", midnight, midnight, 4}, {"x6", "csat", after, after, 3}, {"x6", "ces", after, after, 1},
		},
		tickets: []ticketRow{
			{"x6", "1", "chat", "E-Mail", before - 24*hour, before, midnight, after, false, none}, // answered one ms too late, and its day ends in February
			{"x6", "2", "e mail", "e-mail", midnight - 24*hour, midnight, midnight, midnight + day, false, none},
			{"x6", "3", "chat", "", midnight - 24*hour, midnight, none, none, false, none},                                         // waits still
			{"x6", "4", "chat", "", midnight, midnight, none, midnight + 30*hour, true, none},                                      // solved it alone
			{"x6", "5", "chat", "", midnight, midnight, none, midnight + 23*hour, false, none},                                     // resolved without a reply
			{"x6", "6", "chat", "chat", at("2026-06-30 12:00:00.000"), at("2026-06-30 12:00:00.000"), late, late + 1, false, none}, // answered after the cutoff
			{"x6", "7", "chat", "chat", at("2026-06-29 12:00:00.000"), at("2026-06-29 12:00:00.000"), late, none, false, none},
		},
		contacts: []contactRow{
			{"x14", "1", "save_call", at("2026-04-01 00:00:00.000"), at("2026-04-01 00:00:00.000")},                         // is of April
			{"x6", "1", "discount", midnight - 90*day, midnight}, {"x8", "1", "save_call", midnight - 90*day - 1, midnight}, // the edge of neglect
			{"x2", "1", "save_call", midnight, midnight}, {"x2", "2", "save_call", midnight + day, midnight + day}, {"x5", "1", "discount", midnight, midnight}, {"x5", "2", "", midnight, midnight},
			{"x6", "1", "save_call", midnight - 90*day, late},
		},
	}
	for i := range r.periods {
		if r.periods[i].known == 0 {
			r.periods[i].known = r.periods[i].start
		}
	}
	return r
}

func (r *records) add(o *records) {
	r.profiles, r.uses, r.sales, r.periods = append(r.profiles, o.profiles...), append(r.uses, o.uses...), append(r.sales, o.sales...), append(r.periods, o.periods...)
	r.surveys, r.tickets, r.contacts, r.touches = append(r.surveys, o.surveys...), append(r.tickets, o.tickets...), append(r.contacts, o.contacts...), append(r.touches, o.touches...)
}

// newStore is a warehouse that holds the world, and the rows by hand as they came: imported in the order of their knowledge time.
func newStore(t testing.TB, w *simulation.World, hand *records) *features.Store {
	t.Helper()
	db := warehousetest.Open(t)
	if w != nil {
		if _, err := pipelines.Simulate(context.Background(), pipelines.SimulateOptions{Warehouse: db, World: w, Churn: features.DefaultChurn()}); err != nil {
			t.Fatal(err)
		}
	}
	hand.load(t, db)
	return &features.Store{DB: db}
}

func (r *records) load(t testing.TB, db *warehouse.Warehouse) {
	t.Helper()
	// Versions of one event come one file after the other: in one file the lines of an order are its parts.
	lines, versions := map[string][][]string{}, map[string]int{}
	put := func(source, identity string, known int64, fields ...string) {
		round := 0
		if identity != "" {
			round = versions[source+" "+fields[0]+" "+identity]
			versions[source+" "+fields[0]+" "+identity]++
		}
		for len(lines[source]) <= round {
			lines[source] = append(lines[source], nil)
		}
		lines[source][round] = append(lines[source][round], strings.Join(append([]string{stamp(known)}, fields...), ","))
	}
	for _, p := range r.profiles {
		put("customers", "profile", p.known, p.id, stamp(p.created), p.source, p.segment)
	}
	for _, u := range r.uses {
		put("usage", u.event, u.known, u.id, stamp(u.at), u.event, u.feature, u.channel)
	}
	for _, s := range r.sales {
		put("purchases", s.order+"/"+s.product, s.known, s.id, stamp(s.at), s.order, s.product, money(s.amount), money(s.discount), fmt.Sprint(s.returned), s.channel)
	}
	for _, p := range r.periods {
		billing := ""
		if p.billing > 0 {
			billing = fmt.Sprint(p.billing)
		}
		put("subscriptions", p.sub+stamp(p.start), p.known, p.id, stamp(p.start), p.sub, stamp(p.ends), stamp(p.ended), stamp(p.cancelled), money(p.mrr), billing)
	}
	for _, s := range r.surveys {
		score := ""
		if s.score != none {
			score = fmt.Sprint(s.score)
		}
		put("surveys", "", s.known, s.id, stamp(s.at), s.kind, score)
	}
	for _, k := range r.tickets {
		put("tickets", k.ticket, k.known, k.id, stamp(k.at), k.ticket, k.channel, k.reply, stamp(k.replied), stamp(k.resolved), fmt.Sprint(k.self))
	}
	for _, k := range r.contacts {
		put("contacts", k.contact, k.known, k.id, stamp(k.at), k.contact, k.action)
	}
	for _, k := range r.touches {
		put("touchpoints", "", k.known, k.id, stamp(k.at), k.kind, k.channel, k.source)
	}
	heads := map[string]string{
		"customers": "customer_id,created_at,lead_source,segment", "usage": "customer_id,at,event_id,feature,channel",
		"purchases":     "customer_id,at,order_id,product,amount,discount,returned,channel",
		"subscriptions": "customer_id,started_at,subscription_id,ends_at,ended_at,cancelled_at,mrr,billing_days",
		"surveys":       "customer_id,at,kind,score", "tickets": "customer_id,at,ticket_id,channel,reply_channel,first_reply_at,resolved_at,self_served",
		"contacts": "customer_id,at,contact_id,action", "touchpoints": "customer_id,at,kind,channel,lead_source",
	}
	for source, files := range lines {
		for _, rows := range files {
			text := "ingested_at," + heads[source] + "\n" + strings.Join(rows, "\n") + "\n"
			if _, err := pipelines.Import(context.Background(), pipelines.ImportOptions{Warehouse: db, Source: source, Path: "-", Stdin: strings.NewReader(text), Timezone: "UTC"}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func stamp(ms int64) string {
	if ms == none {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05.000")
}

func money(v int64) string { return fmt.Sprintf("%.4f", float64(v)/10_000) }
