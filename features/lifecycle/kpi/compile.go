package kpi

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/features"
	"retain/internal/warehouse"
)

// eventSources are all sources but customers.
var eventSources = []string{features.Usage, features.Purchases, features.Subscriptions, features.Surveys, features.Tickets, features.Contacts, features.Touchpoints}

// compiler writes the statements of figures over the sources as they are bound. Values stand in the statements as parameters.
type compiler struct {
	ctx    context.Context
	store  *features.Store
	o      Options
	months []Month
	held   map[string]span // records that some row tells
	levels []string        // of the breakdown, the rarer ones in Other
	params clickhouse.Parameters
	pieces pieces
	err    error // the first of the sources asked for
}

const day = 24 * time.Hour

func newCompiler(ctx context.Context, store *features.Store, o Options) *compiler {
	c := &compiler{ctx: ctx, store: store, o: o, held: map[string]span{}, params: clickhouse.Parameters{}, pieces: newPieces()}
	c.params["interest"] = warehouse.Texts(interest)
	t := o.Thresholds
	for name, days := range map[string]int{"neglect_ms": t.NeglectDays, "early_ms": t.EarlyDays, "onboarding_ms": onboardingDays, "repeat_ms": repeatDays, "active_ms": o.Churn.ActiveDays, "grace_ms": o.Churn.GraceDays} {
		c.params[name] = strconv.FormatInt(int64(days)*day.Milliseconds(), 10)
	}
	c.params["late_ms"] = strconv.Itoa(t.LateHours * 3_600_000)
	c.params["activation"] = strconv.Itoa(t.ActivationFeatures)
	return c
}

// tellMonths gives the statements the months asked for.
func (c *compiler) tellMonths(months []Month) {
	c.months = months
	var codes, starts, ends []int64
	for _, m := range months {
		codes, starts, ends = append(codes, int64(m.code())), append(starts, m.Start.UnixMilli()), append(ends, m.End.UnixMilli())
	}
	c.params["months"], c.params["starts"], c.params["ends"] = numbers(codes), numbers(starts), numbers(ends)
	c.params["from"], c.params["until"] = warehouse.Instant(months[0].Start), warehouse.Instant(months[len(months)-1].End)
}

