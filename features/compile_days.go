package features

import "fmt"

// maskDays is the width of the one bit mask that counts the active days of all windows that fit into it.
const maskDays = 128

// maxWords bounds the words of 64 days in which the days of longer times are noted: 22 years, a kilobyte a customer.
const maxWords = 128

// activeDays counts the days with a row.
func (c *compiler) activeDays(m Measure) string {
	cond, span, columns := c.condition(m)
	switch {
	case m.Life > 0: // the beginning of life is known outside of the scan only: the words, not the days, are joined
		if words, ok := c.words(m); ok {
			return c.inLife(dayList(words), m.Life)
		}
		return c.inLife(c.aggregate(m.Source, span, c.days(m), columns...), m.Life)
	case m.Current || m.Window == 0 || m.Window+m.Offset > maskDays:
		if words, ok := c.words(m); ok {
			return float(c.aggregate(m.Source, span, "arraySum(w -> bitCount(w), "+local(words)+")", columns...))
		}
		return float(c.aggregate(m.Source, span, when("uniqExact", c.daysAgo(), cond), columns...))
	}
	// One mask serves every window: bit x is a row x days before the cutoff.
	all := m
	all.Window, all.Offset = maskDays, 0
	cond, _, _ = c.condition(all)
	mask := local(c.aggregate(m.Source, span, when("groupBitOr", "bitShiftLeft(toUInt128(1), toUInt8(least("+c.daysAgo()+", 127)))", cond), columns...))
	return float(c.aggregate(m.Source, span, fmt.Sprintf("bitCount(bitAnd(bitShiftRight(%s, %d), bitShiftLeft(toUInt128(1), %d) - 1))", mask, m.Offset, m.Window), columns...))
}

// words is the column of the distinct days before the cutoff with a row: bit b of word i (from 0) is day 64i+b. An or of bits costs a
// third of sorting the days of all rows. Not ok where there would be too many words.
func (c *compiler) words(m Measure) (column string, ok bool) {
	cond, span, columns := c.condition(m)
	last := (c.now - 1 - c.first[m.Source]) / dayMS
	if m.Window > 0 && !m.Current {
		last = min(last, int64(m.Window+m.Offset-1))
	}
	n := last/64 + 1
	if n > maxWords {
		return "", false
	}
	x := c.daysAgo()
	bits := fmt.Sprintf("bitShiftLeft(toUInt64(1), toUInt8(%s %% 64)), toUInt16(intDiv(%s, 64))", x, x)
	return c.aggregate(m.Source, span, resample("groupBitOr", n, bits, cond), columns...), true
}

// days is the array of the distinct days before the cutoff with a row, ascending, as aggregates of the same scan know it.
func (c *compiler) days(m Measure) string {
	cond, span, columns := c.condition(m)
	if words, ok := c.words(m); ok {
		return local(c.aggregate(m.Source, span, dayList(local(words)), columns...))
	}
	return local(c.aggregate(m.Source, span, "arrayCompact(arraySort("+when("groupArray", "toInt32("+c.daysAgo()+")", cond)+"))", columns...))
}

// dayList turns words into the days whose bits are set, ascending.
func dayList(words string) string {
	return fmt.Sprintf("arrayFlatten(arrayMap((w, i) -> arrayMap(b -> toInt32(64 * (toInt64(i) - 1) + b), bitPositionsToArray(w)), %[1]s, arrayEnumerate(%[1]s)))", words)
}

// inLife counts the days (before the cutoff) that lie in the first days of life.
func (c *compiler) inLife(days string, life int) string {
	return fmt.Sprintf("toFloat64(arrayCount(d -> d > intDiv(%d - %s, %d) - %d, %s))", c.now-1, born, dayMS, life, days)
}

func meanInterval(days string, atLeast int) string {
	return fmt.Sprintf("if(length(%[1]s) < %[2]d, NULL, (%[1]s[-1] - %[1]s[1]) / (toInt64(length(%[1]s)) - 1))", days, atLeast)
}

// sdInterval sums integers, and so does not depend on their order.
func sdInterval(days string) string {
	gaps := "arrayPopFront(arrayDifference(" + days + "))"
	n := "(toFloat64(length(" + days + ")) - 1)"
	span := "toFloat64(" + days + "[-1] - " + days + "[1])"
	squares := "toFloat64(arraySum(g -> toInt64(g) * toInt64(g), " + gaps + "))"
	return fmt.Sprintf("if(length(%s) < 3, NULL, sqrt(greatest(%s - %s * %s / %s, 0) / (%s - 1)))", days, squares, span, span, n, n)
}
