package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// fields are SQL expressions over number, by canonical column; $ stands for the first instant of the worlds' year, 2025-01-01.
type fields map[string]string

// fill inserts n rows into a source: one for each number from 0, where the condition "where" (optional) holds. Bookkeeping columns are made up
// as the import does unless they are given.
func fill(t *testing.T, db *warehouse.Warehouse, source string, n int, f fields) {
	t.Helper()
	f = maps.Clone(f)
	where := "1"
	if w, ok := f["where"]; ok {
		where = w
		delete(f, "where")
	}
	canonical := slices.Sorted(maps.Keys(f))
	when := layoutOf(strings.TrimSuffix(source, "_fixes")).time
	known := "assumeNotNull(ifNull(" + when + ", $))"
	if _, dated := f[when]; !dated {
		known = "$"
	}
	for column, made := range map[string]string{
		"ingested_at": known, "ingested_mapped": "false", "imported_at": "$",
		"event_hash": "number", "row_hash": "cityHash64(" + strings.Join(canonical, ", ") + ")",
	} {
		if _, given := f[column]; !given {
			f[column] = made
		}
	}
	columns := slices.Sorted(maps.Keys(f))
	if i := slices.Index(columns, when); i >= 0 { // before the columns that are made of it
		columns = append([]string{when}, slices.Delete(columns, i, i+1)...)
	}
	expressions := make([]string, len(columns))
	for i, c := range columns {
		expressions[i] = "(" + f[c] + ") AS " + c
	}
	query := "INSERT INTO " + source + " (" + strings.Join(columns, ", ") + ") SELECT " + strings.Join(expressions, ", ") + fmt.Sprintf(" FROM numbers(%d) WHERE ", n) + where
	query = strings.ReplaceAll(query, "$", "toDateTime64('2025-01-01 00:00:00', 3, 'UTC')")
	if err := db.Conn().Exec(t.Context(), query); err != nil {
		t.Fatalf("fill %s: %v\n%s", source, err, query)
	}
}

// worldNow is when the worlds of the tests are looked at.
var worldNow = time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)

// optionsOf are those of a world in which silence in usage for 30 days is churn.
func optionsOf(db *warehouse.Warehouse) Options {
	churn := features.DefaultChurn()
	churn.Activity, churn.ActiveDays, churn.HorizonDays = []string{features.Usage}, 30, 30
	return Options{
		Store: &features.Store{DB: db}, Churn: churn, Grid: features.DefaultGrid(), Currency: "EUR", URL: "embedded:test",
		Now: func() time.Time { return worldNow },
	}
}

