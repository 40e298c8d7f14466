package features

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxCodes is how many values a text column may have to be read by number: they are the bits of one word.
const maxCodes = 64

// minMembers is from how many members on a family is counted in one array, rather than each by itself.
const minMembers = 4

// codedColumns finds the text columns, as source.column, that entries count values of and that hold at most maxCodes of them: these, in
// order. Which values there are is asked of all rows, whenever known: the numbers stay within a statement and change no value of a feature.
func (s *Store) codedColumns(ctx context.Context, cutoff time.Time, entries []Entry) (map[string][]string, error) {
	columns, members := map[string]bool{}, map[string]int{}
	for _, e := range entries {
		e.Measure.counted(columns, members)
	}
	for name, n := range members {
		if n >= minMembers {
			columns[name] = true
		}
	}
	levels := map[string][]string{}
	for _, name := range sortedKeys(columns) {
		source, column, _ := strings.Cut(name, ".")
		memory := s.memory
		if s.Sources[source].Table != "" {
			memory = nil // of an own table only the rows before the cutoff are asked
		}
		found, err := recall(memory, func(m *remembered) map[string][]string { return m.levels }, name, func() ([]string, error) {
			return s.fewValues(ctx, source, column, cutoff)
		})
		if err != nil {
			return nil, fmt.Errorf("values of %s: %w", name, err)
		}
		if len(found) > 0 {
			levels[name] = found
		}
	}
	return levels, nil
}

// fewValues are the values of a text column in order; none where they are more than maxCodes.
func (s *Store) fewValues(ctx context.Context, source, column string, cutoff time.Time) ([]string, error) {
	rows, err := s.everyVersion(ctx, source, column, cutoff)
	if err != nil {
		return nil, err
	}
	var found []string
	// Written out once they are few: a LowCardinality column tells its values from its dictionary.
	query := fmt.Sprintf("SELECT toString(level) AS level FROM (SELECT DISTINCT %[1]s AS level FROM %[2]s WHERE %[1]s != '' LIMIT %[3]d)", quoteName(column), rows, maxCodes+1)
	for block, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		found = append(found, block.Strings("level")...)
	}
	if len(found) > maxCodes {
		return nil, nil
	}
	slices.Sort(found)
	return found, nil
}

// everyVersion is the FROM-expression of a column in all rows that might be known: of the canonical tables whatever they hold.
func (s *Store) everyVersion(ctx context.Context, source, column string, cutoff time.Time) (string, error) {
	if s.Sources[source].Table != "" {
		return s.Versions(ctx, source, []string{column}, cutoff)
	}
	c := quoteName(column)
	return "(SELECT " + c + " FROM " + quoteName(source) + " UNION ALL SELECT " + c + " FROM " + quoteName(source+"_fixes") + ")", nil
}

// counted collects the text columns whose values the measure counts, and how many measures count one value of a column.
func (m *Measure) counted(columns map[string]bool, members map[string]int) {
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil {
			part.counted(columns, members)
		}
	}
	switch m.Form {
	case Distinct, NewValues, DaysSinceNew, Entropy:
		if _, ok := derivedNamed(m.Source, m.Column); !ok {
			columns[m.Source+"."+m.Column] = true
		}
	case Count, ScaledRate:
		if column, _, ok := m.member(); ok {
			members[m.Source+"."+column]++
		}
	}
}

// member is the one value of a canonical text column that a row must have to be counted, as in families.
func (m *Measure) member() (column, level string, ok bool) {
	if m.Column != "" || m.Current || len(m.Where) != 1 {
		return "", "", false
	}
	column = sortedKeys(m.Where)[0]
	kind, _ := columnKind(m.Source, column)
	_, derived := derivedNamed(m.Source, column)
	return column, m.Where[column][0], kind == text && !derived && len(m.Where[column]) == 1
}

// code is a text column as a number from 0 to n-1, maxCodes where it has no value; n is 0 for columns that are not coded.
func (c *compiler) code(source, column string) (expr string, n int64) {
	levels := c.levels[source+"."+column]
	numbers := make([]string, len(levels))
	for i := range levels {
		numbers[i] = strconv.Itoa(i)
	}
	return fmt.Sprintf("transform(%s, [%s], [%s]::Array(UInt8), toUInt8(%d))", quoteName(column), quoteTexts(levels), strings.Join(numbers, ", "), maxCodes), int64(len(levels))
}

// counts is the column of the rows of each code: all members of a family in one pass.
func (c *compiler) counts(m Measure, column string) (array string, ok bool) {
	code, n := c.code(m.Source, column)
	if n == 0 {
		return "", false
	}
	m.Where = nil
	cond, span, columns := c.condition(m)
	return c.aggregate(m.Source, span, resample("count", n, code, cond), append(columns, column)...), true
}

// resample writes an aggregate for each of the n values of its last argument, as an array.
func resample(function string, n int64, arguments, cond string) string {
	function += "Resample"
	if cond != "" {
		function, arguments = function+"If", arguments+", "+cond
	}
	return fmt.Sprintf("%s(0, %d, 1)(%s)", function, n, arguments)
}

