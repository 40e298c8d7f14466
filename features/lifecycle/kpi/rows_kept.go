package kpi

import "retain/features"

func activeRate(c *compiler) string {
	return `SELECT p.customer_id AS customer_id, p.month AS month, toInt64(u.active) AS y, toInt64(1) AS x
FROM ` + c.present() + ` AS p
LEFT JOIN (
SELECT customer_id, month, 1 AS active
FROM ` + c.ways(c.useSource()) + `
GROUP BY customer_id, month
) AS u ON u.customer_id = p.customer_id AND u.month = p.month
WHERE p.here`
}

func churnRate(c *compiler) string {
	return "SELECT customer_id, month, toInt64(gone) AS y, toInt64(1) AS x\nFROM " + c.present() + "\nWHERE here"
}

func retentionRate(c *compiler) string {
	return "SELECT customer_id, month, toInt64(NOT gone) AS y, toInt64(1) AS x\nFROM " + c.present() + "\nWHERE here"
}

func grossRetention(c *compiler) string {
	return "SELECT customer_id, month, least(before, after) AS y, before AS x\nFROM " + c.recurring()
}

func netRetention(c *compiler) string {
	return "SELECT customer_id, month, after AS y, before AS x\nFROM " + c.recurring()
}

// bought is the condition that a row of purchases is one: a refund makes no day of purchase.
const bought = "ifNull(amount, 0) >= 0 AND customer_id != ''"

func repeatRate(c *compiler) string {
	return `SELECT customer_id, m.1 AS month,
arrayCount(d -> d >= m.3 - {repeat_ms:Int64} AND d < m.3, days) AS n,
toInt64(n > 1) AS y,
toInt64(1) AS x
FROM (
SELECT customer_id, groupUniqArray(` + dayOf(ms) + `) AS days
FROM ` + c.rows(features.Purchases, "amount") + `
WHERE ` + bought + ` AND at >= {from:DateTime64(3, 'UTC')} - toIntervalDay(365) AND at < {until:DateTime64(3, 'UTC')}
GROUP BY customer_id
)
` + eachMonth + `
WHERE n > 0`
}

func earlyChurnFirst(c *compiler) string { return c.earlyChurn("1") }

func earlyChurnSecond(c *compiler) string { return c.earlyChurn("2") }

// earlyChurn counts on the day on which the waiting for the purchase after the k-th ends. Who was a customer before purchases were on record
// is left out: what is seen first is not the first.
func (c *compiler) earlyChurn(k string) string {
	return `SELECT b.customer_id AS customer_id, ` + monthOfMs("b.waited_ms") + ` AS month,
toInt64(NOT b.again AND NOT arrayExists(p -> p.1 < b.waited_ms AND b.waited_ms <= p.2, s.paid)) AS y,
toInt64(1) AS x
FROM (
SELECT customer_id,
arraySort(groupUniqArray(` + dayOf(ms) + `)) AS days,
days[` + k + `] + {early_ms:Int64} AS waited_ms,
length(days) > ` + k + ` AND days[` + k + ` + 1] < waited_ms AS again
FROM ` + c.rows(features.Purchases, "amount") + `
WHERE ` + bought + `
GROUP BY customer_id
HAVING length(days) >= ` + k + ` AND ` + withinMs("waited_ms") + `
) AS b
LEFT JOIN (
SELECT customer_id, groupArray((started_ms, end_ms)) AS paid
FROM ` + c.periods() + `
GROUP BY customer_id
) AS s ON s.customer_id = b.customer_id
WHERE b.customer_id NOT IN (
SELECT customer_id
FROM ` + c.rows(features.Customers, "created_at") + `
WHERE ifNull(toUnixTimestamp64Milli(created_at) < {purchases_ms:Int64}, false)
)`
}
