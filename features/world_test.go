package features

import (
	"context"
	"testing"
	"time"

	money "github.com/shopspring/decimal"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// A world is a small history, written by a test and loaded into a warehouse of its own.
type world struct {
	events    []eventRow
	periods   []periodRow
	customers []customerRow
}

// An eventRow is one version of an event of any source but subscriptions; amounts and returns are of purchases.
type eventRow struct {
	source   string // any but Customers and Subscriptions
	customer string
	id       int // identity within the customer; versions of one event share it
	at       time.Time
	ingested time.Time // zero = at, not mapped
	channel  string
	amount   *float64
	returned *bool
}

// A periodRow is one version of a subscription period.
type periodRow struct {
	customer               string
	id                     int
	started                time.Time
	ends, ended, cancelled *time.Time
	reason                 string
	billing                *uint16
	mrr                    *float64
	ingested               time.Time // zero = started, not mapped
}

// A customerRow is one version of a customer.
type customerRow struct {
	customer          string
	created, optedOut *time.Time
	ingested          time.Time // zero = created, else 1970, not mapped
}

func (e eventRow) known() time.Time {
	if e.ingested.IsZero() {
		return e.at
	}
	return e.ingested
}

func (p periodRow) known() time.Time {
	if p.ingested.IsZero() {
		return p.started
	}
	return p.ingested
}

func (c customerRow) known() time.Time {
	switch {
	case !c.ingested.IsZero():
		return c.ingested
	case c.created != nil:
		return *c.created
	}
	return time.Unix(0, 0).UTC()
}

// store opens a warehouse that holds the world.
func (w world) store(t testing.TB) *Store {
	t.Helper()
	s := &Store{DB: warehousetest.Open(t)}
	w.load(t, s.DB)
	return s
}

// load replaces what the warehouse holds: the first version of each event in its source, all versions of the corrected in its fixes.
func (w world) load(t testing.TB, db *warehouse.Warehouse) {
	t.Helper()
	ctx := context.Background()
	for _, source := range sourceNames() {
		for _, table := range []string{source, source + "_fixes"} {
			if source == Customers && table != source {
				continue
			}
			if err := db.Conn().Exec(ctx, "TRUNCATE TABLE "+quoteName(table)); err != nil {
				t.Fatal(err)
			}
		}
	}
	hash := uint64(0)
	insert := func(table, columns string, rows [][]any) {
		t.Helper()
		if len(rows) == 0 {
			return
		}
		b, err := db.Conn().PrepareBatch(ctx, "INSERT INTO "+table+" ("+columns+", ingested_at, ingested_mapped, imported_at, event_hash, row_hash)")
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			hash++
			if err := b.Append(append(r, hash)...); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	type identity struct {
		source, customer string
		id               int
	}
	versions := make(map[identity]int)
	oldest := make(map[identity]time.Time)
	see := func(i identity, known time.Time) {
		versions[i]++
		if first, ok := oldest[i]; !ok || known.Before(first) {
			oldest[i] = known
		}
	}
	for _, e := range w.events {
		see(identity{e.source, e.customer, e.id}, e.known())
	}
	for _, p := range w.periods {
		see(identity{Subscriptions, p.customer, p.id}, p.known())
	}
	tables := make(map[string][][]any)
	add := func(i identity, known time.Time, mapped bool, row ...any) {
		row = append(row, known, mapped, known, eventHash(i.customer, i.id))
		if known.Equal(oldest[i]) {
			tables[i.source] = append(tables[i.source], row)
		}
		if versions[i] > 1 {
			tables[i.source+"_fixes"] = append(tables[i.source+"_fixes"], append([]any(nil), row...))
		}
	}
	for _, e := range w.events {
		i := identity{e.source, e.customer, e.id}
		if e.source != Purchases {
			add(i, e.known(), !e.ingested.IsZero(), e.customer, e.at, e.channel)
		} else {
			add(i, e.known(), !e.ingested.IsZero(), e.customer, e.at, e.channel, decimalOrNil(e.amount), e.returned)
		}
	}
	for _, p := range w.periods {
		add(identity{Subscriptions, p.customer, p.id}, p.known(), !p.ingested.IsZero(),
			p.customer, p.started, p.ends, p.ended, p.cancelled, p.reason, p.billing, decimalOrNil(p.mrr))
	}
	const event, purchases = "customer_id, at, channel", "customer_id, at, channel, amount, returned"
	const periods = "customer_id, started_at, ends_at, ended_at, cancelled_at, end_reason, billing_days, mrr"
	for _, source := range []string{Usage, Surveys, Tickets, Contacts, Touchpoints} {
		insert(source, event, tables[source])
		insert(source+"_fixes", event, tables[source+"_fixes"])
	}
	insert("purchases", purchases, tables["purchases"])
	insert("purchases_fixes", purchases, tables["purchases_fixes"])
	insert("subscriptions", periods, tables["subscriptions"])
	insert("subscriptions_fixes", periods, tables["subscriptions_fixes"])
	var people [][]any
	for _, c := range w.customers {
		people = append(people, []any{c.customer, c.created, c.optedOut, c.known(), !c.ingested.IsZero(), c.known(), uint64(1)})
	}
	insert("customers", "customer_id, created_at, opted_out_at", people)
}

func decimalOrNil(v *float64) *money.Decimal {
	if v == nil {
		return nil
	}
	d := money.NewFromFloat(*v)
	return &d
}
