package features

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// quoteName writes an identifier for ClickHouse.
func quoteName(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}

// QuoteTable writes "table" or "database.table" as an identifier of ClickHouse.
func QuoteTable(name string) string {
	if database, table, ok := strings.Cut(name, "."); ok {
		return quoteName(database) + "." + quoteName(table)
	}
	return quoteName(name)
}

// QuoteText writes any text as a literal of ClickHouse.
func QuoteText(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'", "\x00", "\\0").Replace(s) + "'"
}

func quoteTexts(values []string) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = QuoteText(v)
	}
	return strings.Join(out, ", ")
}

// milliseconds is t on the warehouse's grid, rounded up, so that "at < t" means the same in SQL as in Go.
func milliseconds(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) {
		ms++
	}
	return ms
}

// quoteInstant writes an instant as a literal, which prunes partitions where an expression would not.
func quoteInstant(t time.Time) string {
	t = time.UnixMilli(milliseconds(t)).UTC()
	return fmt.Sprintf("toDateTime64('%s', 3, 'UTC')", t.Format("2006-01-02 15:04:05.000"))
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
