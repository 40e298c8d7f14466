package features

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const dayMS = 86_400_000 // milliseconds in a day of 24 hours

// noValue is the SQL of a value that nobody has.
const noValue = "CAST(NULL, 'Nullable(Float64)')"

// compiler turns entries into one statement at one cutoff: the eligible customers LEFT JOIN one aggregated subquery per scan.
// Every value is a Nullable(Float64), NULL = missing, over the aliases of the subqueries.
type compiler struct {
	store   *Store
	cutoff  time.Time
	now     int64               // the cutoff in Unix milliseconds
	first   map[string]int64    // source → its first row before the cutoff, ms; a source without rows has no key
	span    map[string]int      // source → the farthest that a window reaches back, in days
	silent  map[string]bool     // derived columns, as source.column, for which nothing is recorded
	levels  map[string][]string // text columns, as source.column, of few values: these in order
	periods []string            // columns of subscriptions that are compared with the period before
	lives   bool                // the table of the eligible tells lifeColumns
	scans   []*scan
	located map[string]located // the sources of the scans
	own     *ownBound          // the own feature table; nil where no entry reads it, or it is not there
}

// scan is one pass over a source: one row per customer with the aggregates that some entries need.
type scan struct {
	source     string
	span       int // days before the cutoff; 0 = all of history
	aggregates []string
	columns    []string
}

func newCompiler(ctx context.Context, s *Store, cutoff time.Time, entries []Entry) (*compiler, error) {
	cutoff = cutoff.UTC()
	c := &compiler{store: s, cutoff: cutoff, now: milliseconds(cutoff), span: map[string]int{}, located: map[string]located{}}
	var err error
	if c.first, err = s.firstRows(ctx, cutoff); err != nil {
		return nil, err
	}
	if c.own, err = s.ownTable(ctx, entries); err != nil {
		return nil, err
	}
	if c.silent, err = s.silentColumns(ctx, cutoff, entries); err != nil {
		return nil, err
	}
	for _, e := range entries {
		c.widen(e.Measure)
	}
	for source, days := range c.span {
		if first, ok := c.first[source]; ok && c.now-first <= 2*int64(days)*dayMS {
			c.span[source] = 0 // the windows cover most of history: one pass serves both
		}
	}
	if c.levels, err = s.codedColumns(ctx, cutoff, entries); err != nil {
		return nil, err
	}
	return c, nil
}

// widen notes how far back the windows of a measure reach.
func (c *compiler) widen(m Measure) {
	if m.Window > 0 && !m.Current && m.Source != OwnFeatures {
		c.span[m.Source] = max(c.span[m.Source], m.Window+m.Offset)
	}
	if n := forms[m.Form]; n.periods && n.column != noColumn && !slices.Contains(c.periods, m.Column) {
		c.periods = append(c.periods, m.Column)
	}
	if m.Form == Change && m.Of != nil {
		before := *m.Of
		before.Offset += before.Window // as compiled by change
		c.widen(before)
	}
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil {
			c.widen(*part)
		}
	}
}

// aggregate adds an aggregate, or an expression over local ones, to the scan that serves it and names its column; columns are what it
// reads. What can be reduced to a number is reduced here: arrays are dear to join.
func (c *compiler) aggregate(source string, span int, expr string, columns ...string) string {
	i := slices.IndexFunc(c.scans, func(s *scan) bool { return s.source == source && s.span == span })
	if i < 0 {
		c.scans = append(c.scans, &scan{source: source, span: span})
		i = len(c.scans) - 1
	}
	s := c.scans[i]
	for _, name := range columns {
		if d, ok := derivedNamed(source, name); ok {
			for _, r := range d.Reads {
				s.read(r)
			}
			continue
		}
		s.read(name)
	}
	k := slices.Index(s.aggregates, expr)
	if k < 0 {
		s.aggregates = append(s.aggregates, expr)
		k = len(s.aggregates) - 1
	}
	return fmt.Sprintf("s%d.a%d", i, k)
}

