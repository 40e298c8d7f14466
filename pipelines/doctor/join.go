package doctor

import (
	"context"
	"fmt"
	"strings"

	"retain/features"
	"retain/internal/spoken"
)

// joined is what a source tells when it is held against customers and subscriptions. Days are compared, not instants: a date is its midnight,
// and must not lie before a registration at noon.
type joined struct {
	sample                  int64 // the counts are those of one in so many customers
	customers, rows         int64 // with a customer_id
	orphans, orphanRows     int64 // without a row in customers
	created, beforeCreated  int64 // rows of customers with created_at; those before its day
	held, beforeHeld        int64 // rows of customers with a subscription; those before the day of the first start
	ended, afterEnded       int64 // rows of customers whose last paid period is over; those after the day on which it ended
	subscriptionIDs, idRows int64 // customers whose customer_id is the id of a subscription; their rows
}

// join reads a source against customers and subscriptions, once.
func (x *examination) join(ctx context.Context, source string) (*joined, error) {
	if j := x.joined[source]; j != nil {
		return j, nil
	}
	rows, err := x.from(ctx, source, "at")
	if err != nil {
		return nil, err
	}
	condition, k := sampleOf("customer_id", x.profile(source).rows)
	begins, err := x.begins(ctx, condition)
	if err != nil {
		return nil, err
	}
	got, err := x.one(ctx, `SELECT
toInt64(count()) AS customers,
toInt64(sum(n)) AS n_rows,
toInt64(countIf(known = 0)) AS orphans,
toInt64(sumIf(n, known = 0)) AS orphan_rows,
toInt64(sumIf(n, created_ms > 0)) AS created,
toInt64(sum(before_created)) AS before_created,
toInt64(sumIf(n, started_ms > 0)) AS held,
toInt64(sum(before_started)) AS before_held,
toInt64(sumIf(n, ended_ms > 0)) AS ended,
toInt64(sum(after_ended)) AS after_ended,
toInt64(countIf(is_subscription > 0 AND known = 0)) AS subscription_ids,
toInt64(sumIf(n, is_subscription > 0 AND known = 0)) AS id_rows
FROM (
SELECT
f.customer_id AS customer_id,
count() AS n,
any(b.known) AS known,
any(b.created_ms) AS created_ms,
any(b.started_ms) AS started_ms,
any(b.ended_ms) AS ended_ms,
any(b.is_subscription) AS is_subscription,
countIf(b.created_ms > 0 AND f.ms < b.created_ms) AS before_created,
countIf(b.started_ms > 0 AND f.ms < b.started_ms) AS before_started,
countIf(b.ended_ms > 0 AND f.ms >= b.ended_ms) AS after_ended
FROM (SELECT customer_id, toUnixTimestamp64Milli(at) AS ms FROM `+rows+` WHERE customer_id != '' AND `+condition+`) AS f
LEFT JOIN `+begins+` AS b ON b.customer_id = f.customer_id
GROUP BY customer_id
)`)
	if err != nil {
		return nil, err
	}
	j := &joined{
		sample:    k,
		customers: got["customers"], rows: got["n_rows"], orphans: got["orphans"], orphanRows: got["orphan_rows"],
		created: got["created"], beforeCreated: got["before_created"], held: got["held"], beforeHeld: got["before_held"],
		ended: got["ended"], afterEnded: got["after_ended"],
		subscriptionIDs: got["subscription_ids"], idRows: got["id_rows"],
	}
	x.joined[source] = j
	return j, nil
}

// begins yields one row for each id that customers or subscriptions know: known (1 = in customers), the first millisecond of the day of created_at
// and of the first start, the first of the day after the last end where every period has ended before the data do, each 0 where there is none;
// and is_subscription (1 = a subscription's id, as a customer's). Only ids that meet the condition on customer_id are there.
func (x *examination) begins(ctx context.Context, condition string) (string, error) {
	const dayOf = "intDiv(toUnixTimestamp64Milli(%s), 86400000) * 86400000"
	customers, err := x.from(ctx, features.Customers, "created_at")
	if err != nil {
		return "", err
	}
	parts := []string{fmt.Sprintf(
		"SELECT customer_id, toUInt8(1) AS known, ifNull("+dayOf+", 0) AS created_ms, toInt64(0) AS started_ms, toInt64(0) AS ended_ms, toUInt8(0) AS is_subscription FROM %s WHERE %s",
		"created_at", customers, condition)}
	if x.profile(features.Subscriptions).rows > 0 {
		periods, err := x.from(ctx, features.Subscriptions, "started_at", "subscription_id", "ends_at", "ended_at")
		if err != nil {
			return "", err
		}
		end := fmt.Sprintf("ifNull("+dayOf+" + 86400000, 4000000000000000)", "coalesce(ended_at, ends_at)")
		parts = append(parts,
			fmt.Sprintf("SELECT customer_id, 0, 0, min("+dayOf+"), max("+end+") AS e, 0 FROM %s WHERE %s GROUP BY customer_id", "started_at", periods, condition),
			"SELECT DISTINCT subscription_id, 0, 0, 0, 0, 1 FROM "+periods+" WHERE subscription_id != '' AND "+strings.ReplaceAll(condition, "customer_id", "subscription_id"))
	}
	return fmt.Sprintf(`(SELECT
customer_id,
max(known) AS known,
max(created_ms) AS created_ms,
max(started_ms) AS started_ms,
if(max(ended_ms) <= %s, max(ended_ms), 0) AS ended_ms,
max(is_subscription) AS is_subscription
FROM (
%s
) AS u
GROUP BY customer_id)`, millis(x.dataEnd()), strings.Join(parts, "\nUNION ALL\n")), nil
}

