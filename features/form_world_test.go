package features

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/shopspring/decimal"

	"retain/internal/warehouse/warehousetest"
)

var refStart = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// refDays is the length of random histories.
const refDays = 420

// randomHistory draws a history that likes the boundaries of the cutoffs' windows: rows at T, T-1 ms, T-w, T-w-1 ms, ingested at T,
// T-1 ms and late, corrected events, equal instants, missing values.
func randomHistory(rng *rand.Rand, cutoffs []int64) *refWorld {
	w := &refWorld{static: map[string][]string{Customers: {"attributescolour", "region"}}}
	instant := func() int64 {
		switch rng.IntN(6) {
		case 0:
			t := cutoffs[rng.IntN(len(cutoffs))]
			back := []int64{0, 7, 14, 21, 28, 56, 84, 90, 128, 168, 365}[rng.IntN(11)]
			return t - back*dayMS - int64(rng.IntN(2))
		case 1:
			return refStart + int64(rng.IntN(refDays))*dayMS
		}
		return refStart + rng.Int64N(refDays*dayMS)
	}
	var hash uint64
	add := func(r refRow) {
		r.ingested, r.imported = r.at, refStart+refDays*dayMS
		versions := 1
		if rng.IntN(8) == 0 {
			versions += 1 + rng.IntN(2)
		}
		for v := range versions {
			hash++
			r.hash = hash * 0x9E3779B97F4A7C15
			r.mapped = v > 0 || rng.IntN(3) == 0
			switch {
			case v > 0 && rng.IntN(3) == 0: // the same knowledge time, a later import
				r.imported++
			case r.mapped && rng.IntN(4) == 0:
				r.ingested = cutoffs[rng.IntN(len(cutoffs))] - int64(rng.IntN(2))
			case r.mapped:
				r.ingested = r.at + rng.Int64N(20*dayMS)
			}
			if v > 0 && rng.IntN(2) == 0 {
				r.at = instant()
			}
			if !r.mapped {
				r.ingested = r.at
			}
			w.rows = append(w.rows, w.fill(rng, r))
		}
	}
	for c := range 40 {
		id := fmt.Sprintf("c%02d", c)
		if rng.IntN(4) > 0 {
			r := refRow{source: Customers, customer: id, at: instant()}
			if rng.IntN(5) == 0 {
				r.at = -1
			}
			add(r)
		}
		for _, source := range eventSources() {
			n := rng.IntN(40)
			if source == Subscriptions {
				n = rng.IntN(6)
			}
			for event := range n {
				add(refRow{source: source, customer: id, event: event, at: instant()})
			}
		}
	}
	return w
}

// fill draws the columns of a version.
func (w *refWorld) fill(rng *rand.Rand, r refRow) refRow {
	r.text, r.num = map[string]string{}, map[string]float64{}
	words := func(column string, levels ...string) {
		if rng.IntN(5) > 0 {
			r.text[column] = levels[rng.IntN(len(levels))]
		}
	}
	later := func(column string, within int64) { // filled in afterwards, on the boundaries too
		if rng.IntN(4) == 0 {
			return
		}
		r.num[column] = float64(r.at + []int64{0, dayMS - 1, dayMS, dayMS + 1, rng.Int64N(within)}[rng.IntN(5)])
		if now := cutoffMS()[rng.IntN(3)]; r.at < now && rng.IntN(4) == 0 {
			r.num[column] = float64(now - rng.Int64N(2))
		}
	}
	number := func(column string, v float64) {
		if rng.IntN(5) > 0 {
			r.num[column] = v
		}
	}
	switch r.source {
	case Customers:
		words("region", "north", "south", "it's")
		words("segment", "small", "large")
		words("attributescolour", "red", "blue")
	case Usage:
		words("feature", "search", "export", "share", "Käse")
		words("user_id", "u1", "u2", "u3")
		words("channel", "web", "app")
		number("duration_s", float64(rng.IntN(100000))/1000)
		number("quantity", float64(rng.IntN(100000))/10000)
		number("errors", float64(rng.IntN(3)))
	case Purchases:
		words("order_id", "o1", "o2", "o3")
		words("product", "p1", "p2")
		words("category", "a", "b", "c")
		number("quantity", float64(1+rng.IntN(4)))
		number("amount", float64(rng.IntN(100000))/100)
		number("discount", float64(rng.IntN(3)))
		number("returned", float64(rng.IntN(2)))
	case Subscriptions:
		words("subscription_id", "s1", "s2")
		words("plan", "basic", "pro")
		number("mrr", float64(rng.IntN(10000))/100)
		number("list_mrr", 100)
		number("seats", float64(1+rng.IntN(5)))
		number("billing_days", []float64{0, 30, 365}[rng.IntN(3)])
		number("auto_renew", float64(rng.IntN(2)))
		number("ends_at", float64(r.at+int64(rng.IntN(12))*30*dayMS))
		if rng.IntN(3) == 0 {
			r.num["cancelled_at"] = float64(r.at + rng.Int64N(200*dayMS))
		}
		if rng.IntN(3) == 0 {
			r.num["ended_at"] = float64(r.at + rng.Int64N(300*dayMS))
		}
	case Surveys:
		words("kind", "nps", "nps", "csat", "ces")
		words("channel", "mail", "app")
		number("score", float64(rng.IntN(11)))
	case Tickets:
		words("channel", "E-Mail", "phone", "Social Media", "forum")
		words("reply_channel", "e mail", "phone", "e-mail")
		words("topic", "bug", "bill")
		later("first_reply_at", 9*dayMS)
		later("resolved_at", 40*dayMS)
		number("reopened", float64(rng.IntN(3)))
		number("escalated", float64(rng.IntN(2)))
		number("self_served", float64(rng.IntN(2)))
		number("satisfaction", float64(1+rng.IntN(5)))
	case Contacts:
		words("channel", "mail", "phone")
		words("class", "marketing", "service", "transactional")
		words("outcome", "Ignored", "ignored", "accepted", "shown")
		later("outcome_at", 20*dayMS)
	case Touchpoints:
		words("kind", "visit", "content", "cart", "checkout", "referral_sent", "chat")
		words("channel", "web", "app")
		number("value", float64(rng.IntN(1000))/10)
	}
	return r
}

