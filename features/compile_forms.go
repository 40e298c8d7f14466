package features

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// value is the SQL of a measure, scaled, as Nullable(Float64).
func (c *compiler) value(m Measure) string {
	v := c.unscaled(m)
	if m.Scale != 0 && m.Scale != 1 {
		v = "(" + v + ") * " + strconv.FormatFloat(m.Scale, 'g', -1, 64)
	}
	return v
}

func (c *compiler) unscaled(m Measure) string {
	switch m.Form {
	case Change:
		return c.change(*m.Of)
	case Ratio:
		return "(" + c.value(*m.Of) + ") / nullIf(" + c.value(*m.Over) + ", 0)"
	case Difference:
		return "(" + c.value(*m.Of) + ") - (" + c.value(*m.Over) + ")"
	case Tenure:
		return c.tenure()
	}
	if m.Source == OwnFeatures {
		return c.ownColumn(m, noValue)
	}
	first, ok := c.first[m.Source]
	if !ok || slices.ContainsFunc(append(sortedKeys(m.Where), m.Column), func(name string) bool { return c.silent[m.Source+"."+name] }) {
		return noValue
	}
	v := c.overRows(m)
	if m.Life > 0 {
		// Not before the first days of life are over, nor for a life that began before the source did.
		return fmt.Sprintf("if(ifNull(%s > %d OR %s < %d, true), NULL, %s)", born, c.now-int64(m.Life)*dayMS, born, floorDay(first), v)
	}
	if start := c.start(m); start < c.now && first > start {
		return fmt.Sprintf("if(ifNull(%s <= %d, false), NULL, %s)", born, start, v)
	}
	return v
}

// start is the earliest instant, in ms, that a measure speaks of; the cutoff where it has no window.
func (c *compiler) start(m Measure) int64 {
	days := m.Offset
	if !m.Current { // whose window only says how far back a change looks
		days += m.Window
	}
	return c.now - int64(days)*dayMS
}

// floorDay is the midnight (UTC) at or before ms: sources that know only days begin there.
func floorDay(ms int64) int64 { return ms - ((ms%dayMS)+dayMS)%dayMS }

func (c *compiler) tenure() string {
	return fmt.Sprintf("(%d - %s) / %d", c.now, born, dayMS)
}

func (c *compiler) change(m Measure) string {
	before := m
	before.Offset += m.Window
	was := c.value(before)
	return fmt.Sprintf("if(ifNull(%s <= %d, false), %s, NULL)", born, c.start(before), relative(c.value(m), was))
}

// relative is the change from was to v as a share of was, in [-1, 10].
func relative(v, was string) string {
	was = "nullIf(" + was + ", 0)"
	// Not least and greatest: they pass over a missing value.
	return clipped(fmt.Sprintf("(%s - %s) / %s", v, was, was))
}

// condition is what a row must be to count for a measure, and the columns that takes; "" = every row of the scan.
func (c *compiler) condition(m Measure) (cond string, span int, columns []string) {
	var and []string
	end := c.now - int64(m.Offset)*dayMS
	switch {
	case m.Current:
		// In force at an instant t: started before it and paid beyond its last moment.
		t := quoteInstant(c.cutoff.AddDate(0, 0, -m.Offset))
		if m.Offset > 0 {
			and = append(and, "at < "+t)
		}
		and = append(and, "ifNull(ifNull(ended_at, ends_at) >= "+t+", true)")
		columns = append(columns, "ended_at", "ends_at")
	case m.Window > 0:
		span = c.span[m.Source]
		if m.Window+m.Offset != span {
			and = append(and, fmt.Sprintf("toUnixTimestamp64Milli(at) >= %d", end-int64(m.Window)*dayMS))
		}
		if m.Offset > 0 {
			and = append(and, fmt.Sprintf("toUnixTimestamp64Milli(at) < %d", end))
		}
	}
	for _, name := range sortedKeys(m.Where) {
		columns = append(columns, name)
		and = append(and, c.match(m.Source, name, m.Where[name]))
	}
	return strings.Join(and, " AND "), span, columns
}

// operand is a column as an expression.
func (c *compiler) operand(source, name string) string {
	if d, ok := derivedNamed(source, name); ok {
		return "(" + strings.ReplaceAll(d.SQL, "{T}", quoteInstant(c.cutoff)) + ")"
	}
	return quoteName(name)
}

func (c *compiler) match(source, name string, values []string) string {
	x := c.operand(source, name)
	if kind, _ := columnKind(source, name); kind == boolean {
		return "ifNull(" + x + ", " + strconv.FormatBool(values[0] == "false") + ") = " + values[0]
	}
	values = slices.Sorted(slices.Values(values))
	if len(values) == 1 {
		return x + " = " + QuoteText(values[0])
	}
	return x + " IN (" + quoteTexts(values) + ")"
}