const (
	strangeShare = .01 // of rows that do not fit: more is worth a look
	wrongShare   = .20 // more cannot be an exception
)

func checkCustomers(ctx context.Context, x *examination, p *profile) (finding, error) {
	j, err := x.join(ctx, p.layout.name)
	if err != nil {
		return finding{}, err
	}
	name := p.layout.name
	figures := Figures{"customers": figure(j.customers), "orphans": figure(j.orphans), "orphan_rows": figure(j.orphanRows)}
	if s := share(j.subscriptionIDs, j.customers); s > .5 {
		return wrong(fmt.Sprintf("join %s with the subscriptions before the import and map customer_id to the customer; or make each subscription a customer: retain import subscriptions FILE --map customer_id=SUBSCRIPTION", name),
			"customer_id is the id of a subscription in %s of %s, and of no customer: %s of the rows belong to nobody", spoken.Count(j.subscriptionIDs), spoken.Counted(j.customers, "customer"), percent(share(j.idRows, j.rows))).with(figures), nil
	}
	if x.profile(features.Customers).rows == 0 {
		return skip("%s; customers has no rows to hold them against", spoken.Counted(j.customers, "customer")).with(figures), nil
	}
	orphans := share(j.orphans, j.customers)
	if name == features.Touchpoints && orphans > 0 && orphans <= nearlyAll { // before they are customers they are prospects
		return fine("%s%s of %s have a row in customers; the others are prospects", inSample(j.sample), spoken.Count(j.customers-j.orphans), spoken.Counted(j.customers, "customer")).with(figures), nil
	}
	told := inSample(j.sample) + fmt.Sprintf("%s of %s (%s) have no row in customers, and neither have %s of the rows", spoken.Count(j.orphans), spoken.Counted(j.customers, "customer"), percent(orphans), percent(share(j.orphanRows, j.rows)))
	switch {
	case orphans == 0:
		return fine("%sall of %s have a row in customers", inSample(j.sample), spoken.Counted(j.customers, "customer")).with(figures), nil
	case orphans > wrongShare:
		return wrong(fmt.Sprintf("check that customer_id means the same in %s and in customers (--map customer_id=COLUMN), and that customers is complete", name), "%s", told).with(figures), nil
	case orphans > strangeShare:
		return warn("import the customers who are missing: retain import customers FILE", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

func checkBegin(ctx context.Context, x *examination, p *profile) (finding, error) {
	j, err := x.join(ctx, p.layout.name)
	if err != nil {
		return finding{}, err
	}
	name := p.layout.name
	figures := Figures{"before_created": figureOf(share(j.beforeCreated, j.created)), "before_subscription": figureOf(share(j.beforeHeld, j.held))}
	var told []string
	worst := 0.
	tell := func(n, of int64, what string) {
		s := share(n, of)
		worst = max(worst, s)
		if s > strangeShare {
			told = append(told, inSample(j.sample)+fmt.Sprintf("%s of %s (%s) lie before the day %s", spoken.Count(n), spoken.Counted(of, "row"), percent(s), what))
		}
	}
	tell(j.beforeCreated, j.created, "on which their customer was created")
	if name == features.Usage { // one may buy, ask and complain before one subscribes
		tell(j.beforeHeld, j.held, "on which their customer's first subscription starts")
	}
	if j.created == 0 && (j.held == 0 || name != features.Usage) {
		return skip("no customer of %s has a beginning that is known (created_at, or a subscription)", name), nil
	}
	mend := fmt.Sprintf("find out which of the two times is wrong; until then import customers without created_at, or leave the rows of %s before it out: tenure and first weeks mean nothing", name)
	if share(j.beforeCreated, j.created) <= strangeShare {
		mend = "check started_at of the subscriptions (--map started_at=COLUMN), and that the earlier ones are in: use of a service cannot precede it"
	}
	switch {
	case worst > wrongShare:
		return wrong(mend, "%s", strings.Join(told, "; ")).with(figures), nil
	case worst > strangeShare:
		return warn(mend, "%s", strings.Join(told, "; ")).with(figures), nil
	}
	return fine("%s of the rows lie before their customer began", percent(worst)).with(figures), nil
}

// goesOn is the share of rows after the end that is told: the last days of a service, and free ones, are common.
const goesOn = .05

func checkEnd(ctx context.Context, x *examination, p *profile) (finding, error) {
	j, err := x.join(ctx, p.layout.name)
	if err != nil {
		return finding{}, err
	}
	if j.ended == 0 {
		return skip("no customer of %s has a subscription that is over", p.layout.name), nil
	}
	s := share(j.afterEnded, j.ended)
	figures := Figures{"rows": figure(j.ended), "after_end": figureOf(s)}
	told := inSample(j.sample) + fmt.Sprintf("of %s by customers whose last subscription is over, %s (%s) came after its end", spoken.Counted(j.ended, "row"), spoken.Count(j.afterEnded), percent(s))
	if s > goesOn && p.layout.name == features.Usage {
		return warn("check ends_at and ended_at of the subscriptions: who goes on using the service has not left", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

// checkOwnSubscription looks whether usage names the subscription it belongs to, in user_id or in place of the customer, and holds it against that
// one's own start.
func checkOwnSubscription(ctx context.Context, x *examination, p *profile) (finding, error) {
	if x.profile(features.Subscriptions).rows == 0 {
		return skip("subscriptions has no rows"), nil
	}
	usage, err := x.from(ctx, features.Usage, "at", "user_id")
	if err != nil {
		return finding{}, err
	}
	periods, err := x.from(ctx, features.Subscriptions, "subscription_id", "started_at")
	if err != nil {
		return finding{}, err
	}
	for _, column := range []string{"user_id", "customer_id"} {
		condition, _ := sampleOf(column, p.rows)
		if column == "user_id" && p.missing["user_id"] == p.rows {
			continue
		}
		got, err := x.one(ctx, `SELECT
toInt64(count()) AS n,
toInt64(countIf(s.started_ms > 0)) AS matched,
toInt64(countIf(s.started_ms > 0 AND f.ms < s.started_ms)) AS early
FROM (SELECT `+column+` AS id, toUnixTimestamp64Milli(at) AS ms FROM `+usage+` WHERE `+column+` != '' AND `+condition+`) AS f
LEFT JOIN (
SELECT subscription_id, min(intDiv(toUnixTimestamp64Milli(started_at), 86400000) * 86400000) AS started_ms
FROM `+periods+`
WHERE subscription_id != '' AND `+strings.ReplaceAll(condition, column, "subscription_id")+`
GROUP BY subscription_id
) AS s ON s.subscription_id = f.id`)
		if err != nil {
			return finding{}, err
		}
		if share(got["matched"], got["n"]) < .5 {
			continue
		}
		s := share(got["early"], got["matched"])
		figures := Figures{"rows": figure(got["matched"]), "before_subscription": figureOf(s)}
		told := fmt.Sprintf("%s names the subscription: %s of %s (%s) lie before the day on which their own subscription starts", column, spoken.Count(got["early"]), spoken.Counted(got["matched"], "row"), percent(s))
		const mend = "find out which of the two times is wrong before anything is learned from them: use of a service cannot precede it"
		switch {
		case s > wrongShare:
			return wrong(mend, "%s", told).with(figures), nil
		case s > strangeShare:
			return warn(mend, "%s", told).with(figures), nil
		}
		return fine("%s", told).with(figures), nil
	}
	return skip("no column of usage names the subscription"), nil
}

// mostlySilent is the share of customers without any fact from which it is told.
const mostlySilent = .5

func checkSilent(ctx context.Context, x *examination, _ *profile) (finding, error) {
	customers, err := x.from(ctx, features.Customers)
	if err != nil {
		return finding{}, err
	}
	var all int64
	for _, source := range facts {
		all += x.profile(source).rows
	}
	condition, k := sampleOf("customer_id", all)
	var seen []string
	for _, source := range facts {
		if x.profile(source).rows == 0 {
			continue
		}
		rows, err := x.from(ctx, source)
		if err != nil {
			return finding{}, err
		}
		seen = append(seen, "SELECT customer_id FROM "+rows+" WHERE "+condition)
	}
	if len(seen) == 0 {
		return skip("no other source has rows"), nil
	}
	got, err := x.one(ctx, "SELECT toInt64(count()) AS n, toInt64(countIf(customer_id NOT IN (\n"+strings.Join(seen, "\nUNION ALL\n")+"\n))) AS silent FROM "+customers+" WHERE "+condition)
	if err != nil {
		return finding{}, err
	}
	s := share(got["silent"], got["n"])
	figures := Figures{"customers": figure(got["n"]), "silent": figure(got["silent"])}
	told := inSample(k) + fmt.Sprintf("%s of %s (%s) have no row in any other source", spoken.Count(got["silent"]), spoken.Counted(got["n"], "customer"), percent(s))
	if s > mostlySilent {
		return warn("check that customer_id means the same in customers and in the other sources, and that these are complete", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}
