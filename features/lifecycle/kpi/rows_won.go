package kpi

import "retain/features"

func leadVolume(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month, toInt64(1) AS y, toInt64(1) AS x
FROM (
SELECT customer_id, min(l.at) AS at
FROM ` + c.leads() + ` AS l
GROUP BY customer_id
)
WHERE ` + inMonths
}

func inquiryRate(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month, toInt64(max(kind = 'inquiry')) AS y, toInt64(1) AS x
FROM ` + c.leads() + `
WHERE ` + inMonths + `
GROUP BY customer_id, month`
}

// visitToBuy: the first purchase lies after the visit by what a lead is.
func visitToBuy(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month,
toInt64(max(paid AND ` + monthOfMs("paid_ms") + ` = ` + monthOf + `)) AS y,
toInt64(1) AS x
FROM ` + c.leads() + `
WHERE kind = 'visit' AND ` + inMonths + `
GROUP BY customer_id, month`
}

// stageConversion: stages that are not among those in order, such as churned, are no later ones, and nobody is counted who begins in one, or in
// the last, after which nothing comes.
func stageConversion(*compiler) string {
	return `SELECT customer_id, m.1 AS month,
toInt64(indexOf({stages:Array(String)}, arrayFirst(s -> s.1 = m.3, seen).2) > indexOf({stages:Array(String)}, arrayFirst(s -> s.1 = m.2, seen).2)) AS y,
toInt64(1) AS x
FROM (
SELECT customer_id, groupArray((toUnixTimestamp64Milli(cutoff), toString(stage))) AS seen
FROM lifecycle_stages
WHERE cutoff >= {from:DateTime64(3, 'UTC')} AND cutoff <= {until:DateTime64(3, 'UTC')} AND run_id IN {sets:Array(String)}
GROUP BY customer_id
)
` + eachMonth + `
WHERE has({staged:Array(Int64)}, m.2) AND has({staged:Array(Int64)}, m.3) AND indexOf({stages:Array(String)}, arrayFirst(s -> s.1 = m.2, seen).2) BETWEEN 1 AND length({stages:Array(String)}) - 1`
}

// onboarding is a row (customer_id, month, depth) for everyone whose first 30 days ended in the months asked for. Who began before the records of
// usage did is left out.
func (c *compiler) onboarding() string {
	// Usage streams past those who began: the other way round all of it would be held.
	return c.piece("onboarding", "customer_id, month, depth", `(
SELECT b.customer_id AS customer_id, `+monthOfMs("b.born_ms + {onboarding_ms:Int64}")+` AS month, toInt64(uniqExactIf(u.feature, u.feature != '' AND u.ms >= b.born_ms AND u.ms < b.born_ms + {onboarding_ms:Int64})) AS depth
FROM (
SELECT customer_id, toString(feature) AS feature, `+ms+` AS ms
FROM `+c.rows(features.Usage, "feature")+`
WHERE at >= {from:DateTime64(3, 'UTC')} - toIntervalDay(31) AND at < {until:DateTime64(3, 'UTC')}
) AS u
RIGHT JOIN (
SELECT customer_id, if(max(created_ms) > 0, max(created_ms), min(first_ms)) AS born_ms
FROM (
SELECT customer_id, ifNull(toUnixTimestamp64Milli(created_at), toInt64(0)) AS created_ms, if(created_ms > 0, created_ms, toInt64(9000000000000000)) AS first_ms
FROM `+c.rows(features.Customers, "created_at")+`
UNION ALL
SELECT customer_id, toInt64(0) AS created_ms, toUnixTimestamp64Milli(min(at)) AS first_ms
FROM `+c.rows(features.Usage)+`
GROUP BY customer_id
UNION ALL
SELECT customer_id, toInt64(0) AS created_ms, paid_ms AS first_ms
FROM `+c.firstPaid()+`
)
WHERE customer_id != ''
GROUP BY customer_id
HAVING `+withinMs("born_ms + {onboarding_ms:Int64}")+` AND born_ms >= {usage_ms:Int64}
) AS b ON u.customer_id = b.customer_id
GROUP BY b.customer_id, b.born_ms
)`)
}

func activation(c *compiler) string {
	return "SELECT customer_id, month, toInt64(depth >= {activation:Int64}) AS y, toInt64(1) AS x\nFROM " + c.onboarding()
}

func onboardingDepth(c *compiler) string {
	return "SELECT customer_id, month, depth AS y, toInt64(1) AS x\nFROM " + c.onboarding()
}
