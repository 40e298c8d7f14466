package doctor

import (
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// alarm is a small world in which one check has something to say.
type alarm struct {
	name  string
	check string
	world func(*testing.T, *warehouse.Warehouse)
	set   func(*Options) // nil changes nothing
	want  Status
	told  string // the exact message
	mend  string // part of the mend
}

func put(source string, n int, f fields) func(*testing.T, *warehouse.Warehouse) {
	return func(t *testing.T, db *warehouse.Warehouse) {
		t.Helper()
		fill(t, db, source, n, f)
	}
}

func both(worlds ...func(*testing.T, *warehouse.Warehouse)) func(*testing.T, *warehouse.Warehouse) {
	return func(t *testing.T, db *warehouse.Warehouse) {
		t.Helper()
		for _, w := range worlds {
			w(t, db)
		}
	}
}

// id makes n customers c0, c1, …; ago is an instant so many days before the worlds are looked at.
const id = "concat('c', toString(number))"

func ago(days string) string {
	return "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') - toIntervalDay(" + days + ")"
}

var alarms = []alarm{
	{
		"a source that stopped", "tickets.freshness", both(
			put("usage", 100, fields{"customer_id": id, "at": ago("number")}), put("tickets", 100, fields{"customer_id": id, "at": ago("40 + number")})), nil,
		Warning, "the newest row is of 2025-11-22, 40 days before the newest of the other sources", "retain import tickets FILE",
	},
	{
		"stale as a whole", "sources.age", put("usage", 100, fields{"customer_id": id, "at": ago("10 + number")}), nil,
		Warning, "the newest row of all is of 2025-12-22, 10 days ago: scores are as of then", "import what came since 2025-12-22",
	},
	{
		"stale since noon", "sources.age", put("usage", 100, fields{"customer_id": id, "at": ago("5 + number") + " + toIntervalHour(10)"}), nil,
		Warning, "the newest row of all is of 2025-12-27, 4 days ago: scores are as of then", "import what came since 2025-12-27",
	},
	{
		"a history that has ended", "sources.age", put("usage", 100, fields{"customer_id": id, "at": ago("1000 + number")}), nil,
		OK, "the newest row of all is of 2023-04-07, 1,000 days ago: a history that has ended, so cutoffs count from there", "",
	},
	{
		"nothing at all", "sources.age", put("usage", 0, fields{"customer_id": id, "at": "$"}), nil, Error, "no source of events has rows", "retain import",
	},
	{
		"a label's source reaches into the future", "usage.future", put("usage", 100, fields{"customer_id": id, "at": ago("number - 3")}), nil,
		Error, "3 of 100 rows lie after now, up to 2026-01-04: the labels are read from usage, and take all time until then for observed", "churn.data_until",
	},
	{
		"another source reaches into the future", "tickets.future", put("tickets", 100, fields{"customer_id": id, "at": ago("number - 3")}), nil,
		Warning, "3 of 100 rows lie after now, up to 2026-01-04", "--timezone",
	},
	{
		"known before it happened", "usage.future", put("usage", 100, fields{"customer_id": id, "at": ago("number + 1"), "ingested_at": "at - toIntervalHour(number % 2)", "ingested_mapped": "true"}), nil,
		Warning, "50 of 100 rows were known before they happened: ingested_at lies before at", "map ingested_at",
	},
	{
		"delivered twice", "usage.duplicates", put("usage", 200, fields{"customer_id": "concat('c', toString(number % 100))", "at": "$"}), nil,
		Warning, "100 of 200 rows (50.0 %) equal another one, and each counts", "--map event_id=COLUMN",
	},
	{
		"an id that names something else", "usage.duplicates", both(
			put("usage", 100, fields{"customer_id": "'c'", "at": "$ + toIntervalDay(number)"}), put("usage_fixes", 10, fields{"customer_id": "'c'", "at": "$ + toIntervalDay(number)", "event_hash": "number % 5"})), nil,
		Warning, "5 events have several versions: the same event_id came again with other content, and only the newest version counts; 0 of 100 rows (0 %) equal another one, and each counts", "none if you have corrected them; but if event_id",
	},
	{
		"ids that customers share", "tickets.ids", put("tickets", 100, fields{"customer_id": id, "at": "$", "ticket_id": "toString(number % 90)"}), nil,
		Warning, "10 of 90 ids in ticket_id (11.1 %) belong to several customers", "map ticket_id",
	},
	{
		"half a column", "purchases.missing", put("purchases", 100, fields{"customer_id": id, "at": "$", "amount": "if(number % 4 = 0, NULL, 1)", "currency": "'EUR'", "order_id": "'o'"}), nil,
		Warning, "missing: amount in 25.0 % of the rows; without any value: product, category, quantity, discount, channel, returned", "import purchases again",
	},
	{
		"no kind", "touchpoints.missing", put("touchpoints", 100, fields{"customer_id": id, "at": "$"}), nil,
		Warning, "kind is missing in every row, and features tell rows by it; without any value: kind, channel, lead_source, campaign, value", "--map kind=COLUMN",
	},
	{
		"dates of another zone", "usage.clock", put("usage", 100, fields{"customer_id": id, "at": "$ + toIntervalDay(number) + toIntervalHour(22 + number % 2)"}), nil,
		Warning, "all times of the day are 22:00:00 or 23:00:00 UTC: dates that were written in another zone", "--timezone",
	},
	{
		"dates among instants", "usage.clock", put("usage", 2000, fields{"customer_id": id, "at": "$ + if(number % 10 = 0, toIntervalSecond(0), toIntervalSecond(30000 + number))"}), nil,
		Warning, "200 of 2,000 rows (10.0 %) are exactly 00:00, while the others have an hour", "dates",
	},
	{
		"local times", "usage.clock", both(
			put("customers", 100, fields{"customer_id": id, "timezone": "'America/Los_Angeles'"}),
			put("usage", 4000, fields{"customer_id": "concat('c', toString(number % 100))", "at": "$ + toIntervalHour(8 + number % 13) + toIntervalMinute(number % 60)"})), nil,
		Warning, "the quietest six hours are 00 to 06 UTC (0 % of the rows), but by customers.timezone they lie around 19 o'clock local time: the times look local and not UTC", "--timezone",
	},
	{
		"customers where nobody lives", "usage.clock", put("usage", 4000, fields{"customer_id": id, "at": "$ + toIntervalHour((19 + number % 13) % 24) + toIntervalMinute(number % 60)"}), nil,
		Warning, "the quietest six hours are 11 to 17 UTC (0 % of the rows), as if all customers lived 10 hours behind UTC, where next to nobody lives: the times look shifted", "--timezone",
	},
	{
		"one clock against the other", "sources.clocks", both(
			put("usage", 8000, fields{"customer_id": id, "at": "$ + toIntervalHour(8 + number % 10) + toIntervalMinute(number % 60)"}),
			put("tickets", 4000, fields{"customer_id": id, "at": "$ + toIntervalHour(13 + number % 10) + toIntervalMinute(number % 60)"})), nil,
		Warning, "the day of tickets has the shape of that of usage 5 hours later (correlation 1.00, unshifted 0.14)", "--timezone",
	},
	{
		"one clock against the other, in whole hours", "sources.clocks", both(
			put("usage", 8000, fields{"customer_id": id, "at": "$ + toIntervalHour(8 + number % 10)"}),
			put("tickets", 4000, fields{"customer_id": id, "at": "$ + toIntervalHour(13 + number % 10)"})), nil,
		Warning, "the day of tickets has the shape of that of usage 5 hours later (correlation 1.00, unshifted 0.14)", "--timezone",
	},
	{
		"facts of strangers", "usage.customers", both(put("customers", 70, fields{"customer_id": id}), put("usage", 200, fields{"customer_id": "concat('c', toString(number % 100))", "at": "$"})), nil,
		Error, "30 of 100 customers (30.0 %) have no row in customers, and neither have 30.0 % of the rows", "--map customer_id=COLUMN",
	},
	{
		"a few strangers", "usage.customers", both(put("customers", 98, fields{"customer_id": id}), put("usage", 200, fields{"customer_id": "concat('c', toString(number % 100))", "at": "$"})), nil,
		Warning, "2 of 100 customers (2.0 %) have no row in customers, and neither have 2.0 % of the rows", "retain import customers FILE",
	},
	{
		"subscriptions in place of customers", "usage.customers", both(
			put("subscriptions", 100, fields{"customer_id": "concat('a', toString(number % 10))", "subscription_id": "concat('s', toString(number))", "started_at": "$"}),
			put("usage", 200, fields{"customer_id": "concat('s', toString(number % 100))", "at": "$"})), nil,
		Error, "customer_id is the id of a subscription in 100 of 100 customers, and of no customer: 100 % of the rows belong to nobody", "--map customer_id=SUBSCRIPTION",
	},
	{
		"prospects", "touchpoints.customers", both(put("customers", 50, fields{"customer_id": id}), put("touchpoints", 100, fields{"customer_id": id, "at": "$"})), nil,
		OK, "50 of 100 customers have a row in customers; the others are prospects", "",
	},
	{
		"no names of zones", "customers.timezones", put("customers", 100, fields{"customer_id": id, "timezone": "['Europe/Berlin', 'CET+1', ''][1 + number % 3]"}), nil,
		Warning, "33 of 67 customers with a timezone have one that is no name of a zone: CET+1", "Europe/Berlin",
	},
	{
		"facts before the customer", "tickets.begin", both(
			put("customers", 100, fields{"customer_id": id, "created_at": "$ + toIntervalDay(50) + toIntervalHour(12)"}), put("tickets", 100, fields{"customer_id": id, "at": "$ + toIntervalDay(number)"})), nil,
		Error, "50 of 100 rows (50.0 %) lie before the day on which their customer was created", "without created_at",
	},
	{
		"use before the subscription", "usage.begin", both(
			put("subscriptions", 100, fields{"customer_id": id, "started_at": "$ + toIntervalDay(10)"}), put("usage", 100, fields{"customer_id": id, "at": "$ + toIntervalDay(number)"})), nil,
		Warning, "10 of 100 rows (10.0 %) lie before the day on which their customer's first subscription starts", "started_at",
	},
	{
		"use before its own subscription", "usage.own_subscription", both(
			put("subscriptions", 200, fields{"customer_id": "concat('c', toString(number % 100))", "subscription_id": "concat('s', toString(number))", "started_at": "$ + if(number < 100, toIntervalDay(0), toIntervalDay(50))"}),
			put("usage", 100, fields{"customer_id": id, "user_id": "concat('s', toString(100 + number))", "at": "$ + toIntervalDay(number)"})), nil,
		Error, "user_id names the subscription: 50 of 100 rows (50.0 %) lie before the day on which their own subscription starts", "cannot precede",
	},
	{
		"use after the end", "usage.end", both(
			put("subscriptions", 100, fields{"customer_id": id, "started_at": "$", "ended_at": "$ + toIntervalDay(50)"}), put("usage", 100, fields{"customer_id": id, "at": "$ + toIntervalDay(number)"})), nil,
		Warning, "of 100 rows by customers whose last subscription is over, 49 (49.0 %) came after its end", "has not left",
	},
	{
		"customers without a fact", "customers.silent", both(put("customers", 100, fields{"customer_id": id}), put("usage", 40, fields{"customer_id": id, "at": "$"})), nil,
		Warning, "60 of 100 customers (60.0 %) have no row in any other source", "customer_id means the same",
	},
	{
		"two currencies", "purchases.currency", put("purchases", 100, fields{"customer_id": id, "at": "$", "currency": "if(number < 25, 'USD', 'EUR')"}), nil,
		Error, "amounts of several currencies are added up: EUR in 75.0 %, USD in 25.0 % of the rows", "rates:",
	},
	{
		"another currency", "purchases.currency", put("purchases", 100, fields{"customer_id": id, "at": "$", "currency": "'USD'"}), nil,
		Warning, "amounts are in USD, while currency: is EUR", "currency: USD",
	},
	{
		"an end only for those who left", "subscriptions.ends_at", put("subscriptions", 100, fields{"customer_id": id, "started_at": "$ + toIntervalDay(number)", "ends_at": "if(number < 30, started_at + toIntervalDay(60), NULL)"}), nil,
		Error, "ends_at is set in 30 of the 30 periods that were over by 2025-04-11, and in 0 of the 70 that run on: it is set only for those who left, and tells the outcome before it happens", "--map ended_at=COLUMN",
	},
	{
		"the same, hidden by billing days", "subscriptions.ends_at", put("subscriptions", 100, fields{"customer_id": id, "started_at": "$ + toIntervalDay(number)", "ends_at": "if(number < 30, started_at + toIntervalDay(60), NULL)", "billing_days": "30"}), nil,
		Warning, "ends_at is set in 30 of the 30 periods that were over by 2025-04-11, and in 0 of the 70 that run on: it is set only for those who left; billing_days or ingested_at hide it until then", "--map ended_at=COLUMN",
	},
	{
		"overlapping periods", "subscriptions.overlaps", put("subscriptions", 100, fields{"customer_id": "concat('c', toString(number % 50))", "subscription_id": "'s'", "started_at": "$ + toIntervalDay(number)", "ends_at": "started_at + if(number % 2 = 0, toIntervalDay(60), toIntervalDay(50))"}), nil,
		Warning, "25 of 50 subscriptions (50.0 %) have periods that overlap", "ends_at or ended_at",
	},
	{
		"several at once", "subscriptions.at_once", put("subscriptions", 100, fields{"customer_id": "concat('c', toString(number % 50))", "subscription_id": "toString(number)", "started_at": "$ + toIntervalDay(number)"}), nil,
		Warning, "50 of 50 customers (100 %) have had several subscriptions at once; who has one at the end of the data has 2.0", "--map customer_id=SUBSCRIPTION",
	},
	{
		"scores off the scale", "surveys.kinds", put("surveys", 100, fields{"customer_id": id, "at": "$", "kind": "'nps'", "score": "number"}), nil,
		Warning, "89 of 100 scores in nps lie outside 0 to 10 (they go from 0 to 99)", "nps 0 to 10",
	},
	{
		"an unknown kind", "surveys.kinds", put("surveys", 100, fields{"customer_id": id, "at": "$", "kind": "'mood'", "score": "if(number % 2 = 0, 1, NULL)"}), nil,
		Warning, "no feature reads surveys of kind mood; mood: 100 rows, 50.0 % answered, 1 to 1", "--set kind=nps",
	},
	{
		"one answer an id", "surveys.answers", put("surveys", 100, fields{"customer_id": id, "at": "$", "kind": "'nps'", "score": "5"}), nil,
		Warning, "100 answers, one a customer: nobody answered twice, so there is no history of anybody", "map customer_id",
	},
	{
		"no score", "surveys.answers", put("surveys", 100, fields{"customer_id": id, "at": "$", "kind": "'nps'"}), nil, Error, "none of 100 surveys has a score", "--map score=COLUMN",
	},
	{
		"a day without rows", "usage.outages", put("usage", 100*50, fields{"customer_id": id, "at": "$ + toIntervalDay(number % 100) + toIntervalHour(12)", "where": "number % 100 != 80"}), nil,
		Warning, "1 day with less than a fifth of the usual rows of that weekday: 2025-03-22", "retain import usage FILE",
	},
	{
		"activity without rows", "configuration.setting", put("touchpoints", 10, fields{"customer_id": id, "at": "$"}), nil,
		Error, "churn.activity names usage, which has no rows: no label can be read", "set churn.activity: [touchpoints]",
	},
	{
		"contractual without subscriptions", "configuration.setting", put("usage", 10, fields{"customer_id": id, "at": "$"}), func(o *Options) { o.Churn.Setting = features.Contractual },
		Error, "churn.setting is contractual, and subscriptions has no rows", "churn.activity: [usage]",
	},
	{
		"subscriptions that nobody asks", "configuration.setting", both(put("usage", 10, fields{"customer_id": id, "at": "$"}), put("subscriptions", 10, fields{"customer_id": id, "started_at": "$"})), nil,
		Warning, "churn.setting is non_contractual, while subscriptions has 10 periods", "churn.setting: contractual",
	},
	{
		"an event that never happens", "configuration.setting", put("usage", 10, fields{"customer_id": id, "at": "$", "feature": "'Login'"}), func(o *Options) {
			o.Churn.Setting, o.Churn.Event = features.EventSetting, &features.EventSpec{Source: "usage", Match: map[string]string{"feature": "cancel"}}
		},
		Error, "no row of usage has feature = 'cancel'", "churn.event.match",
	},
	{
		"static of nothing", "configuration.static", put("customers", 10, fields{"customer_id": id, "attributes": "map('size', 'big')"}), func(o *Options) {
			o.Store.Sources = features.Sources{features.Customers: {Static: []string{"colour"}}}
		},
		Warning, "sources.customers.static names colour, which no customer has; there are size", "sources.customers.static",
	},
	{
		"data_until beyond the data", "label.watermark", put("usage", 10, fields{"customer_id": id, "at": "$"}), func(o *Options) {
			until := time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC)
			o.Churn.DataUntil = &until
		},
		Warning, "churn.data_until is 2025-12-01, but the newest row is of 2025-01-01: silence after it counts as churn", "churn.data_until to 2025-01-02",
	},
	{
		"the label's source ends early", "label.watermark", both(put("usage", 10, fields{"customer_id": id, "at": "$"}), put("tickets", 10, fields{"customer_id": id, "at": "$ + toIntervalDay(90)"})), nil,
		Warning, "labels are complete until 2025-01-02 00:00: the newest row of usage is of 2025-01-01, a date, so that day counts as whole, 89 days before the newest row of all sources", "churn.data_until: 2025-04-01",
	},
	{
		"too short a history", "label.cutoffs", put("usage", 90, fields{"customer_id": id, "at": "$ + toIntervalDay(number)"}), nil,
		Error, "no cutoff has labels that are known: they need 84 days of history before and 30 days after, and there are 90 days", "snapshots: {every: week, from: 2025-01-31}",
	},
	{
		"few churners", "label.coverage", put("usage", 3000, fields{"customer_id": "concat('c', toString(number % 10))", "at": "$ + toIntervalDay(intDiv(number, 10))", "where": "number % 10 != 0 OR number < 1000"}), nil,
		Warning, "at the 6 newest cutoffs, 2025-04-01 to 2025-09-01: 56 eligible, 1 churned, 55 stayed, 0 missing; base rate 1.8 %: with fewer than 30 of the rarer outcome only the recency rule may be champion", "snapshots.every: week",
	},
	{
		"no churner", "label.coverage", put("usage", 3000, fields{"customer_id": "concat('c', toString(number % 10))", "at": "$ + toIntervalDay(intDiv(number, 10))"}), nil,
		Error, "at the 6 newest cutoffs, 2025-04-01 to 2025-09-01: 60 eligible, 0 churned, 60 stayed, 0 missing; base rate 0 %: with one outcome only nothing can be learned", "churn.horizon_days",
	},
}