// local names a column of a scan as other aggregates of the same scan know it.
func local(column string) string {
	_, name, _ := strings.Cut(column, ".")
	return name
}

func (s *scan) read(column string) {
	if !slices.Contains(s.columns, column) {
		s.columns = append(s.columns, column)
	}
}

// born is the alias of the beginning of a customer's life in ms; no entry can have that name.
const born = "_born"

// bornSQL is created_at, else the first row of any source, in ms.
func (c *compiler) bornSQL() string {
	if c.lives {
		return "p.born_ms"
	}
	const never = "toInt64(9223372036854775807)"
	firsts := []string{never}
	for _, src := range sources {
		if _, ok := c.first[src.Name]; ok && src.Name != Customers {
			firsts = append(firsts, "ifNull("+c.aggregate(src.Name, 0, "minOrNull(toUnixTimestamp64Milli(at))", "at")+", "+never+")")
		}
	}
	life := "nullIf(arrayMin([" + strings.Join(firsts, ", ") + "]), " + never + ")"
	if _, ok := c.first[Customers]; ok {
		life = "ifNull(" + c.aggregate(Customers, 0, "any(toUnixTimestamp64Milli(at))", "at") + ", " + life + ")"
	}
	return life
}

// column is the output expression of an entry, named after it.
func (c *compiler) column(e Entry) string {
	if e.Kind() == Categorical {
		return c.level(e.Measure) + " AS " + quoteName(e.Name)
	}
	return "toFloat32(ifNull(" + c.value(e.Measure) + ", nan)) AS " + quoteName(e.Name)
}

// statement is the whole SELECT for the eligible customers of a key range, in no certain order.
func (c *compiler) statement(ctx context.Context, entries []Entry, table string, keys keyRange) (string, error) {
	columns := make([]string, len(entries))
	for i, e := range entries {
		columns[i] = ",\n    " + c.column(e)
	}
	var b strings.Builder
	if list := strings.Join(columns, ""); strings.Contains(list, born) {
		b.WriteString("WITH " + c.bornSQL() + " AS " + born + "\n")
	}
	b.WriteString("SELECT\n    p.customer_id AS customer_id" + strings.Join(columns, "") + "\nFROM " + QuoteTable(table) + " AS p\n")
	for i, s := range c.scans {
		sub, err := c.scanSQL(ctx, s, keys)
		if err != nil {
			return "", err
		}
		alias := "s" + strconv.Itoa(i)
		fmt.Fprintf(&b, "LEFT ANY JOIN %s AS %s ON %s.customer_id = p.customer_id\n", sub, alias, alias)
	}
	b.WriteString("WHERE 1" + keys.where("p.customer_id") + "\nSETTINGS join_use_nulls = 0")
	return b.String(), nil
}

func (c *compiler) scanSQL(ctx context.Context, s *scan, keys keyRange) (string, error) {
	r := read{Source: s.source, Columns: append(slices.Clone(s.columns), "at"), Cutoff: c.cutoff, Keys: keys}
	if s.span > 0 {
		r.From = c.cutoff.AddDate(0, 0, -s.span)
	}
	if s.source == OwnFeatures {
		return s.groupSQL(c.own.newestSQL(s.columns, r)), nil
	}
	from, ok := c.located[s.source]
	if !ok { // once for all ranges
		var err error
		if from, err = c.store.locate(ctx, s.source); err != nil {
			return "", err
		}
		c.located[s.source] = from
	}
	rows, err := from.rowsSQL(r)
	if err != nil {
		return "", err
	}
	return s.groupSQL(rows), nil
}

// daysAgo is x: whole days from a row to the cutoff. x < w iff the row lies in [T-w, T).
func (c *compiler) daysAgo() string {
	return fmt.Sprintf("intDiv(%d - toUnixTimestamp64Milli(at), %d)", c.now-1, dayMS)
}
