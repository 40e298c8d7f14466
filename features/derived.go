package features

import "slices"

// derivedColumn is a column that a source can be read by beside its own: an expression over a row and the cutoff.
type derivedColumn struct {
	Source, Name string
	Type         valueType
	SQL          string   // over the source's columns; {T} = the cutoff
	Reads        []string // the canonical columns in it
}

var derivedColumns = []derivedColumn{
	{Usage, "weekend", boolean, "toDayOfWeek(at) >= 6", []string{"at"}}, // Saturday and Sunday, UTC
	{Purchases, "weekend", boolean, "toDayOfWeek(at) >= 6", []string{"at"}},
	{Purchases, "discounted", boolean, "discount > 0", []string{"discount"}},
	{Subscriptions, "cancelled", boolean, "isNotNull(cancelled_at)", []string{"cancelled_at"}},
	// The share of the list price that is not paid; missing without a list price. The inner if keeps the division from zero in rows that the outer leaves out.
	{Subscriptions, "discount", fixedPoint, "if(ifNull(list_mrr, 0) > 0, " +
		"toDecimal128(1 - toFloat64(mrr) / toFloat64(if(ifNull(list_mrr, 0) > 0, assumeNotNull(list_mrr), 1)), 10), NULL)", []string{"mrr", "list_mrr"}},
	// Whole milliseconds: a Decimal, and so exact in sums.
	{Subscriptions, "ms_to_end", fixedPoint, "toDecimal64(dateDiff('millisecond', {T}, ends_at), 0)", []string{"ends_at"}},
}

func derivedNamed(source, name string) (derivedColumn, bool) {
	i := slices.IndexFunc(derivedColumns, func(d derivedColumn) bool { return d.Source == source && d.Name == name })
	if i < 0 {
		return derivedColumn{}, false
	}
	return derivedColumns[i], true
}

// columnKind is the type of a canonical or derived column.
func columnKind(source, name string) (valueType, bool) {
	if d, ok := derivedNamed(source, name); ok {
		return d.Type, true
	}
	if src, ok := sourceNamed(source); ok && name != "" {
		c, ok := src.column(name)
		return c.Type, ok
	}
	return instant, false
}

func readableColumns(source string) []string {
	src, _ := sourceNamed(source)
	names := src.columnNames()
	for _, d := range derivedColumns {
		if d.Source == source {
			names = append(names, d.Name)
		}
	}
	return names
}
