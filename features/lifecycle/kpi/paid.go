package kpi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"retain/features"
	"retain/internal/warehouse"
)

// keysOf are the keys of a map in order.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// matches is the condition that a row is an event of the configuration, whose columns the configuration's check has held against a closed list.
func (c *compiler) matches(prefix string, match map[string]string) string {
	var terms []string
	for i, column := range keysOf(match) {
		name := prefix + "_" + strconv.Itoa(i)
		c.params[name] = warehouse.Text(match[column])
		terms = append(terms, "`"+column+"` = {"+name+":String}")
	}
	return strings.Join(terms, " AND ")
}

// firstPaid is the FROM-expression of (customer_id, paid_ms): when a customer first bought, or began a paid period.
func (c *compiler) firstPaid() string {
	return c.piece("first_paid", "customer_id, paid_ms", `(
SELECT customer_id, min(first_ms) AS paid_ms
FROM (
SELECT customer_id, toUnixTimestamp64Milli(min(at)) AS first_ms
FROM `+c.rows(features.Purchases, "amount")+`
WHERE ifNull(amount, 0) >= 0
GROUP BY customer_id
UNION ALL
SELECT customer_id, min(started_ms) AS first_ms
FROM `+c.periods()+`
GROUP BY customer_id
)
GROUP BY customer_id
)`)
}

// leads is the FROM-expression of (customer_id, kind, at, paid, paid_ms): touchpoints of interest of those who had not bought before; paid tells whether they
// ever did.
func (c *compiler) leads() string {
	return c.piece("leads", "customer_id, kind, at, paid, paid_ms", `(
SELECT t.customer_id AS customer_id, t.kind AS kind, t.at AS at, p.paid AS paid, p.paid_ms AS paid_ms
FROM `+c.rows(features.Touchpoints, "kind")+` AS t
LEFT JOIN (SELECT customer_id, paid_ms, 1 AS paid FROM `+c.firstPaid()+`) AS p ON p.customer_id = t.customer_id
WHERE t.kind IN {interest:Array(String)} AND t.customer_id != '' AND (p.paid = 0 OR toUnixTimestamp64Milli(t.at) < p.paid_ms)
)`)
}

// recurring is the FROM-expression of (customer_id, month, before, after): MRR at the begin and the end of each month, in ten-thousandths, of those who paid
// at its begin. MRR at T is the sum over paid periods that hold the last instant before it. Through a gap of at most the grace what was paid just before goes on: first within a
// subscription, then, where nothing at all is held, within the customer; as in features/revenue.
func (c *compiler) recurring() string {
	return c.piece("recurring", "customer_id, month, before, after", `(
SELECT customer_id, m.1 AS month,
arraySum(p -> if(p.1 < m.2 AND m.2 <= p.2, p.3, 0), paid) AS before,
arraySum(p -> if(p.1 < m.3 AND m.3 <= p.2, p.3, 0), paid) AS after
FROM (
SELECT customer_id, `+bridged("groupArrayArray(subscribed)")+` AS paid
FROM (
SELECT customer_id, subscription_id, `+bridged("groupArray((started_ms, end_ms, toInt64(ifNull(mrr, 0) * 10000)))")+` AS subscribed
FROM `+c.periods()+`
GROUP BY customer_id, subscription_id
)
GROUP BY customer_id
)
`+eachMonth+`
WHERE before > 0
)`)
}

// bridged moves the ends of periods (start, end, …) over gaps of at most the grace: those that end last before a gap go on until the next one begins.
func bridged(periods string) string {
	// x.1 is the first start after the end of p; until then nothing else may be held beyond p's end.
	return `arrayMap(ps -> arrayMap(p -> arrayMap(next -> if(next > p.2 AND next - p.2 <= {grace_ms:Int64}
AND NOT arrayExists(o -> o.1 < next AND o.2 > p.2, ps), (p.1, next, p.3), p),
[arrayMin(arrayMap(o -> if(o.1 > p.2, o.1, toInt64(9000000000000000000)), ps))])[1], ps), [` + periods + `])[1]`
}
