package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// involuntaryReasons are the end reasons that the customer did not choose: the payment failed. They are compared in lower case with
// blanks and hyphens as underscores. Any other reason, and none, is a voluntary end.
var involuntaryReasons = []string{
	"involuntary", "payment_failed", "failed_payment", "payment_failure", "payment_declined", "billing_failed", "billing_failure",
	"non_payment", "nonpayment", "unpaid", "past_due", "dunning", "card_declined", "card_expired", "expired_card", "insufficient_funds",
}

// openMs is the end of an open period: later than any instant, and far from overflow when a grace is added.
const openMs = "4000000000000000"

// periodsSQL yields the FROM-expression of paid periods with started_at < startedBefore as known at known: customer_id, started_ms,
// end_ms (both milliseconds since 1970), subscription_id, plan, mrr (nullable), cancelled and involuntary (0 or 1). The end is ended_at, else ends_at, else the end of
// the billing period that holds cancelled_at (cancelled_at itself without billing_days), else open.
func (s *Store) periodsSQL(ctx context.Context, startedBefore, known time.Time) (string, error) {
	// ends_at is read as it stands. The next billing date, which features see in its place where no ingested_at is mapped, lies at or after the
	// cutoff exactly when ends_at does or is open, so that being alive does not depend on it; labels need the true one.
	raw, err := s.locate(ctx, Subscriptions)
	if err != nil {
		return "", err
	}
	raw.bound.Static = append(slices.Clone(raw.bound.Static), "ends_at", "end_reason")
	rows, err := raw.rowsSQL(read{
		Source:  Subscriptions,
		Columns: []string{"subscription_id", "started_at", "ends_at", "ended_at", "cancelled_at", "end_reason", "plan", "billing_days", "mrr"},
		Cutoff:  known,
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`(SELECT
customer_id,
subscription_id,
plan,
mrr,
toUnixTimestamp64Milli(started_at) AS started_ms,
toUnixTimestamp64Milli(cancelled_at) AS cancelled_ms,
toInt64(ifNull(billing_days, 0)) * 86400000 AS billing_ms,
multiIf(isNull(cancelled_ms), NULL, billing_ms = 0, greatest(cancelled_ms, started_ms), started_ms + billing_ms * (greatest(intDiv(cancelled_ms - started_ms, greatest(billing_ms, 1)), 0) + 1)) AS cancelled_until_ms,
assumeNotNull(coalesce(toUnixTimestamp64Milli(ended_at), toUnixTimestamp64Milli(ends_at), cancelled_until_ms, %s)) AS end_ms,
isNotNull(cancelled_at) AS cancelled,
replaceRegexpAll(lower(trimBoth(end_reason)), '[ -]+', '_') IN (%s) AS involuntary
FROM %s
WHERE started_at < %s)`, openMs, quoteTexts(involuntaryReasons), rows, quoteInstant(startedBefore)), nil
}

// joinedPaidSQL is the end, in ms, of paid time that ends with held at first: each later span (started_ms, end_ms), sorted, that starts at most G after its
// end carries it on.
func (c ChurnSpec) joinedPaidSQL(spans, held string) string {
	grace := int64(c.GraceDays) * day.Milliseconds()
	return fmt.Sprintf("arrayFold((paid, x) -> if(x.1 <= paid + %d, greatest(paid, x.2), paid), %s, %s)", grace, spans, held)
}

// contractualSQL tells by the end of the paid time that covers T who left in w, which begins at T+L. One row (fate, left_ms) for each eligible
// customer, in their order; left_ms is the end of the paid time whatever the fate. An end of which every period ended for an involuntary reason is one.
func (s *Store) contractualSQL(ctx context.Context, c ChurnSpec, p *Population, w window, knownBefore time.Time) (string, error) {
	// Those that start up to G after the window may still carry on what ends in it.
	periods, err := s.periodsSQL(ctx, w.until.Add(time.Duration(c.GraceDays)*day), knownBefore)
	if err != nil {
		return "", err
	}
	fill := strings.NewReplacer(
		"{stayed}", fmt.Sprint(fateStayed), "{churned}", fmt.Sprint(fateChurned), "{left_in_gap}", fmt.Sprint(fateLeftInGap),
		"{left_before}", fmt.Sprint(fateLeftBefore), "{involuntary}", fmt.Sprint(fateInvoluntary),
		"{cutoff}", fmt.Sprint(milliseconds(p.Cutoff)), "{from}", fmt.Sprint(milliseconds(w.from)), "{until}", fmt.Sprint(milliseconds(w.until)),
		"{joined}", c.joinedPaidSQL("later", "held_ms"), "{eligible}", quoteName(p.Table), "{periods}", periods)
	return fill.Replace(`SELECT toUInt8(multiIf(
l.paid_ms < {cutoff}, {left_before},
l.paid_ms < {from}, {left_in_gap},
l.paid_ms >= {until}, {stayed},
has(l.chosen, l.paid_ms), {churned},
{involuntary})) AS fate,
l.paid_ms AS left_ms
FROM {eligible} AS p
LEFT JOIN (
SELECT
customer_id,
maxIf(end_ms, started_ms < {cutoff}) AS held_ms,
arraySort(groupArrayIf((started_ms, end_ms), started_ms >= {cutoff})) AS later,
{joined} AS paid_ms,
groupArrayIf(end_ms, end_ms >= {from} AND end_ms < {until} AND NOT involuntary) AS chosen
FROM {periods}
WHERE end_ms > started_ms AND customer_id IN (SELECT customer_id FROM {eligible})
GROUP BY customer_id
) AS l ON l.customer_id = p.customer_id
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`), nil
}