func TestAlarms(t *testing.T) {
	for _, c := range alarms {
		t.Run(c.name, func(t *testing.T) {
			db := openWorld(t)
			c.world(t, db)
			o := optionsOf(db)
			if c.set != nil {
				c.set(&o)
			}
			got := checkOf(t, o, c.check)
			if got.Status != c.want || got.Message != c.told {
				t.Errorf("%s is %s: %s\nwant %s: %s", c.check, got.Status, got.Message, c.want, c.told)
			}
			if !strings.Contains(got.Mend, c.mend) || (got.Mend == "") != (c.want == OK) {
				t.Errorf("mend %q, want %q in it", got.Mend, c.mend)
			}
		})
	}
}

// Of more than a million rows those of a keyed share of the customers are read.
func TestSamples(t *testing.T) {
	db := openWorld(t)
	fill(t, db, "usage", 1_200_000, fields{"customer_id": "concat('c', toString(number % 300000))", "at": "$ + toIntervalSecond(number % 600000)", "event_id": "toString(number)", "row_hash": "number % 600000"})
	fill(t, db, "customers", 300_000, fields{"customer_id": id, "where": "number % 10 != 0"})
	for check, part := range map[string]string{
		"usage.duplicates": "(50.0 %) equal another one, and each counts",
		"usage.customers":  "(10.0 %) have no row in customers, and neither have 10.0 % of the rows",
		"usage.ids":        "0 % belong to several customers",
	} {
		got := checkOf(t, optionsOf(db), check)
		if !strings.HasPrefix(got.Message, "in a sample of ") || !strings.Contains(got.Message, part) {
			t.Errorf("%s: %s", check, got.Message)
		}
	}
}
