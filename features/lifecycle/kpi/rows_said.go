package kpi

import "retain/features"

func promoters(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month, toInt64(countIf(score >= 9)) AS y, toInt64(countIf(score < 7)) AS z, toInt64(count()) AS x
FROM ` + c.rows(features.Surveys, "kind", "score") + `
WHERE kind = 'nps' AND isNotNull(score) AND ` + inMonths + `
GROUP BY customer_id, month`
}

func responses(c *compiler) string {
	return `SELECT customer_id, ` + monthOf + ` AS month, toInt64(countIf(isNotNull(score))) AS y, toInt64(count()) AS x
FROM ` + c.rows(features.Surveys, "kind", "score") + `
WHERE kind = 'nps' AND ` + inMonths + `
GROUP BY customer_id, month`
}

// satisfaction takes the scale from all answers that are known, so that a quiet month does not change it.
func satisfaction(c *compiler) string {
	answers := "SELECT customer_id, at, score AS answer\nFROM " + c.rows(features.Surveys, "kind", "score") + "\nWHERE kind = 'csat' AND isNotNull(score)"
	if !c.has("surveys.csat") {
		answers = "SELECT customer_id, assumeNotNull(resolved_at) AS at, satisfaction AS answer\nFROM (\nSELECT customer_id, resolved_at, satisfaction\nFROM " +
			c.rows(features.Tickets, "resolved_at", "satisfaction") + "\nWHERE isNotNull(satisfaction) AND isNotNull(resolved_at)\n)"
	}
	return `SELECT customer_id, ` + monthOf + ` AS month, toInt64(countIf(answer * 5 >= 4 * scale)) AS y, toInt64(count()) AS x
FROM (
` + answers + `
) AS a
CROSS JOIN (
SELECT multiIf(most <= 5, 5, most <= 7, 7, most <= 10, 10, 100) AS scale
FROM (
SELECT ifNull(max(answer), 0) AS most
FROM (
` + answers + `
)
)
) AS s
WHERE ` + inMonths + `
GROUP BY customer_id, month`
}

func firstReply(c *compiler) string {
	return `SELECT customer_id, toYYYYMM(replied) AS month, dateDiff('millisecond', opened, replied) AS y
FROM (
SELECT customer_id, at AS opened, assumeNotNull(first_reply_at) AS replied
FROM ` + c.rows(features.Tickets, "first_reply_at") + `
WHERE isNotNull(first_reply_at)
)
WHERE replied >= opened AND replied >= {from:DateTime64(3, 'UTC')} AND replied < {until:DateTime64(3, 'UTC')}`
}

// lateAnswers has the same idea of late as the feature ticket_late_count.
func lateAnswers(c *compiler) string {
	return `SELECT customer_id, ` + monthOfMs("opened_ms + {late_ms:Int64}") + ` AS month, toInt64(countIf(answered_ms > opened_ms + {late_ms:Int64})) AS y, toInt64(count()) AS x
FROM (
SELECT customer_id, ` + ms + ` AS opened_ms,
coalesce(toUnixTimestamp64Milli(first_reply_at), toUnixTimestamp64Milli(resolved_at), toInt64(9000000000000000)) AS answered_ms
FROM ` + c.rows(features.Tickets, "first_reply_at", "resolved_at", "self_served") + `
WHERE NOT ifNull(self_served, false)
)
WHERE ` + withinMs("opened_ms + {late_ms:Int64}") + `
GROUP BY customer_id, month`
}

// plainWords is a text column in small letters with blanks and hyphens as underscores.
func plainWords(column string) string {
	return "replaceRegexpAll(lower(trimBoth(" + column + ")), '[ -]+', '_')"
}

func sameChannel(c *compiler) string {
	return `SELECT customer_id, toYYYYMM(resolved) AS month, toInt64(countIf(` + plainWords("channel") + ` = ` + plainWords("reply_channel") + `)) AS y, toInt64(count()) AS x
FROM (
SELECT customer_id, channel, reply_channel, assumeNotNull(resolved_at) AS resolved
FROM ` + c.rows(features.Tickets, "channel", "reply_channel", "resolved_at") + `
WHERE isNotNull(resolved_at) AND channel != '' AND reply_channel != ''
)
WHERE resolved >= {from:DateTime64(3, 'UTC')} AND resolved < {until:DateTime64(3, 'UTC')}
GROUP BY customer_id, month`
}

func referralRate(c *compiler) string {
	return `SELECT p.customer_id AS customer_id, p.month AS month, toInt64(t.sent) AS y, toInt64(1) AS x
FROM ` + c.present() + ` AS p
LEFT JOIN (
SELECT customer_id, ` + monthOf + ` AS month, 1 AS sent
FROM ` + c.rows(features.Touchpoints, "kind") + `
WHERE kind = 'referral_sent' AND ` + inMonths + `
GROUP BY customer_id, month
) AS t ON t.customer_id = p.customer_id AND t.month = p.month
WHERE p.here`
}