// store loads the world: the first version of each event into the source, all versions of corrected ones into its fixes.
func (w *refWorld) store(t testing.TB) *Store {
	t.Helper()
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{}}
	for source, columns := range w.static {
		b := Binding{}
		for _, c := range columns {
			b.Static = append(b.Static, trimAttributes(c))
		}
		s.Sources[source] = b
	}
	type identity struct {
		source, customer string
		event            int
	}
	versions := map[identity]int{}
	for _, r := range w.rows {
		versions[identity{r.source, r.customer, r.event}]++
	}
	tables := map[string][]refRow{}
	seen := map[identity]bool{}
	for _, r := range w.rows {
		id := identity{r.source, r.customer, r.event}
		if r.source == Customers || !seen[id] {
			tables[r.source] = append(tables[r.source], r)
		}
		if r.source != Customers && versions[id] > 1 {
			tables[r.source+"_fixes"] = append(tables[r.source+"_fixes"], r)
		}
		seen[id] = true
	}
	for _, table := range sortedKeys(tables) {
		insertRef(t, s, table, tables[table])
	}
	return s
}

func trimAttributes(c string) string {
	if len(c) > len(attributesColumn) && c[:len(attributesColumn)] == attributesColumn {
		return c[len(attributesColumn):]
	}
	return c
}

// eventHash is the identity of an event, which covers its customer, as that of an import does.
func eventHash(customer string, event int) uint64 { return KeyedHash(uint64(event), "event", customer) }

func insertRef(t testing.TB, s *Store, table string, rows []refRow) {
	t.Helper()
	src, _ := sourceNamed(rows[0].source)
	columns := "customer_id, ingested_at, ingested_mapped, imported_at, event_hash, row_hash"
	for _, c := range src.Columns {
		if c.Name != "consent" {
			columns += ", " + c.Name
		}
	}
	batch, err := s.DB.Conn().PrepareBatch(t.Context(), "INSERT INTO "+table+" ("+columns+")")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		values := []any{r.customer, time.UnixMilli(r.ingested).UTC(), r.mapped, time.UnixMilli(r.imported).UTC(), eventHash(r.customer, r.event), r.hash}
		for _, c := range src.Columns {
			if c.Name != "consent" {
				values = append(values, refValue(src, c, r))
			}
		}
		if err := batch.Append(values...); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

func refValue(src source, c sourceColumn, r refRow) any {
	v, ok := r.num[c.Name]
	switch c.Type {
	case instant:
		if c.Name == src.Time {
			v, ok = float64(r.at), r.at >= 0
		}
		at := time.UnixMilli(int64(v)).UTC()
		switch {
		case c.Name == src.Time && src.Name != Customers:
			return at
		case !ok:
			return (*time.Time)(nil)
		}
		return &at
	case fixedPoint:
		if !ok {
			return (*decimal.Decimal)(nil)
		}
		d := decimal.NewFromFloat(v)
		return &d
	case whole:
		if c.SQL == "Nullable(UInt16)" {
			n := uint16(v)
			return map[bool]*uint16{true: &n}[ok]
		}
		n := uint32(v)
		return map[bool]*uint32{true: &n}[ok]
	case boolean:
		b := v == 1
		return map[bool]*bool{true: &b}[ok]
	case textMap:
		attributes := map[string]string{}
		if colour := r.text["attributescolour"]; colour != "" {
			attributes["colour"] = colour
		}
		return attributes
	}
	return r.text[c.Name]
}

// everyone makes the population of all customers who exist.
func everyone(t testing.TB, s *Store, cutoff time.Time, ids []string) *Population {
	t.Helper()
	table := fmt.Sprintf("scratch_everyone_%d", cutoff.UnixMilli())
	exec := func(query string) {
		if err := s.DB.Conn().Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE IF NOT EXISTS " + table + " (customer_id String) ENGINE = MergeTree ORDER BY customer_id")
	exec("TRUNCATE TABLE " + table)
	batch, err := s.DB.Conn().PrepareBatch(clickhouse.Context(t.Context()), "INSERT INTO "+table+" (customer_id)")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := batch.Append(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	return &Population{Cutoff: cutoff, Customer: slices.Clone(ids), Table: table, eligible: ids, store: s}
}