// numbers is the value of a parameter {name:Array(Int64)}.
func numbers(values []int64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatInt(v, 10)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

var parameter = regexp.MustCompile(`\{([a-z_0-9]+):`)

// used are the parameters that a statement names.
func (c *compiler) used(query string) clickhouse.Parameters {
	params := clickhouse.Parameters{}
	for _, m := range parameter.FindAllStringSubmatch(query, -1) {
		if v, ok := c.params[m[1]]; ok {
			params[m[1]] = v
		}
	}
	return params
}

// rows is the FROM-expression of the rows of a source as known at the cutoff. The first error stays in c.err.
func (c *compiler) rows(source string, columns ...string) string {
	from, err := c.store.Versions(c.ctx, source, append([]string{"at"}, columns...), c.o.Cutoff)
	c.keep(err)
	return from
}

// periods is the FROM-expression of paid periods: customer_id, subscription_id, mrr, started_ms, end_ms.
func (c *compiler) periods() string {
	from, err := c.store.PaidPeriods(c.ctx, c.o.Cutoff)
	c.keep(err)
	return "(\nSELECT *\nFROM " + from + "\nWHERE end_ms > started_ms AND customer_id != ''\n)"
}

func (c *compiler) keep(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Pieces of statements.
const (
	monthOf  = "toYYYYMM(at)"
	ms       = "toUnixTimestamp64Milli(at)"
	inMonths = "at >= {from:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}"
	// eachMonth multiplies rows by the months asked for: m.1 is the month, [m.2, m.3) its instants.
	eachMonth = "ARRAY JOIN arrayZip({months:Array(UInt32)}, {starts:Array(Int64)}, {ends:Array(Int64)}) AS m"
)

// monthOfMs is the month of an instant in ms.
func monthOfMs(ms string) string { return "toYYYYMM(fromUnixTimestamp64Milli(" + ms + ", 'UTC'))" }

// dayOf is the midnight, in ms, that begins the day of an instant in ms.
func dayOf(ms string) string { return "(" + ms + " - positiveModulo(" + ms + ", 86400000))" }

// withinMs is the condition that an instant in ms lies in the months asked for.
func withinMs(ms string) string {
	return ms + " >= {starts:Array(Int64)}[1] AND " + ms + " < {ends:Array(Int64)}[-1]"
}

// spill bounds what a statement holds in memory.
const spill = "max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000"

// statement is the whole of a figure. A row is a month, and a slice of it where figures are broken down: total tells the months' own rows.
func (c *compiler) statement(f *figure) (string, error) {
	inner := c.rowsOf(f)
	var sums string
	switch f.kind {
	case median:
		sums = "count() AS n,\ntoInt64(count()) AS x,\nquantileExactInclusive(0.5)(f.y) AS middle"
	case ratio, part, mean:
		sums = "count() AS n,\nsum(f.y) AS y,\nsum(f.x) AS x,\ntoFloat64(sum(toInt256(f.y) * f.y)) AS yy,\ntoFloat64(sum(toInt256(f.x) * f.y)) AS xy,\ntoFloat64(sum(toInt256(f.x) * f.x)) AS xx"
	case points:
		sums = "count() AS n,\nsum(f.y) AS y,\nsum(f.z) AS z,\nsum(f.x) AS x"
	default:
		sums = "count() AS n,\nsum(f.y) AS y,\nsum(f.x) AS x"
	}
	query := "SELECT\ntoUInt32(f.month) AS month,\n'' AS slice,\ntoUInt8(1) AS total,\n" + sums + "\nFROM (\n" + inner + "\n) AS f\nGROUP BY month\nORDER BY month"
	if c.o.By != Everyone {
		on := "d.customer_id = f.customer_id"
		if c.o.By == ByStage {
			on += " AND d.month = f.month"
		}
		query = "SELECT\nf.month AS month,\nf.slice AS slice,\ntoUInt8(grouping(slice)) AS total,\n" + sums +
			"\nFROM (\nSELECT f.*, if(d.slice = '' OR has({levels:Array(String)}, d.slice), d.slice, {other:String}) AS slice\nFROM (\n" + inner + "\n) AS f\nLEFT JOIN " + c.slices() + " AS d ON " + on +
			"\n) AS f\nGROUP BY GROUPING SETS ((month), (month, slice))\nORDER BY month, total DESC, slice"
	}
	return query + "\nSETTINGS join_use_nulls = 0, " + spill, c.err
}

// slices is the FROM-expression of (customer_id, slice), by stage (customer_id, month, slice). Who is not in it has the slice "".
func (c *compiler) slices() string {
	switch c.o.By {
	case ByStage:
		return `(
SELECT customer_id, toYYYYMM(cutoff) AS month, toString(stage) AS slice
FROM lifecycle_stages
WHERE cutoff >= {from:DateTime64(3, 'UTC')} AND cutoff < {until:DateTime64(3, 'UTC')} AND run_id IN {sets:Array(String)}
)`
	case BySegment:
		return "(\nSELECT customer_id, toString(segment) AS slice\nFROM " + c.rows(features.Customers, "segment") + "\n)"
	}
	return `(
SELECT customer_id, argMin(source, instant_ms) AS slice
FROM (
SELECT customer_id, toString(lead_source) AS source, toInt64(-1) AS instant_ms
FROM ` + c.rows(features.Customers, "lead_source") + `
WHERE lead_source != ''
UNION ALL
SELECT customer_id, argMin(toString(lead_source), at) AS source, ` + "toUnixTimestamp64Milli(min(at))" + ` AS instant_ms
FROM ` + c.rows(features.Touchpoints, "lead_source") + `
WHERE lead_source != ''
GROUP BY customer_id
)
GROUP BY customer_id
)`
}

// readLevels finds the most frequent slices.
func (c *compiler) readLevels() error {
	c.params["other"], c.levels = warehouse.Text(Other), nil
	if c.o.By == Everyone {
		return nil
	}
	if c.o.By == ByStage {
		var sets []string
		for _, s := range c.o.Sets {
			sets = append(sets, s.RunID)
		}
		c.params["sets"] = warehouse.Texts(sets)
	}
	query := "SELECT slice, count() AS n\nFROM " + c.slices() + fmt.Sprintf("\nWHERE slice != ''\nGROUP BY slice\nORDER BY n DESC, slice\nLIMIT %d", maxSlices)
	if c.err != nil {
		return c.err
	}
	for b, err := range c.store.DB.Blocks(c.ctx, query, c.used(query)) {
		if err != nil {
			return fmt.Errorf("find what %s there is: %w", c.o.By, err)
		}
		c.levels = append(c.levels, b.Strings("slice")...)
	}
	c.params["levels"] = warehouse.Texts(c.levels)
	return nil
}
