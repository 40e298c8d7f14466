package features

import (
	"fmt"
	"slices"
	"strings"
)

// Binding says where a source lives when it is not the canonical table, and what may be believed of it (contract.md §1, §4).
type Binding struct {
	Table   string            `json:"table,omitempty" yaml:"table"`     // your own table or view, "table" or "database.table"; "" = the canonical one
	Columns map[string]string `json:"columns,omitempty" yaml:"columns"` // canonical column → own column; own tables only
	Unique  bool              `json:"unique,omitempty" yaml:"unique"`   // the own table holds one row per identity: nothing to de-duplicate
	Static  []string          `json:"static,omitempty" yaml:"static"`   // columns, or attributes of customers, that never change once written
}

// Sources binds sources to tables. A source without a key is its canonical table.
type Sources map[string]Binding

// Names of the sources that the features of this package read.
const (
	Customers     = "customers"
	Usage         = "usage"
	Purchases     = "purchases"
	Subscriptions = "subscriptions"
)

// valueType is how a canonical column is stored and read.
type valueType uint8

const (
	text       valueType = iota // String, "" = missing
	instant                     // DateTime64(3, 'UTC'), nullable unless it is the source's time
	fixedPoint                  // fixed point, nullable
	whole                       // unsigned integer, nullable
	boolean                     // nullable
	textMap                     // Map(String, String)
	boolMap                     // Map(String, Bool)
)

type sourceColumn struct {
	Name string
	Type valueType
	SQL  string // ClickHouse type that own columns are cast to
}

// source is one kind of fact about customers: its canonical columns beside customer_id and the clocks.
type source struct {
	Name     string
	Time     string // the column that is the event time; also readable as "at"
	Columns  []sourceColumn
	Identity []string // with customer_id; a row whose first identity column is empty stands for itself
}

// sources of contract.md §1 that are built, in a fixed order.
var sources = []source{
	{Customers, "created_at", []sourceColumn{
		{"created_at", instant, "Nullable(DateTime64(3, 'UTC'))"}, {"lead_source", text, "String"}, {"segment", text, "String"},
		{"birth_year", whole, "Nullable(UInt16)"}, {"region", text, "String"}, {"plan", text, "String"},
		{"timezone", text, "String"}, {"owner", text, "String"}, {"consent", boolMap, "Map(String, Bool)"},
		{"opted_out_at", instant, "Nullable(DateTime64(3, 'UTC'))"}, {"attributes", textMap, "Map(String, String)"},
	}, nil},
	{Usage, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"event_id", text, "String"}, {"user_id", text, "String"},
		{"feature", text, "String"}, {"channel", text, "String"}, {"duration_s", fixedPoint, "Nullable(Decimal(18, 3))"},
		{"quantity", fixedPoint, "Nullable(Decimal(18, 4))"}, {"errors", whole, "Nullable(UInt32)"},
	}, []string{"event_id"}},
	{Purchases, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"order_id", text, "String"}, {"product", text, "String"},
		{"category", text, "String"}, {"quantity", fixedPoint, "Nullable(Decimal(18, 4))"}, {"amount", fixedPoint, "Nullable(Decimal(18, 4))"},
		{"discount", fixedPoint, "Nullable(Decimal(18, 4))"}, {"currency", text, "String"}, {"channel", text, "String"},
		{"returned", boolean, "Nullable(Bool)"},
	}, []string{"order_id", "product"}},
	{Subscriptions, "started_at", []sourceColumn{
		{"subscription_id", text, "String"}, {"started_at", instant, "DateTime64(3, 'UTC')"},
		{"ends_at", instant, "Nullable(DateTime64(3, 'UTC'))"}, {"ended_at", instant, "Nullable(DateTime64(3, 'UTC'))"},
		{"cancelled_at", instant, "Nullable(DateTime64(3, 'UTC'))"}, {"end_reason", text, "String"}, {"plan", text, "String"},
		{"mrr", fixedPoint, "Nullable(Decimal(18, 4))"}, {"list_mrr", fixedPoint, "Nullable(Decimal(18, 4))"},
		{"seats", whole, "Nullable(UInt32)"}, {"billing_days", whole, "Nullable(UInt16)"}, {"auto_renew", boolean, "Nullable(Bool)"},
	}, []string{"subscription_id", "started_at"}},
}

func sourceNamed(name string) (source, bool) {
	i := slices.IndexFunc(sources, func(s source) bool { return s.Name == name })
	if i < 0 {
		return source{}, false
	}
	return sources[i], true
}

func (s source) column(name string) (sourceColumn, bool) {
	if name == "at" {
		name = s.Time
	}
	i := slices.IndexFunc(s.Columns, func(c sourceColumn) bool { return c.Name == name })
	if i < 0 {
		return sourceColumn{}, false
	}
	return s.Columns[i], true
}

func (s source) columnNames() []string {
	names := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		names[i] = c.Name
	}
	return names
}

// clockColumns are readable on every source beside its own columns.
var clockColumns = []string{"customer_id", "at", "ingested_at", "ingested_mapped", "imported_at", "event_hash", "row_hash"}

// Validate finds what is wrong with the bindings: an unknown source or canonical column, columns without a table, an own table
// without customer_id or its time.
func (s Sources) Validate() error {
	for _, name := range sortedKeys(s) {
		b := s[name]
		src, ok := sourceNamed(name)
		if !ok {
			return fmt.Errorf("sources.%s: no such source; there are %s", name, strings.Join(sourceNames(), ", "))
		}
		if b.Table == "" && (len(b.Columns) > 0 || b.Unique) {
			return fmt.Errorf("sources.%s: columns and unique describe your own table; name it in sources.%s.table", name, name)
		}
		for _, canonical := range sortedKeys(b.Columns) {
			if _, ok := src.column(canonical); !ok && canonical != "customer_id" && canonical != "ingested_at" {
				return fmt.Errorf("sources.%s.columns: no canonical column %q; there are customer_id, ingested_at, %s", name, canonical, strings.Join(src.columnNames(), ", "))
			}
			if b.Columns[canonical] == "" {
				return fmt.Errorf("sources.%s.columns.%s: names no column", name, canonical)
			}
		}
		if name != Customers {
			for _, c := range b.Static {
				if _, ok := src.column(c); !ok {
					return fmt.Errorf("sources.%s.static: no column %q; there are %s", name, c, strings.Join(src.columnNames(), ", "))
				}
			}
		}
	}
	return nil
}

func sourceNames() []string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.Name
	}
	return names
}

// own is the own column that stands for a canonical one: the mapped name, else the canonical name itself for customer_id and
// the source's time; "" = the own table has none.
func (b Binding) own(src source, canonical string) string {
	if canonical == "at" {
		canonical = src.Time
	}
	if c, ok := b.Columns[canonical]; ok {
		return c
	}
	if c, ok := b.Columns["at"]; ok && canonical == src.Time {
		return c
	}
	if canonical == "customer_id" || canonical == src.Time && src.Name != Customers {
		return canonical
	}
	return ""
}

func (b Binding) static(column string) bool { return slices.Contains(b.Static, column) }