// known is the condition that a column has a value.
func (c *compiler) known(source, name string) string {
	if kind, _ := columnKind(source, name); kind == text {
		return c.operand(source, name) + " != ''"
	}
	return "isNotNull(" + c.operand(source, name) + ")"
}

func and(conditions ...string) string {
	return strings.Join(slices.DeleteFunc(conditions, func(s string) bool { return s == "" }), " AND ")
}

// when writes an aggregate over the rows where cond holds.
func when(function, argument, cond string) string {
	if cond == "" {
		return function + "(" + argument + ")"
	}
	if argument != "" {
		argument += ", "
	}
	return function + "If(" + argument + cond + ")"
}

// overRows compiles the forms that read the rows of a source.
func (c *compiler) overRows(m Measure) string {
	cond, span, columns := c.condition(m)
	column := ""
	if m.Column != "" {
		column = c.operand(m.Source, m.Column)
		columns = append(columns, m.Column)
	}
	agg := func(expr string) string { return c.aggregate(m.Source, span, expr, columns...) }
	const ms = "toUnixTimestamp64Milli(at)"
	sinceDays := func(aggregate string) string { return fmt.Sprintf("(%d - %s) / %d", c.now, agg(aggregate), dayMS) }
	sinceLast := func() string {
		if c.lives && slices.Contains(lastSources, m.Source) && m.Window == 0 && len(m.Where) == 0 && !m.Current {
			return fmt.Sprintf("(%d - p.%s) / %d", c.now, lastColumn(m.Source), dayMS)
		}
		return sinceDays(when("maxOrNull", ms, cond))
	}
	switch m.Form {
	case Count:
		if column == "" {
			return float(c.rows(m))
		}
		return float(c.different(m) + " + " + agg(when("count", "", and(cond, column+" = ''"))))
	case Sum:
		return "ifNull(" + float(agg(when("sum", c.number(m.Source, m.Column), cond))) + ", 0)"
	case Mean:
		return "ifNull(" + float(agg(when("sum", c.number(m.Source, m.Column), cond))) + ", 0) / nullIf(" + float(agg(when("count", "", and(cond, c.known(m.Source, m.Column))))) + ", 0)"
	case Max, Min:
		return float(agg(when(string(m.Form)+"OrNull", "toFloat64("+column+")", cond)))
	case Distinct:
		return c.distinct(m)
	case ActiveDays:
		return c.activeDays(m)
	case DaysSinceLast:
		return sinceLast()
	case DaysSince1st:
		return sinceDays(when("minOrNull", ms, cond))
	case DaysSinceNew:
		first := local(c.firstDays(m))
		return agg(fmt.Sprintf("if(empty(%[1]s), NULL, %[2]s)", first, float("arrayMin("+first+")")))
	case NewValues:
		return float(c.aggregate(m.Source, 0, fmt.Sprintf("arrayCount(d -> d < %d, %s)", m.Window, local(c.firstDays(m))), m.Column))
	case LongestGap:
		gaps := fmt.Sprintf("arrayMax(arrayDifference(arraySort(arrayPushBack(%s, toInt64(%d)))))", when("groupArray", ms, cond), c.now-int64(m.Offset)*dayMS)
		return agg("if("+when("count", "", cond)+" = 0, NULL, "+gaps+")") + " / " + strconv.Itoa(dayMS)
	case IntervalMean:
		return agg(meanInterval(c.days(m), 2))
	case IntervalSD:
		return agg(sdInterval(c.days(m)))
	case Overdue:
		return "(" + sinceLast() + ") / " + agg(meanInterval(c.days(m), 3))
	case Last:
		columns = append(columns, "row_hash")
		return agg(when("argMaxOrNull", "assumeNotNull(toFloat64("+column+")), "+newestKey, and(cond, c.known(m.Source, m.Column))))
	case LastChange:
		columns = append(columns, "row_hash")
		values := when("groupArray", "("+newestKey+", assumeNotNull(toFloat64("+column+")))", and(cond, c.known(m.Source, m.Column)))
		return agg("arrayMap(v -> if(length(v) < 2, NULL, v[-1].2 - v[-2].2), [arraySort(" + values + ")])[1]")
	case Median:
		return agg("quantileExactInclusiveOrNullIf(0.5)(assumeNotNull(toFloat64(" + column + ")), " + and(cond, c.known(m.Source, m.Column)) + ")")
	case Entropy:
		return c.entropy(m)
	case Slope:
		return c.slope(m, column, cond, span, columns)
	case DecayedSum:
		weight := fmt.Sprintf("toInt64(exp((%s - %d) / %s) * 1073741824)", ms, c.now, strconv.FormatFloat(m.Tau*dayMS, 'f', -1, 64))
		return float(agg(when("sum", weight, cond))) + " / 1073741824"
	case ScaledRate:
		return fmt.Sprintf("%s * 28 / least(greatest(%s, 7), %d)", float(c.rows(m)), c.tenure(), m.Window)
	case Share:
		return c.share(m)
	case RenewalChange, RenewalDiff, RenewalDecay, RenewalsUp, RenewalsDown:
		return c.renewal(m)
	case Returns:
		return c.returns(m)
	case PaidFor:
		columns = append(columns, "ms_to_end")
		return float(agg(when("maxOrNull", c.operand(m.Source, "ms_to_end"), cond)) + " >= " + strconv.FormatInt(int64(m.Window)*dayMS, 10))
	case Attribute:
		return c.attribute(m)
	}
	panic("features: form " + string(m.Form) + " has no SQL") // forms are checked against the table when parsed
}

