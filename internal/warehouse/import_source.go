package warehouse

import (
	"fmt"
	"math"
	"strings"
)

// ImportKind says what the values of a canonical column are, and so how they are staged.
type ImportKind int

// The kinds. Texts are staged as they are, all else as one integer a value.
const (
	ImportText    ImportKind = iota // any text; "" is missing
	ImportID                        // a text of at most 256 bytes, kept byte for byte
	ImportInstant                   // milliseconds since 1970-01-01 UTC
	ImportFixed                     // a decimal number times 10^Scale
	ImportWhole                     // an integer in [Min, Max]
	ImportFlag                      // 1 or 0
	ImportTexts                     // Map(String, String): keys and values in turn, joined by NUL
	ImportFlags                     // Map(String, Bool): the same, values "1" or "0"
)

// Textual reports whether values of the kind are staged as text.
func (k ImportKind) Textual() bool {
	return k == ImportText || k == ImportID || k == ImportTexts || k == ImportFlags
}

// ImportNull is the staged integer that stands for a missing value.
const ImportNull = math.MinInt64

// ImportColumn is one canonical column of a source (contract.md §1), without the bookkeeping ones.
type ImportColumn struct {
	Name     string
	Kind     ImportKind
	Scale    int      // ImportFixed: digits after the point
	Min, Max int64    // bounds of ImportWhole, of the scaled integer for ImportFixed
	Words    []string // ImportText: the closed vocabulary, in small letters; nil = any text
	Required bool     // a row without it is bad, beside customer_id and the row's own time
	Counts   bool     // ImportWhole: true and false count as 1 and 0
}

// ImportSource describes how one source is imported. The order of Columns enters the stored hashes: append to it, never change it.
type ImportSource struct {
	Name     string
	Time     string   // column of the row's own time
	Optional bool     // the row's own time may be missing (customers)
	ID       []string // columns that with customer_id identify an event; without the first of them, or with none, the content does. nil: customer_id alone
	Repeats  bool     // an id that repeats inside one file identifies nothing either
	Versions bool     // every version stays in the table itself; else further ones stand in NAME_fixes
	Columns  []ImportColumn
}

const (
	maxFixed = 999_999_999_999_999_999 // Decimal(18, s)
	anyWhole = math.MaxUint32
)

// ImportSources are the sources that can be imported.
var ImportSources = []ImportSource{
	{
		Name: "customers", Time: "created_at", Optional: true, Versions: true,
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "created_at", Kind: ImportInstant},
			{Name: "lead_source"},
			{Name: "segment"},
			{Name: "birth_year", Kind: ImportWhole, Min: 1850, Max: 2100},
			{Name: "region"},
			{Name: "plan"},
			{Name: "timezone"},
			{Name: "owner"},
			{Name: "consent", Kind: ImportFlags},
			{Name: "opted_out_at", Kind: ImportInstant},
			{Name: "attributes", Kind: ImportTexts},
		},
	},
	{
		Name: "usage", Time: "at", ID: []string{"event_id"},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "event_id", Kind: ImportID},
			{Name: "user_id", Kind: ImportID},
			{Name: "feature"},
			{Name: "channel"},
			{Name: "duration_s", Kind: ImportFixed, Scale: 3, Min: 0, Max: maxFixed},
			{Name: "quantity", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "errors", Kind: ImportWhole, Max: anyWhole},
		},
	},
	{
		Name: "purchases", Time: "at", ID: []string{"order_id", "product"}, Repeats: true,
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "order_id", Kind: ImportID},
			{Name: "product"},
			{Name: "category"},
			{Name: "quantity", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "amount", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "discount", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "currency"},
			{Name: "channel"},
			{Name: "returned", Kind: ImportFlag},
		},
	},
	{
		Name: "subscriptions", Time: "started_at", ID: []string{"subscription_id", "started_at"},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "subscription_id", Kind: ImportID},
			{Name: "started_at", Kind: ImportInstant},
			{Name: "ends_at", Kind: ImportInstant},
			{Name: "ended_at", Kind: ImportInstant},
			{Name: "cancelled_at", Kind: ImportInstant},
			{Name: "end_reason"},
			{Name: "plan"},
			{Name: "mrr", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "list_mrr", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "seats", Kind: ImportWhole, Max: anyWhole},
			{Name: "billing_days", Kind: ImportWhole, Min: 1, Max: math.MaxUint16},
			{Name: "auto_renew", Kind: ImportFlag},
		},
	},
	{
		Name: "surveys", Time: "at", ID: []string{},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "kind", Words: []string{"nps", "csat", "ces"}, Required: true},
			{Name: "score", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
			{Name: "channel"},
			{Name: "comment"},
		},
	},
	{
		Name: "tickets", Time: "at", ID: []string{"ticket_id"},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "ticket_id", Kind: ImportID},
			{Name: "channel"},
			{Name: "reply_channel"},
			{Name: "topic"},
			{Name: "priority"},
			{Name: "first_reply_at", Kind: ImportInstant},
			{Name: "resolved_at", Kind: ImportInstant},
			{Name: "reopened", Kind: ImportWhole, Max: anyWhole, Counts: true},
			{Name: "escalated", Kind: ImportFlag},
			{Name: "self_served", Kind: ImportFlag},
			{Name: "satisfaction", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
		},
	},
	{
		Name: "contacts", Time: "at", ID: []string{"contact_id"},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "contact_id", Kind: ImportID},
			{Name: "channel"},
			{Name: "class", Words: []string{"marketing", "service", "transactional"}},
			{Name: "action"},
			{Name: "campaign"},
			{Name: "decision_id", Kind: ImportID},
			{Name: "outcome"},
			{Name: "outcome_at", Kind: ImportInstant},
		},
	},
	{
		Name: "touchpoints", Time: "at", ID: []string{},
		Columns: []ImportColumn{
			{Name: "customer_id", Kind: ImportID},
			{Name: "at", Kind: ImportInstant},
			{Name: "kind"},
			{Name: "channel"},
			{Name: "lead_source"},
			{Name: "campaign"},
			{Name: "value", Kind: ImportFixed, Scale: 4, Min: -maxFixed, Max: maxFixed},
		},
	},
}

