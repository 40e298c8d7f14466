package doctor

import (
	"testing"

	"retain/features"
)

func TestOddities(t *testing.T) {
	// Of 100 rows those with a number below the first 10 are odd.
	for _, c := range []struct {
		name   string
		source string
		check  string
		row    fields
		want   Status
		told   string
	}{
		{"opted out before created", features.Customers, "opt_out", fields{"created_at": "$", "opted_out_at": "$ + toIntervalDay(if(number < 10, -1, 1))"}, Warning,
			"10 of 100 rows with opted_out_at (10.0 %) opted out before they were created"},
		{"negative quantity", features.Usage, "negative", fields{"at": "$", "quantity": "if(number < 10, -1, 1)"}, Error, "10 of 100 rows (10.0 %) have a negative duration or quantity"},
		{"milliseconds", features.Usage, "long", fields{"at": "$", "duration_s": "if(number < 10, 90000, 60)"}, Warning,
			"10 of 100 rows with duration_s (10.0 %) last longer than a day: durations may be in milliseconds, or sessions are never closed"},
		{"refunds are common", features.Purchases, "negative", fields{"at": "$", "amount": "if(number < 10, -1, 1)"}, OK, "10 of 100 rows with amount (10.0 %) have a negative amount, which lowers the sums as a refund does"},
		{"free", features.Purchases, "free", fields{"at": "$", "amount": "if(number < 10, 0, 1)"}, Warning, "10 of 100 rows with amount (10.0 %) have an amount of 0, and count as purchases"},
		{"no amount", features.Purchases, "free", fields{"at": "$"}, Skipped, "no row has amount"},
		{"backwards", features.Subscriptions, "backwards", fields{"started_at": "$", "ends_at": "$ + toIntervalDay(if(number < 10, -1, 1))"}, Error, "10 of 100 rows (10.0 %) end, or are cancelled, before they start"},
		{"late end", features.Subscriptions, "late_end", fields{"started_at": "$", "ends_at": "$", "ended_at": "$ + toIntervalDay(if(number < 10, 40, 1))"}, Warning,
			"10 of 100 rows with ended_at (10.0 %) went on for more than a month after ends_at, until which they were paid"},
		{"answered before opened", features.Tickets, "reply", fields{"at": "$", "first_reply_at": "$ + toIntervalDay(if(number < 10, -1, 1))"}, Error, "10 of 100 rows with first_reply_at (10.0 %) were answered before they were opened"},
		{"resolved before answered", features.Tickets, "resolution", fields{"at": "$", "first_reply_at": "$ + toIntervalDay(if(number < 10, 5, 1))", "resolved_at": "$ + toIntervalDay(2)"}, Warning,
			"10 of 100 rows with resolved_at (10.0 %) were resolved before they were opened or answered"},
		{"satisfaction in per cent", features.Tickets, "satisfaction", fields{"at": "$", "satisfaction": "if(number < 10, 90, 4)"}, Warning, "10 of 100 rows with satisfaction (10.0 %) have a satisfaction outside 0 to 10"},
		{"unknown class", features.Contacts, "classes", fields{"at": "$", "class": "if(number < 10, 'promo', 'service')"}, Warning,
			"10 of 100 rows with class (10.0 %) are of a class that is none of marketing, service, transactional, and so count in no contact pressure"},
		{"outcome before the contact", features.Contacts, "outcome", fields{"at": "$", "outcome_at": "$ + toIntervalDay(if(number < 10, -1, 1))"}, Error, "10 of 100 rows with outcome_at (10.0 %) have an outcome before the contact"},
		{"decisions without outcome", features.Contacts, "decisions", fields{"at": "$", "decision_id": "'d'", "outcome": "if(number < 40, 'opened', '')"}, Warning, "60 of 100 rows with decision_id (60.0 %) carry out a decision and have no outcome yet"},
		{"negative value", features.Touchpoints, "negative", fields{"at": "$", "value": "if(number < 10, -1, 1)"}, Warning, "10 of 100 rows with value (10.0 %) have a negative value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openWorld(t)
			c.row["customer_id"] = id
			fill(t, db, c.source, 100, c.row)
			got := checkOf(t, optionsOf(db), c.source+"."+c.check)
			if got.Status != c.want || got.Message != c.told {
				t.Errorf("%s: %s\nwant %s: %s", got.Status, got.Message, c.want, c.told)
			}
			if (got.Mend == "") != (c.want == OK || c.want == Skipped) {
				t.Errorf("%s with the mend %q", got.Status, got.Mend)
			}
		})
	}
}