// healthy fills all eight sources coherently: 800 customers who come every other day between 8 and 20 o'clock and pay month by month, half of whom
// stop some day between March and October.
func healthy(t *testing.T, db *warehouse.Warehouse) {
	const (
		n        = 800
		customer = "concat('c', leftPad(toString(number % 800), 3, '0'))"
		hour     = " + toIntervalHour(8 + cityHash64(number, 'h') % 12) + toIntervalMinute(cityHash64(number, 'm') % 60)"
		stop     = "if(number % 2 = 0, 1000, 60 + cityHash64(number % 800, 'stop') % 240)" // day of the year
		visit    = "(2 * intDiv(number, 800) + cityHash64(number % 800, 'parity') % 2)"
		month    = "(intDiv(number % 800, 2) % 30 + 30 * intDiv(number, 800))"
		event    = "$ + toIntervalDay(31 + number % 334)" + hour
	)
	fill(t, db, "customers", n, fields{
		"customer_id": customer, "created_at": "$ + toIntervalHour(12) + toIntervalDay(intDiv(number, 2) % 30)", "lead_source": "['web','fair'][1 + cityHash64(number, 'l') % 2]",
		"segment": "['a','b'][1 + cityHash64(number, 's') % 2]", "region": "'eu'", "plan": "'pro'", "timezone": "'UTC'", "owner": "'o'", "birth_year": "1980", "consent": "map('mail', true)",
		"attributes": "map('industry', ['x','y'][1 + cityHash64(number, 'i') % 2])", "opted_out_at": "if(number = 1, $ + toIntervalDay(300), NULL)",
	})
	fill(t, db, "usage", n*183, fields{
		"customer_id": customer, "at": "$ + toIntervalDay(" + visit + ")" + hour, "event_id": "concat('e', toString(number))", "user_id": "concat('s', toString(number % 800))", "feature": "'report'", "channel": "'web'",
		"duration_s": "600", "quantity": "1", "errors": "0", "where": visit + " BETWEEN 30 AND least(" + stop + ", 365) - 1",
	})
	fill(t, db, "purchases", n*11, fields{
		"customer_id": customer, "at": "$ + toIntervalDay(31 + 30 * intDiv(number, 800) + number % 30)" + hour, "order_id": "concat('o', toString(number))", "product": "'p'", "category": "'c'", "quantity": "1",
		"amount": "10", "discount": "0", "currency": "'EUR'", "channel": "'web'", "returned": "false",
	})
	fill(t, db, "subscriptions", n*12, fields{
		"customer_id": customer, "subscription_id": "concat('s', toString(number % 800))", "started_at": "$ + toIntervalDay(" + month + ")", "ends_at": "started_at + toIntervalDay(30)",
		"ended_at": "if(number % 2 = 1 AND " + month + " + 30 >= " + stop + ", started_at + toIntervalDay(30), NULL)", "cancelled_at": "if(isNotNull(ended_at), started_at + toIntervalDay(20), NULL)",
		"end_reason": "if(isNotNull(ended_at), 'price', '')", "plan": "'pro'", "mrr": "20", "list_mrr": "20", "seats": "1", "billing_days": "30", "auto_renew": "true", "where": month + " < least(" + stop + ", 365)",
	})
	fill(t, db, "surveys", 1600, fields{
		"customer_id": customer, "at": event, "kind": "['nps','csat','ces'][1 + number % 3]", "score": "if(cityHash64(number, 'a') % 2 = 0, NULL, 1 + number % 5)", "channel": "'mail'", "comment": "'fine'",
	})
	fill(t, db, "tickets", 1200, fields{
		"customer_id": customer, "at": event, "ticket_id": "concat('t', toString(number))", "channel": "'mail'", "reply_channel": "'mail'", "topic": "'billing'", "priority": "'high'",
		"first_reply_at": "at + toIntervalHour(2)", "resolved_at": "at + toIntervalHour(5)", "reopened": "0", "escalated": "false", "self_served": "false", "satisfaction": "4",
	})
	fill(t, db, "contacts", 1200, fields{
		"customer_id": customer, "at": event, "contact_id": "concat('k', toString(number))", "channel": "'mail'", "class": "'marketing'", "action": "'call'", "campaign": "'spring'",
		"decision_id": "concat('d', toString(number))", "outcome": "'opened'", "outcome_at": "at + toIntervalHour(3)",
	})
	fill(t, db, "touchpoints", 1200, fields{
		"customer_id": customer, "at": event, "kind": "'visit'", "channel": "'web'", "lead_source": "'web'", "campaign": "'spring'", "value": "1",
	})
}

// checkOf runs one check of a world by its name.
func checkOf(t *testing.T, o Options, name string) finding {
	t.Helper()
	x := newExamination(o)
	defer func() {
		if err := x.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	x.readProfiles(t.Context())
	f, err := x.byName(t, name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func (x *examination) byName(t *testing.T, name string) (finding, error) {
	t.Helper()
	area, subject, _ := strings.Cut(name, ".")
	if p := x.profiles[area]; p != nil {
		for _, c := range bySource {
			if c.subject == subject && (c.sources == nil || slices.Contains(c.sources, area)) {
				return c.run(t.Context(), x, p)
			}
		}
		for _, o := range oddities {
			if o.source == area && o.subject == subject {
				return o.judge(p), nil
			}
		}
	}
	for _, c := range slices.Concat(before, after) {
		if c.name == "label.leaks" && name == c.name {
			if err := x.label(t.Context()); err != nil {
				return finding{}, err
			}
		}
		if c.name == name {
			return c.run(t.Context(), x)
		}
	}
	t.Fatalf("no check is called %s", name)
	return finding{}, nil
}

func openWorld(t *testing.T) *warehouse.Warehouse {
	t.Helper()
	return warehousetest.Open(t)
}