// ImportSourceNamed returns the source of that name.
func ImportSourceNamed(name string) (ImportSource, bool) {
	for _, s := range ImportSources {
		if s.Name == name {
			return s, true
		}
	}
	return ImportSource{}, false
}

// Column returns the position of a canonical column, or -1.
func (s ImportSource) Column(name string) int {
	for i, c := range s.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// stagedType is the type of a column in the staging table.
func (c ImportColumn) stagedType() string {
	if c.Kind.Textual() {
		return "String"
	}
	return "Int64"
}

// expression turns the staged column into its type in the source.
func (c ImportColumn) expression() string {
	missing := fmt.Sprintf("%s = toInt64(%d)", c.Name, int64(ImportNull))
	// A column keeps a value below each NULL, and a later cast looks at it: it must be one that every cast takes.
	held := fmt.Sprintf("if(%s, toInt64(0), %s)", missing, c.Name)
	switch c.Kind {
	case ImportInstant:
		return fmt.Sprintf("if(%s, NULL, fromUnixTimestamp64Milli(%s, 'UTC'))", missing, held)
	case ImportFixed:
		return fmt.Sprintf("if(%s, NULL, reinterpret(%s, 'Decimal(18, %d)'))", missing, held, c.Scale)
	case ImportWhole, ImportFlag:
		return fmt.Sprintf("if(%s, NULL, %s)", missing, c.Name)
	case ImportTexts, ImportFlags:
		return c.mapExpression()
	}
	return c.Name
}

func (c ImportColumn) mapExpression() string {
	parts := "splitByChar('\\0', " + c.Name + ")"
	part := func(rest int) string {
		return fmt.Sprintf("arrayFilter((v, i) -> i %% 2 = %d, %s, arrayEnumerate(%s))", rest, parts, parts)
	}
	values := part(0)
	if c.Kind == ImportFlags {
		values = "arrayMap(v -> v = '1', " + values + ")"
	}
	empty := map[ImportKind]string{ImportTexts: "Map(String, String)", ImportFlags: "Map(String, Bool)"}[c.Kind]
	return fmt.Sprintf("if(%s = '', CAST(map() AS %s), CAST(mapFromArrays(%s, %s) AS %s))", c.Name, empty, part(1), values, empty)
}

// names lists the canonical columns.
func (s ImportSource) names() string {
	out := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		out[i] = c.Name
	}
	return strings.Join(out, ", ")
}
