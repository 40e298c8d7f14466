package features

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// renewal compiles the forms that compare a period with the one before it of the same subscription. Both are looked for in all of
// history: a window is that of the later one's start.
func (c *compiler) renewal(m Measure) string {
	renewals, value, before := c.renewals(m.Column)
	reduce := func(expr string) string {
		return c.aggregate(m.Source, 0, expr, "subscription_id", "row_hash", m.Column)
	}
	newest := func() string { // without any, its values are NULL
		return local(reduce("arraySort(r -> r.2, " + renewals + ")[-1]"))
	}
	switch m.Form {
	case RenewalChange:
		r := newest()
		return reduce(relative(r+value, r+before))
	case RenewalDiff:
		r := newest()
		return reduce(r + value + " - " + r + before)
	case RenewalDecay:
		weight := fmt.Sprintf("exp((r.1 - %d) / %s)", c.now, strconv.FormatFloat(m.Tau*dayMS, 'f', -1, 64))
		return reduce(fmt.Sprintf("arraySum(r -> ifNull(%s, 0) * %s, %s)", relative("r"+value, "r"+before), weight, renewals))
	}
	beyond := ">"
	if m.Form == RenewalsDown {
		beyond = "<"
	}
	return float(reduce(fmt.Sprintf("arrayCount(r -> ifNull(r%s %s r%s, false)%s, %s)", value, beyond, before, c.inWindow(m, "r.1"), renewals)))
}

// renewals names the array of (start in ms, newestKey, and of each compared column the value and that in the period before) of the periods
// that follow one of the same subscription, and says where column stands in it. Periods without a subscription_id are taken for one
// subscription. The periods are sorted once for all columns.
func (c *compiler) renewals(column string) (array, value, before string) {
	reads := []string{"subscription_id", "row_hash"}
	var values, pairs []string
	for i, name := range c.periods {
		reads = append(reads, name)
		values = append(values, "toFloat64("+c.number(Subscriptions, name)+")")
		pairs = append(pairs, fmt.Sprintf("q.%[1]d, p.%[1]d", i+4))
	}
	periods := local(c.aggregate(Subscriptions, 0, fmt.Sprintf("arraySort(p -> (p.1, p.3), groupArray((subscription_id, toUnixTimestamp64Milli(at), %s, %s)))",
		newestKey, strings.Join(values, ", ")), reads...))
	all := local(c.aggregate(Subscriptions, 0, fmt.Sprintf("arrayMap((p, q) -> (q.2, q.3, %s, p.1 = q.1), arrayPopBack(%[2]s), arrayPopFront(%[2]s))",
		strings.Join(pairs, ", "), periods), reads...))
	at := 3 + 2*slices.Index(c.periods, column)
	return local(c.aggregate(Subscriptions, 0, fmt.Sprintf("arrayFilter(r -> r.%d, %s)", 3+2*len(c.periods), all), reads...)),
		"." + strconv.Itoa(at), "." + strconv.Itoa(at+1)
}

// returns counts the starts at which no earlier period runs: over all starts and ends in order, a start before an end of
// the same instant, those after the first that leave one period open.
func (c *compiler) returns(m Measure) string {
	const start = "toUnixTimestamp64Milli(at)"
	end := fmt.Sprintf("greatest(%s, ifNull(toUnixTimestamp64Milli(ifNull(ended_at, ends_at)), toInt64(%s)))", start, openMs)
	// Twice the instant, and one more for an end: integers sort four times as fast as tuples.
	events := local(c.aggregate(m.Source, 0, fmt.Sprintf("arraySort(arrayConcat(groupArray(2 * %s), groupArray(2 * %s + 1)))", start, end), "ended_at", "ends_at"))
	count := fmt.Sprintf("arrayCount((e, running) -> bitAnd(e, 1) = 0 AND running = 1%s, arrayPopFront(%[2]s), arrayPopFront(arrayCumSum(e -> if(bitAnd(e, 1) = 0, 1, -1), %[2]s)))",
		c.inWindow(m, "intDiv(e - bitAnd(e, 1), 2)"), events)
	return float(c.aggregate(m.Source, 0, count, "ended_at", "ends_at"))
}

// inWindow is the condition, beginning with " AND ", that an instant in ms lies in the measure's window; "" without one.
func (c *compiler) inWindow(m Measure, ms string) string {
	if m.Window == 0 {
		return ""
	}
	return fmt.Sprintf(" AND %[1]s >= %[2]d AND %[1]s < %[3]d", ms, c.start(m), c.now-int64(m.Offset)*dayMS)
}
