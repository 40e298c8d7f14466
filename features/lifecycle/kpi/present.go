package kpi

import (
	"strings"

	"retain/features"
)

// present is the FROM-expression of (customer_id, month, m, here, gone, after) for those who are customers at the begin or the end of a month: here
// at its begin, after at its end, gone if they were here and left within. m is that of eachMonth.
func (c *compiler) present() string {
	var from string
	switch c.o.Churn.Setting {
	case features.Contractual:
		from = c.presentPaid()
	case features.EventSetting:
		from = c.presentByEvent()
	default:
		from = c.presentActive()
	}
	return c.piece("present", "customer_id, m, month, here, gone, after", from)
}

// presentPaid joins paid periods over gaps of at most the grace. Somebody is there at T who holds the last instant before it (start < T ≤ end), and has
// left in [S, E) whose joined time ends in it.
func (c *compiler) presentPaid() string {
	return `(
SELECT customer_id, m, m.1 AS month,
arrayFirst(p -> p.1 < m.2 AND m.2 <= p.2, paid) AS held,
toUInt8(held.2 > held.1) AS here,
toUInt8(here AND held.2 < m.3) AS gone,
toUInt8(arrayExists(p -> p.1 < m.3 AND m.3 <= p.2, paid)) AS after
FROM (
SELECT customer_id,
arrayFold((joined, p) -> if(length(joined) > 0 AND p.1 <= joined[-1].2 + {grace_ms:Int64},
arrayPushBack(arrayPopBack(joined), (joined[-1].1, greatest(joined[-1].2, p.2))), arrayPushBack(joined, p)),
arraySort(groupArray((started_ms, end_ms))), []::Array(Tuple(Int64, Int64))) AS paid
FROM ` + c.periods() + `
GROUP BY customer_id
)
` + eachMonth + `
WHERE here OR after
)`
}

// presentActive: somebody is there at T who was active in [T-A, T), and has left in [S, E) who was there at S and is not at E.
func (c *compiler) presentActive() string {
	var active []string
	for _, source := range c.o.Churn.LabelSources() {
		active = append(active, "SELECT customer_id, "+monthOf+" AS active_in, max("+ms+") AS last_ms\nFROM "+c.rows(source)+"\nGROUP BY customer_id, active_in")
	}
	return `(
SELECT customer_id, m, m.1 AS month,
toUInt8(arrayExists(a -> a.1 < m.1 AND a.2 >= m.2 - {active_ms:Int64}, active)) AS here,
toUInt8(arrayExists(a -> a.1 <= m.1 AND a.2 >= m.3 - {active_ms:Int64}, active)) AS after,
toUInt8(here AND NOT after) AS gone
FROM (
SELECT customer_id, groupArray((active_in, last_ms)) AS active
FROM (
` + strings.Join(active, "\nUNION ALL\n") + `
)
WHERE customer_id != ''
GROUP BY customer_id
)
` + eachMonth + `
WHERE here OR after
)`
}

// presentByEvent: somebody is there at T whose last joining is later than the last leaving, and has left in [S, E) who was there at S and left in it.
func (c *compiler) presentByEvent() string {
	e := c.o.Churn.Event
	union := []string{"SELECT customer_id, 2 * " + ms + " + 1 AS moment\nFROM " + c.rows(e.Source, keysOf(e.Match)...) + "\nWHERE " + c.matches("leave", e.Match)}
	if start := e.Start; start != nil {
		union = append(union, "SELECT customer_id, 2 * "+ms+" AS moment\nFROM "+c.rows(start.Source, keysOf(start.Match)...)+"\nWHERE "+c.matches("join", start.Match))
	} else { // who exists has joined
		for _, source := range eventSources {
			union = append(union, "SELECT customer_id, 2 * "+"toUnixTimestamp64Milli(min(at)) AS moment\nFROM "+c.rows(source)+"\nGROUP BY customer_id")
		}
	}
	// Twice the instant, and one more for leaving: of the same instant leaving comes last, and the last moment before T tells who is there. Without joinings
	// to ask for nobody comes back.
	last := "arrayLast(x -> x < 2 * %, moments)"
	there := func(at string) string {
		x := strings.ReplaceAll(last, "%", at)
		if e.Start != nil {
			return "bitAnd(" + x + ", 1) = 0 AND " + x + " != 0"
		}
		return "arrayExists(x -> x < 2 * " + at + ", moments) AND NOT arrayExists(x -> x < 2 * " + at + " AND bitAnd(x, 1) = 1, moments)"
	}
	return `(
SELECT customer_id, m, m.1 AS month,
toUInt8(` + there("m.2") + `) AS here,
toUInt8(` + there("m.3") + `) AS after,
toUInt8(here AND arrayExists(x -> bitAnd(x, 1) = 1 AND x >= 2 * m.2 AND x < 2 * m.3, moments)) AS gone
FROM (
SELECT customer_id, arraySort(groupArray(moment)) AS moments
FROM (
` + strings.Join(union, "\nUNION ALL\n") + `
)
WHERE customer_id != ''
GROUP BY customer_id
)
` + eachMonth + `
WHERE here OR after
)`
}
