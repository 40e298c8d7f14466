package doctor

import (
	"fmt"

	"retain/features"
	"retain/internal/spoken"
)

// oddity is something that no row of a source should be. Oddities are counted in the pass that makes the profile.
type oddity struct {
	source    string
	subject   string
	condition string  // SQL over the columns of the source; NULL counts as false
	among     string  // the column that rows must have to be asked; "" = all rows
	none      string  // what is told when no row is odd
	some      string  // what they are, after "N of M rows (x %) "
	tolerable float64 // share up to which nothing needs to be done
	severe    float64 // share from which it is an error; 0 = never
	mend      string
}

// oddities are the table of what rows should not be.
var oddities = []oddity{
	{
		source: features.Customers, subject: "opt_out", condition: "opted_out_at < created_at", among: "opted_out_at",
		none: "nobody opted out before they were created", some: "opted out before they were created",
		mend: "map opted_out_at and created_at to the right columns, or import with the right --timezone",
	},
	{
		source: features.Usage, subject: "negative", condition: "duration_s < 0 OR quantity < 0",
		none: "no duration or quantity is negative", some: "have a negative duration or quantity", severe: .05,
		mend: "find out what the sign means in the system they come from, and leave those rows out of the file",
	},
	{
		source: features.Usage, subject: "long", condition: "duration_s > 86400", among: "duration_s",
		none: "no use lasts longer than a day", some: "last longer than a day: durations may be in milliseconds, or sessions are never closed", tolerable: .001, severe: .5,
		mend: "import duration_s in seconds",
	},
	{
		source: features.Purchases, subject: "negative", condition: "amount < 0", among: "amount",
		none: "no amount is negative", some: "have a negative amount, which lowers the sums as a refund does", tolerable: .1,
		mend: "map returned for goods that came back; else leave them, if they are refunds",
	},
	{
		source: features.Purchases, subject: "free", condition: "amount = 0", among: "amount",
		none: "no amount is 0", some: "have an amount of 0, and count as purchases", tolerable: .05,
		mend: "leave them out of the file, if nothing was bought",
	},
	{
		source: features.Subscriptions, subject: "backwards", condition: "ends_at < started_at OR ended_at < started_at OR cancelled_at < started_at",
		none: "no period ends before it starts", some: "end, or are cancelled, before they start", severe: .05,
		mend: "map started_at, ends_at, ended_at and cancelled_at to the right columns",
	},
	{
		source: features.Subscriptions, subject: "late_end", condition: "ended_at > ends_at + toIntervalDay(31)", among: "ended_at",
		none: "no service went on for more than a month after it was paid for", some: "went on for more than a month after ends_at, until which they were paid", tolerable: .05,
		mend: "map ends_at to the instant until which the period is paid, and ended_at to the one when the service stopped",
	},
	{
		source: features.Tickets, subject: "reply", condition: "first_reply_at < at", among: "first_reply_at",
		none: "no ticket was answered before it was opened", some: "were answered before they were opened", severe: .05,
		mend: "map at to the opening and first_reply_at to the first reply, both in the same --timezone",
	},
	{
		source: features.Tickets, subject: "resolution", condition: "resolved_at < at OR resolved_at < first_reply_at", among: "resolved_at",
		none: "no ticket was resolved before it was opened or answered", some: "were resolved before they were opened or answered", tolerable: .01, severe: .25,
		mend: "map at, first_reply_at and resolved_at to the right columns, all in the same --timezone",
	},
	{
		source: features.Tickets, subject: "satisfaction", condition: "satisfaction < 0 OR satisfaction > 10", among: "satisfaction",
		none: "every satisfaction lies between 0 and 10", some: "have a satisfaction outside 0 to 10",
		mend: "import satisfaction on its own scale of at most 0 to 10",
	},
	{
		source: features.Contacts, subject: "classes", condition: "class NOT IN ('marketing', 'service', 'transactional', '')", among: "class",
		none: "every class is marketing, service or transactional", some: "are of a class that is none of marketing, service, transactional, and so count in no contact pressure",
		mend: "translate class before the import, or in the view that sources.contacts.table names",
	},
	{
		source: features.Contacts, subject: "outcome", condition: "outcome_at < at", among: "outcome_at",
		none: "no outcome came before its contact", some: "have an outcome before the contact", severe: .05,
		mend: "map at to the contact and outcome_at to what came of it, both in the same --timezone",
	},
	{
		source: features.Contacts, subject: "decisions", condition: "decision_id != '' AND outcome = ''", among: "decision_id",
		none: "every decision that was carried out has an outcome", some: "carry out a decision and have no outcome yet", tolerable: .5,
		mend: "import the contacts again with outcome and outcome_at once they are known: what an action does is learned from them",
	},
	{
		source: features.Touchpoints, subject: "negative", condition: "value < 0", among: "value",
		none: "no value is negative", some: "have a negative value", tolerable: .05,
		mend: "find out what the sign means in the system they come from",
	},
}

// judge turns the count into a finding.
func (o oddity) judge(p *profile) finding {
	asked := p.rows
	if o.among != "" {
		asked -= p.missing[o.among]
	}
	if asked == 0 {
		return skip("no row has %s", o.among)
	}
	n := p.odd[o.subject]
	s := share(n, asked)
	figures := Figures{"rows": figure(n), "share": figureOf(s)}
	of := "rows"
	if o.among != "" {
		of = "rows with " + o.among
	}
	told := fmt.Sprintf("%s of %s %s (%s) %s", spoken.Count(n), spoken.Count(asked), of, percent(s), o.some)
	switch {
	case n == 0:
		return fine("%s", o.none).with(figures)
	case s <= o.tolerable:
		return fine("%s", told).with(figures)
	case o.severe > 0 && s >= o.severe:
		return wrong(o.mend, "%s", told).with(figures)
	}
	return warn(o.mend, "%s", told).with(figures)
}
