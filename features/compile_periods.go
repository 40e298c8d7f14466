package features

import (
	"fmt"
	"strconv"
)

// renewal compiles the forms that compare a period with the one before it of the same subscription. Both are looked for in all of
// history: a window is that of the later one's start.
func (c *compiler) renewal(m Measure) string {
	renewals := c.renewals(m)
	newest := "arraySort(r -> r.2, " + renewals + ")[-1]" // without any, its values are NULL
	switch m.Form {
	case RenewalChange:
		return relative(newest+".3", newest+".4")
	case RenewalDiff:
		return newest + ".3 - " + newest + ".4"
	case RenewalDecay:
		weight := fmt.Sprintf("exp((r.1 - %d) / %s)", c.now, strconv.FormatFloat(m.Tau*dayMS, 'f', -1, 64))
		return fmt.Sprintf("arraySum(r -> ifNull(%s, 0) * %s, %s)", relative("r.3", "r.4"), weight, renewals)
	}
	beyond := ">"
	if m.Form == RenewalsDown {
		beyond = "<"
	}
	return float(fmt.Sprintf("arrayCount(r -> ifNull(r.3 %s r.4, false)%s, %s)", beyond, c.inWindow(m, "r.1"), renewals))
}

// renewals is the array of (start in ms, newestKey, value of the column, value in the period before) of the periods that follow
// one of the same subscription. Periods without a subscription_id are taken for one subscription.
func (c *compiler) renewals(m Measure) string {
	periods := fmt.Sprintf("arraySort(p -> (p.1, p.3), groupArray((subscription_id, toUnixTimestamp64Milli(at), %s, toFloat64(%s))))",
		newestKey, c.number(m.Source, m.Column))
	pairs := fmt.Sprintf("arrayMap((p, q) -> (q.2, q.3, q.4, p.4, p.1 = q.1), arrayPopBack(%[1]s), arrayPopFront(%[1]s))", periods)
	return c.aggregate(m.Source, 0, "arrayFilter(r -> r.5, "+pairs+")", "subscription_id", "row_hash", m.Column)
}

// returns counts the starts at which no earlier period runs: over all starts (-1) and ends (+1) in order, a start before an end of
// the same instant, those after the first that leave one period open.
func (c *compiler) returns(m Measure) string {
	const start = "toUnixTimestamp64Milli(at)"
	end := fmt.Sprintf("greatest(%s, ifNull(toUnixTimestamp64Milli(ifNull(ended_at, ends_at)), toInt64(%s)))", start, openMs)
	events := fmt.Sprintf("arraySort(arrayConcat(groupArray((%s, toInt8(-1))), groupArray((%s, toInt8(1)))))", start, end)
	count := fmt.Sprintf("arrayCount((e, running) -> e.2 = -1 AND running = 1%s, arrayPopFront(%[2]s), arrayPopFront(arrayCumSum(e -> -e.2, %[2]s)))",
		c.inWindow(m, "e.1"), events)
	return float(c.aggregate(m.Source, 0, count, "ended_at", "ends_at"))
}

// inWindow is the condition, beginning with " AND ", that an instant in ms lies in the measure's window; "" without one.
func (c *compiler) inWindow(m Measure, ms string) string {
	if m.Window == 0 {
		return ""
	}
	return fmt.Sprintf(" AND %[1]s >= %[2]d AND %[1]s < %[3]d", ms, c.start(m), c.now-int64(m.Offset)*dayMS)
}
