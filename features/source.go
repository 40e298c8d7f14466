package features

import "slices"

// Names of the sources that the features of this package read.
const (
	Customers     = "customers"
	Usage         = "usage"
	Purchases     = "purchases"
	Subscriptions = "subscriptions"
	Surveys       = "surveys"
	Tickets       = "tickets"
	Contacts      = "contacts"
	Touchpoints   = "touchpoints"
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

// sources of contract.md §1, in a fixed order.
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
	{Surveys, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"kind", text, "String"}, {"score", fixedPoint, "Nullable(Decimal(18, 4))"},
		{"channel", text, "String"}, {"comment", text, "String"},
	}, nil},
	{Tickets, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"ticket_id", text, "String"}, {"channel", text, "String"}, {"reply_channel", text, "String"},
		{"topic", text, "String"}, {"priority", text, "String"}, {"first_reply_at", instant, "Nullable(DateTime64(3, 'UTC'))"},
		{"resolved_at", instant, "Nullable(DateTime64(3, 'UTC'))"}, {"reopened", whole, "Nullable(UInt32)"}, {"escalated", boolean, "Nullable(Bool)"},
		{"self_served", boolean, "Nullable(Bool)"}, {"satisfaction", fixedPoint, "Nullable(Decimal(18, 4))"},
	}, []string{"ticket_id"}},
	{Contacts, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"contact_id", text, "String"}, {"channel", text, "String"}, {"class", text, "String"},
		{"action", text, "String"}, {"campaign", text, "String"}, {"decision_id", text, "String"}, {"outcome", text, "String"},
		{"outcome_at", instant, "Nullable(DateTime64(3, 'UTC'))"},
	}, []string{"contact_id"}},
	{Touchpoints, "at", []sourceColumn{
		{"at", instant, "DateTime64(3, 'UTC')"}, {"kind", text, "String"}, {"channel", text, "String"}, {"lead_source", text, "String"},
		{"campaign", text, "String"}, {"value", fixedPoint, "Nullable(Decimal(18, 4))"},
	}, nil},
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

func sourceNames() []string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.Name
	}
	return names
}