// rows is the number of rows of a measure.
func (c *compiler) rows(m Measure) string {
	if column, level, ok := m.member(); ok {
		if i, found := slices.BinarySearch(c.levels[m.Source+"."+column], level); found {
			counts, _ := c.counts(m, column)
			return counts + "[" + strconv.Itoa(i+1) + "]"
		}
	}
	cond, span, columns := c.condition(m)
	return c.aggregate(m.Source, span, when("count", "", cond), columns...)
}

// distinct counts the values of a text column.
func (c *compiler) distinct(m Measure) string {
	if m.Life > 0 {
		return c.inLife(c.firstDays(m), m.Life)
	}
	cond, span, columns := c.condition(m)
	columns = append(columns, m.Column)
	if code, n := c.code(m.Source, m.Column); n > 0 {
		return float(c.aggregate(m.Source, span, "bitCount("+when("groupBitOr", "bitShiftLeft(toUInt64(1), "+code+")", cond)+")", columns...))
	}
	if m.Window == 0 && len(m.Where) == 0 && !m.Current {
		return float(c.aggregate(m.Source, 0, "length("+local(c.firstDays(m))+")", columns...))
	}
	return float(c.different(m))
}

// different counts the different texts of a measure, of which there may be many: a fifth cheaper than uniqExact, which keeps a set while it
// reads. Windows up to the cutoff share one array.
func (c *compiler) different(m Measure) string {
	column := c.operand(m.Source, m.Column)
	if m.Window == 0 || m.Offset > 0 || len(m.Where) > 0 || m.Current {
		cond, span, columns := c.condition(m)
		return c.aggregate(m.Source, span, "arrayUniq("+when("groupArray", hashed(column), and(cond, column+" != ''"))+")", append(columns, m.Column)...)
	}
	span := c.span[m.Source]
	newest := local(c.aggregate(m.Source, span, "arrayMap(v -> v % 65536, arrayCompact(v -> bitShiftRight(v, 16), arraySort("+
		when("groupArray", c.packedDays(column), column+" != ''")+")))", m.Column))
	return c.aggregate(m.Source, span, fmt.Sprintf("arrayCount(d -> d < %d, %s)", m.Window, newest), m.Column)
}

// packedDays is 47 bits of the hash of a text over 16 of the days before the cutoff: sorted, the days of each text stand together in order.
func (c *compiler) packedDays(column string) string {
	return fmt.Sprintf("bitOr(bitShiftLeft(%s %% 140737488355328, 16), toUInt64(least(%s, 65534)))", hashed(column), c.daysAgo())
}

// hashed stands for a text where only sameness counts: 64 bits are enough for the texts of one customer, and cost half as much.
func hashed(column string) string { return "cityHash64(" + column + ")" }

// firstDays is the column of the array of the first day, before the cutoff, of each value of a text column over all of history. Where the
// values have no codes, rows are packed with their day: a third of the cost of grouping by customer and value.
func (c *compiler) firstDays(m Measure) string {
	x := fmt.Sprintf("least(%s, 65534)", c.daysAgo())
	if code, n := c.code(m.Source, m.Column); n > 0 {
		return c.aggregate(m.Source, 0, "arrayMap(d -> toInt32(d) - 1, arrayFilter(d -> d > 0, "+resample("max", n, "toUInt16("+x+" + 1), "+code, "")+"))", m.Column)
	}
	column := c.operand(m.Source, m.Column)
	return c.aggregate(m.Source, 0, "arrayMap(v -> toInt32(v % 65536), arrayCompact(v -> bitShiftRight(v, 16), arrayReverseSort("+
		when("groupArray", c.packedDays(column), column+" != ''")+")))", m.Column)
}

// entropy is log n - Σ k·log k / n over the counts k of the values; sorted, so that its rounding depends neither on threads nor on codes.
func (c *compiler) entropy(m Measure) string {
	cond, span, columns := c.condition(m)
	columns = append(columns, m.Column)
	column := c.operand(m.Source, m.Column)
	// By running counts, whose increments add up to k·log k.
	n := when("count", "", and(cond, column+" != ''"))
	sum := "arraySum(k -> k * log(k) - if(k > 1, (k - 1) * log(k - 1), 0), arraySort(arrayEnumerateUniq(" +
		when("groupArray", hashed(column), and(cond, column+" != ''")) + ")))"
	if len(m.Where) == 0 {
		if counts, ok := c.counts(m, m.Column); ok {
			n = "arraySum(" + local(counts) + ")"
			sum = "arraySum(k -> if(k > 1, k * log(k), 0), arraySort(" + local(counts) + "))"
		}
	}
	return c.aggregate(m.Source, span, fmt.Sprintf("if(%[1]s = 0, NULL, greatest(log(%[1]s) - %[2]s / %[1]s, 0))", n, sum), columns...)
}
