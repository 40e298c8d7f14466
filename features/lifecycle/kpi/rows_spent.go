package kpi

import (
	"strings"

	"retain/features"
)

func discountShare(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month, sum(toInt64(ifNull(discount, 0) * 10000)) AS y, sum(toInt64((ifNull(amount, 0) + ifNull(discount, 0)) * 10000)) AS x
FROM ` + c.rows(features.Purchases, "amount", "discount", "returned") + `
WHERE ifNull(amount, 0) >= 0 AND ifNull(discount, 0) >= 0 AND NOT ifNull(returned, false) AND ` + inMonths + `
GROUP BY customer_id, month`
}

// existingBudget is in ten-thousandths of the currency.
func existingBudget(c *compiler) string {
	return `SELECT s.customer_id AS customer_id, ` + monthOfMs("s.day_ms") + ` AS month, sum(if(p.paid AND p.day_ms < s.day_ms, s.cost, 0)) AS y, sum(s.cost) AS x
FROM (
SELECT customer_id, ` + dayOf(ms) + ` AS day_ms, sum(transform(toString(action), {cost_actions:Array(String)}, {cost_values:Array(Int64)}, toInt64(0))) AS cost
FROM ` + c.rows(features.Contacts, "action") + `
WHERE ` + inMonths + `
GROUP BY customer_id, day_ms
UNION ALL
SELECT customer_id, ` + dayOf(ms) + ` AS day_ms, sum(toInt64(ifNull(discount, 0) * 10000)) AS cost
FROM ` + c.rows(features.Purchases, "amount", "discount", "returned") + `
WHERE ifNull(amount, 0) >= 0 AND ifNull(discount, 0) > 0 AND NOT ifNull(returned, false) AND ` + inMonths + `
GROUP BY customer_id, day_ms
) AS s
LEFT JOIN (SELECT customer_id, ` + dayOf("paid_ms") + ` AS day_ms, 1 AS paid FROM ` + c.firstPaid() + `) AS p ON p.customer_id = s.customer_id
WHERE s.cost > 0
GROUP BY s.customer_id, month`
}

// neglected: days on which something was done for a customer, against the days before the end of each month.
func neglected(c *compiler) string {
	return "SELECT customer_id, month, y, x\nFROM " + c.piece("neglected", "customer_id, month, y, x", `(
SELECT p.customer_id AS customer_id, p.month AS month,
toInt64(NOT arrayExists(d -> d >= p.m.3 - {neglect_ms:Int64} AND d < p.m.3, k.kept)) AS y,
toInt64(1) AS x
FROM `+c.present()+` AS p
LEFT JOIN (
SELECT customer_id, groupUniqArray(done_ms) AS kept
FROM (
SELECT customer_id, `+ms+` AS done_ms
FROM `+c.rows(features.Contacts)+`
UNION ALL
SELECT customer_id, assumeNotNull(toUnixTimestamp64Milli(first_reply_at)) AS done_ms
FROM `+c.rows(features.Tickets, "first_reply_at")+`
WHERE isNotNull(first_reply_at)
UNION ALL
SELECT customer_id, `+ms+` AS done_ms
FROM `+c.rows(features.Purchases, "discount")+`
WHERE ifNull(discount, 0) > 0
)
WHERE done_ms >= {starts:Array(Int64)}[1] - {neglect_ms:Int64} AND done_ms < {ends:Array(Int64)}[-1]
GROUP BY customer_id
) AS k ON k.customer_id = p.customer_id
WHERE p.after
)`)
}

// channelSources are those whose channel customers choose. Invoices of subscriptions choose none.
func (c *compiler) channelSources() []string {
	var sources []string
	for _, source := range []string{features.Usage, features.Purchases, features.Tickets, features.Touchpoints} {
		if c.has(source+".channel") && (source != features.Purchases || c.o.Churn.Setting != features.Contractual) {
			sources = append(sources, source)
		}
	}
	return sources
}

// ways is the FROM-expression of (customer_id, month, way): the channels on which a source saw customers in the months asked for, "" among them.
func (c *compiler) ways(source string) string {
	return c.piece("ways_"+source, "customer_id, month, way", `(
SELECT customer_id, `+monthOf+` AS month, toString(channel) AS way
FROM `+c.rows(source, "channel")+`
WHERE `+inMonths+`
GROUP BY customer_id, month, way
)`)
}

func singleChannel(c *compiler) string {
	var union []string
	for _, source := range c.channelSources() {
		union = append(union, "SELECT customer_id, month, way\nFROM "+c.ways(source)+"\nWHERE way != ''")
	}
	return `SELECT p.customer_id AS customer_id, p.month AS month, toInt64(w.ways = 1) AS y, toInt64(1) AS x
FROM ` + c.present() + ` AS p
INNER JOIN (
SELECT customer_id, month, uniqExact(` + plainWords("way") + `) AS ways
FROM (
` + strings.Join(union, "\nUNION ALL\n") + `
)
GROUP BY customer_id, month
) AS w ON w.customer_id = p.customer_id AND w.month = p.month
WHERE p.here`
}
