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
	r := c.renewals(m.Column)
	reduce := func(expr string) string {
		return c.aggregate(m.Source, 0, expr, "subscription_id", "row_hash", m.Column)
	}
	// One array for all forms of a column: what changed at each renewal, NULL where the period before is of another subscription.
	each := func(expr string) string {
		return local(reduce(fmt.Sprintf("arrayMap((same, before, after) -> if(same, %s, NULL), %s, %s, %s)", expr, r.same, r.before, r.after)))
	}
	const relativeChange = "(after - nullIf(before, 0)) / nullIf(before, 0)"
	switch m.Form {
	case RenewalChange:
		return reduce(clipped(each(relativeChange) + "[" + r.newest + "]"))
	case RenewalDiff:
		return reduce(each("after - before") + "[" + r.newest + "]") // a position of 0 has no value
	case RenewalDecay:
		return reduce(fmt.Sprintf("arraySum((change, start) -> ifNull(%s, 0) * exp((%s - (%d)) / %s), %s, %s)",
			clippedChange, keyTime("start"), c.now, strconv.FormatFloat(m.Tau*dayMS, 'f', -1, 64), each(relativeChange), r.starts))
	}
	beyond := ">"
	if m.Form == RenewalsDown {
		beyond = "<"
	}
	return float(reduce(fmt.Sprintf("arrayCount((same, before, after, start) -> same AND ifNull(after %s before, false)%s, %s, %s, %s, %s)",
		beyond, c.inWindow(m, keyTime("start")), r.same, r.before, r.after, r.starts)))
}

// clippedChange is a relative change named change in [-1, 10].
const clippedChange = "if(change < -1, -1, if(change > 10, 10, change))"

// clipped is clippedChange of an expression, evaluated once.
func clipped(change string) string {
	return "arrayMap(change -> " + clippedChange + ", [" + change + "])[1]"
}

// renewals are the periods that follow another one, in the order of subscription and start, as expressions of one scan.
type renewals struct {
	starts        string // array of newestKey
	same          string // array: is the period before of the same subscription?
	before, after string // arrays of a column: in the period before, and in the period
	newest        string // position of the newest with a period before it, 0 without any
}

// renewals sorts the periods once for all columns. Periods without a subscription_id are taken for one subscription. Flat arrays of one
// column each: lambdas over arrays of tuples copied them whole, at twice the cost of the scan.
func (c *compiler) renewals(column string) renewals {
	reads := []string{"subscription_id", "row_hash"}
	var values []string
	for _, name := range c.periods {
		reads = append(reads, name)
		values = append(values, "toFloat64("+c.number(Subscriptions, name)+")")
	}
	add := func(expr string) string { return local(c.aggregate(Subscriptions, 0, expr, reads...)) }
	periods := add(fmt.Sprintf("arraySort(p -> (p.1, p.2), groupArray((%s, %s, %s)))", hashed("subscription_id"), newestKey, strings.Join(values, ", ")))
	r := renewals{
		starts: add("arrayPopFront(" + periods + ".2)"),
		same:   add(fmt.Sprintf("arrayMap((p, q) -> p = q, arrayPopBack(%[1]s.1), arrayPopFront(%[1]s.1))", periods)),
	}
	at := strconv.Itoa(3 + slices.Index(c.periods, column))
	r.before, r.after = "arrayPopBack("+periods+"."+at+")", "arrayPopFront("+periods+"."+at+")"
	r.newest = add(fmt.Sprintf("indexOf(%[1]s, arrayMax(arrayMap((k, same) -> if(same, k, 0), %[1]s, %[2]s)))", r.starts, r.same))
	return r
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