// newestKey orders rows by time, ties by content, in one integer: the milliseconds since 1900, where DateTime64 begins, in 44 bits (to its
// end in 2299) over 20 of the hash.
const newestKey = "toUInt64(toUnixTimestamp64Milli(at) + 2208988800000) * 1048576 + row_hash % 1048576"

// keyTime is the time in ms of a row from its newestKey.
func keyTime(key string) string { return "toInt64(intDiv(" + key + ", 1048576)) - 2208988800000" }

func float(expr string) string { return "toFloat64(" + expr + ")" }

// number makes a column summable without rounding: decimals and integers stay as they are, booleans become 0 and 1.
func (c *compiler) number(source, name string) string {
	if kind, _ := columnKind(source, name); kind == boolean {
		return "toUInt8(" + c.operand(source, name) + ")"
	}
	return c.operand(source, name)
}

func (c *compiler) share(m Measure) string {
	all := m
	all.Where = nil
	known := make([]string, 0, len(m.Where))
	for _, name := range sortedKeys(m.Where) {
		known = append(known, c.known(m.Source, name))
	}
	cond, span, columns := c.condition(m)
	total, _, _ := c.condition(all)
	total = and(append([]string{total}, known...)...)
	if m.Column == "" {
		return float(c.aggregate(m.Source, span, when("count", "", cond), columns...)) + " / nullIf(" +
			float(c.aggregate(m.Source, span, when("count", "", total), columns...)) + ", 0)"
	}
	columns = append(columns, m.Column)
	sum := func(cond string) string {
		return "ifNull(" + float(c.aggregate(m.Source, span, when("sum", c.number(m.Source, m.Column), cond), columns...)) + ", 0)"
	}
	return sum(cond) + " / nullIf(" + sum(total) + ", 0)"
}

// slope weighs part j = 0..k-1 (oldest first) by 2j-(k-1), an integer; Σ(j-mean)² = k(k²-1)/12.
func (c *compiler) slope(m Measure, column, cond string, span int, columns []string) string {
	k, length := m.Buckets, m.Window/m.Buckets
	x := c.daysAgo()
	if m.Offset > 0 {
		x += " - " + strconv.Itoa(m.Offset)
	}
	weight := fmt.Sprintf("toInt64(%d - 2 * intDiv(%s, %d))", k-1, x, length)
	value := weight
	if column != "" {
		value = c.number(m.Source, m.Column) + " * " + weight
	}
	return fmt.Sprintf("ifNull(%s, 0) / %d", float(c.aggregate(m.Source, span, when("sum", value, cond), columns...)), k*(k*k-1)/6)
}

// attribute is a number of customers.
func (c *compiler) attribute(m Measure) string {
	if m.Column == attributesColumn {
		return c.aggregate(Customers, 0, "any(toFloat64OrNull(attributes["+QuoteText(m.Key)+"]))", attributesColumn)
	}
	return float(c.aggregate(Customers, 0, "any("+quoteName(m.Column)+")", m.Column))
}

// level is the SQL of a categorical entry: a text, "" = missing.
func (c *compiler) level(m Measure) string {
	if m.Source == OwnFeatures {
		return c.ownColumn(m, "''")
	}
	if _, ok := c.first[m.Source]; !ok {
		return "''"
	}
	if m.Form == Attribute {
		if m.Column == attributesColumn {
			return c.aggregate(Customers, 0, "any(attributes["+QuoteText(m.Key)+"])", attributesColumn)
		}
		return c.aggregate(Customers, 0, "any(toString("+quoteName(m.Column)+"))", m.Column)
	}
	cond, span, columns := c.condition(m)
	column := c.operand(m.Source, m.Column)
	columns = append(columns, m.Column, "row_hash")
	v := c.aggregate(m.Source, span, when("argMax", "toString("+column+"), "+newestKey, and(cond, column+" != ''")), columns...)
	if start := c.start(m); start < c.now && c.first[m.Source] > start {
		return fmt.Sprintf("if(ifNull(%s <= %d, false), '', %s)", born, start, v)
	}
	return v
}
