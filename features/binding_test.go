package features

import (
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse/warehousetest"
)

// TestOwnTables reads a table of the customer's own: renamed columns, other types, versions of one identity, rows without one.
func TestOwnTables(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{Usage: {
		Table:   "own`s sessions",
		Columns: map[string]string{"customer_id": "account id", "at": "started", "event_id": "session", "duration_s": "seconds", "ingested_at": "loaded"},
	}}}
	if err := s.Sources.Validate(); err != nil {
		t.Fatal(err)
	}
	table := quoteName("own`s sessions")
	for _, q := range []string{
		"CREATE TABLE " + table + " (`account id` UInt32, started DateTime, session Nullable(String), seconds Float64, loaded DateTime) ENGINE = Memory",
		"INSERT INTO " + table + " VALUES (7, '2024-01-02 00:00:00', 'x', 60, '2024-01-02 00:00:00')," + // corrected below
			"(7, '2024-01-02 00:00:00', 'x', 120, '2024-01-05 00:00:00')," +
			"(7, '2024-01-03 00:00:00', NULL, 30, '2024-01-03 00:00:00'), (7, '2024-01-03 00:00:00', NULL, 30, '2024-01-03 00:00:00')," + // two without identity
			"(7, '2024-01-04 00:00:00', 'y', 1000, '2024-02-01 00:00:00')", // known too late
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	c := &Catalogue{Version: catalogueVersion, Entries: []Entry{
		{Name: "usage_seconds_sum", Measure: Measure{Source: Usage, Form: Sum, Column: "duration_s"}},
		{Name: "usage_sessions_count", Measure: Measure{Source: Usage, Form: Count}},
	}}
	for _, step := range []struct {
		name           string
		cutoff         string
		seconds, count float32
	}{
		{"the first version", "2024-01-05T00:00:00Z", 60 + 30 + 30, 3},
		{"the correction holds from its ingested_at", "2024-01-05T00:00:01Z", 120 + 30 + 30, 3},
		{"the late row", "2024-02-01T00:00:01Z", 120 + 30 + 30 + 1000, 4},
	} {
		cutoff, err := time.Parse(time.RFC3339, step.cutoff)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, []string{"7"}))
		if err != nil {
			t.Fatal(err)
		}
		if got.X.X[0][0] != step.seconds || got.X.X[1][0] != step.count {
			t.Errorf("%s: %v seconds in %v sessions, want %v in %v", step.name, got.X.X[0][0], got.X.X[1][0], step.seconds, step.count)
		}
	}
}

// TestOwnCustomersAndUnique reads own customers without any time and own purchases that need no de-duplication.
func TestOwnCustomersAndUnique(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{
		Customers: {Table: "people", Columns: map[string]string{"customer_id": "id", "region": "area"}, Static: []string{"region"}},
		Purchases: {Table: "orders", Columns: map[string]string{"at": "day", "amount": "total"}, Unique: true},
	}}
	for _, q := range []string{
		"CREATE TABLE people (id String, area String) ENGINE = Memory", "INSERT INTO people VALUES ('a', 'north')",
		"CREATE TABLE orders (customer_id String, day Date, total Decimal(9, 2)) ENGINE = Memory", "INSERT INTO orders VALUES ('a', '2024-01-01', 9.99), ('a', '2024-01-01', 9.99)",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultCatalogue().Only([]string{"profile_region", "purchase_amount_sum_365d", "profile_tenure_days"})
	got, err := s.Snapshot(t.Context(), c, everyone(t, s, time.Date(2024, 1, 11, 0, 0, 0, 0, time.UTC), []string{"a"}))
	if err != nil {
		t.Fatal(err)
	}
	if l := got.X.Schema[0].Levels; len(l) != 1 || l[0] != "north" || got.X.X[1][0] != 19.98 || got.X.X[2][0] != 10 {
		t.Errorf("levels %q, amount %v, tenure %v; want north, 19.98, 10", l, got.X.X[1][0], got.X.X[2][0])
	}
}

func TestSourcesValidate(t *testing.T) {
	for _, c := range []struct {
		name    string
		sources Sources
		want    string
	}{
		{"unknown source", Sources{"visits": {}}, "no such source"},
		{"unknown canonical column", Sources{Usage: {Table: "t", Columns: map[string]string{"length": "l"}}}, `no canonical column "length"`},
		{"columns without a table", Sources{Usage: {Columns: map[string]string{"at": "t"}}}, "name it in sources.usage.table"},
		{"empty own column", Sources{Usage: {Table: "t", Columns: map[string]string{"at": ""}}}, "names no column"},
		{"static column that is none", Sources{Purchases: {Static: []string{"colour"}}}, `no column "colour"`},
		{"static attributes are free", Sources{Customers: {Static: []string{"colour"}}}, ""},
	} {
		err := c.sources.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
