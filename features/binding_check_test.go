package features

import (
	"errors"
	"strings"
	"testing"
	"time"

	"retain/internal/warehouse/warehousetest"
)

// A wrong mapping is told at the first read, with the key and the columns there are.
func TestCheckBindings(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	for _, q := range []string{
		"CREATE TABLE sessions (account_id UInt64, started DateTime, seconds Float64, label String, tags Array(String), day Int32, customer_id String, at DateTime) ENGINE = Memory",
		"CREATE VIEW short AS SELECT account_id, started FROM sessions",
		"CREATE TABLE named (customer_id String, at DateTime, feature Array(String), quantity String) ENGINE = Memory",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	sessions := func(columns map[string]string) Sources {
		return Sources{Usage: {Table: "sessions", Columns: columns}}
	}
	for _, c := range []struct {
		name    string
		sources Sources
		want    []string // parts of the error; nil: it fits
	}{
		{"fits", sessions(map[string]string{"customer_id": "account_id", "at": "started", "duration_s": "seconds", "feature": "label"}), nil},
		{"by name", sessions(nil), nil},
		{"a name whose type does not fit is no mapping", Sources{Usage: {Table: "named"}}, nil},
		{"no table", Sources{Usage: {Table: "visits"}}, []string{"sources.usage.table: visits cannot be read: ", "does not exist"}},
		{"no database", Sources{Usage: {Table: "crm.visits"}}, []string{"sources.usage.table: crm.visits cannot be read: Database crm does not exist"}},
		{"no column", sessions(map[string]string{"duration_s": "length"}), []string{"sources.usage.columns.duration_s: sessions has no column length; sessions has account_id (UInt64), started (DateTime), seconds (Float64), label (String), tags (Array(String)), day (Int32)"}},
		{"no time", Sources{Usage: {Table: "short", Columns: map[string]string{"customer_id": "account_id"}}}, []string{"sources.usage.columns.at: is needed, and short has no column of that name: map the one that holds it; short has account_id (UInt64), started (DateTime)"}},
		{"no customer_id", Sources{Tickets: {Table: "short", Columns: map[string]string{"at": "started"}}}, []string{"sources.tickets.columns.customer_id: is needed"}},
		{"a time that is a number", sessions(map[string]string{"at": "day"}), []string{"sources.usage.columns.at: sessions.day is Int32, a number, not a time: give a view that makes it one, with fromUnixTimestamp"}},
		{"a text that is an array", sessions(map[string]string{"feature": "tags"}), []string{"sources.usage.columns.feature: sessions.tags is Array(String), which is no text"}},
		{"a number that is a text", sessions(map[string]string{"quantity": "label"}), []string{"sources.usage.columns.quantity: sessions.label is String, which is no number: give a view"}},
		{"a flag that is a text", Sources{Purchases: {Table: "sessions", Columns: map[string]string{"returned": "label"}}}, []string{"which is neither a Bool nor an integer"}},
		{"a map that is none", Sources{Customers: {Table: "sessions", Columns: map[string]string{"attributes": "label"}}}, []string{"sources.customers.columns.attributes: sessions.label is String, which is no Map"}},
		{"all faults at once", Sources{Usage: {Table: "sessions", Columns: map[string]string{"at": "day", "channel": "way"}}, Surveys: {Table: "nowhere"}}, []string{"usage.columns.at", "usage.columns.channel: sessions has no column way", "sources.surveys.table"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{DB: s.DB, Sources: c.sources}
			if err := s.Sources.Validate(); err != nil {
				t.Fatal(err)
			}
			check := func(err error) {
				t.Helper()
				if c.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				var wrong *BindingError
				if !errors.As(err, &wrong) {
					t.Fatalf("%v is no BindingError", err)
				}
				for _, part := range c.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("got %v\nwant %s", err, part)
					}
				}
			}
			check(s.CheckBindings(t.Context()))
			if len(c.sources) == 1 {
				_, err := s.Versions(t.Context(), sortedKeys(c.sources)[0], nil, time.Unix(0, 0))
				check(err)
			}
		})
	}
}

// Values of own tables become what an import of them holds, and what cannot become it is told by its key.
func TestOwnValues(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	cutoff := time.Date(2024, 2, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, columns, values, read string
		want, fault                 string
	}{
		{"floats are rounded", "quantity Nullable(Float64)", "(1.005), (9.99), (-0.29), (NULL), (nan), (1e9)", "quantity", "-0.29,1.005,9.99,1000000000,,", ""},
		{"floats of 32 bits", "quantity Float32", "(0.1)", "quantity", "0.1", ""},
		{"floats that do not fit", "quantity Float64", "(1e15)", "quantity", "", "sources.usage.columns.quantity: own.quantity holds numbers beyond 1e14"},
		{"decimals are rounded", "quantity Decimal(18, 8)", "(1.00005), (-1.00005)", "quantity", "-1.0001,1.0001", ""},
		{"integers", "quantity Int64", "(-5)", "quantity", "-5", ""},
		{"counts of floats", "errors Nullable(Float64)", "(3), (NULL), (nan)", "errors", "3,,", ""},
		{"wide integers", "quantity UInt64", "(99999999999999)", "quantity", "99999999999999", ""},
		{"integers that do not fit", "quantity UInt64", "(18446744073709551615)", "quantity", "", "sources.usage.columns.quantity: own.quantity holds numbers beyond 1e14"},
		{"wide decimals", "quantity Decimal(38, 6)", "(1.00005), (-99999999999999)", "quantity", "-99999999999999,1.0001", ""},
		{"decimals that do not fit", "quantity Decimal(38, 6)", "(1000000000000000)", "quantity", "", "sources.usage.columns.quantity: own.quantity holds numbers beyond 1e14"},
		{"counts do not wrap around", "errors Int8", "(-1)", "errors", "", "sources.usage.columns.errors: own.errors holds numbers that are not whole, or below 0"},
		{"counts that are not whole", "errors Float64", "(1.5)", "errors", "", "sources.usage.columns.errors: own.errors holds numbers that are not whole, or below 0"},
		{"counts that are too large", "errors Nullable(UInt64)", "(NULL), (4294967296)", "errors", "", "sources.usage.columns.errors: own.errors holds numbers that are not whole, or below 0"},
		{"texts of times", "started String", "('2024-01-01'), ('2024-01-01 12:00'), ('2024-01-01T12:00:00.1239Z'), ('2024-01-01 12:00:00+02:00'), ('')", "at",
			"2024-01-01 00:00:00.000,2024-01-01 10:00:00.000,2024-01-01 12:00:00.000,2024-01-01 12:00:00.123", ""},
		{"texts that are no times", "started String", "('01/02/2024')", "at", "", "sources.usage.columns.at: own.started holds texts that are no times"},
		{"days that are none", "started String", "('2024-13-01')", "at", "", "sources.usage.columns.at: own.started holds texts that are no times"},
		{"zones", "started DateTime('Asia/Tokyo')", "('2024-01-01 09:00:00')", "at", "2024-01-01 00:00:00.000", ""},
		{"dates", "started Nullable(Date32)", "('2024-01-01'), (NULL)", "at", "2024-01-01 00:00:00.000", ""},
		{"fixed texts", "feature FixedString(4)", "('ab')", "feature", "ab", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Store{DB: s.DB, Sources: Sources{Usage: {Table: "own", Columns: map[string]string{"customer_id": "who"}}}}
			ddl := c.columns
			if strings.HasPrefix(c.columns, "started") {
				s.Sources[Usage].Columns["at"] = "started"
			} else {
				ddl += ", at DateTime DEFAULT '2024-01-01 00:00:00'"
			}
			name, _, _ := strings.Cut(c.columns, " ")
			for _, q := range []string{"DROP TABLE IF EXISTS own", "CREATE TABLE own (who UInt8 DEFAULT 7, " + ddl + ") ENGINE = MergeTree ORDER BY who", "INSERT INTO own (" + name + ") VALUES " + c.values} {
				if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			from, err := s.Versions(t.Context(), Usage, []string{c.read}, cutoff)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			err = s.DB.Conn().QueryRow(t.Context(), "SELECT arrayStringConcat(arrayMap(x -> ifNull(toString(x), ''), arraySort(groupArray(tuple("+c.read+")).1)), ',') FROM "+from).Scan(&got)
			if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) || got != c.want {
				t.Errorf("got %q, %v\nwant %q %s", got, err, c.want, c.fault)
			}
			if why := Unfit(err); !strings.HasPrefix(why, c.fault) || err == nil && why != "" || strings.Contains(why, "FUNCTION") {
				t.Errorf("told as %q, want %q", why, c.fault)
			}
		})
	}
}

// Lines of one order without a product all count, the same line twice once, and a later load replaces those of the order.
func TestOwnOrders(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t)}
	for _, q := range []string{
		"CREATE TABLE orders (customer_id String, at DateTime, order_id String, amount Float64, ingested_at DateTime) ENGINE = Memory",
		"INSERT INTO orders VALUES ('a', '2024-01-01', 'o', 1, '2024-01-01'), ('a', '2024-01-01', 'o', 2, '2024-01-01'), ('a', '2024-01-01', 'o', 2, '2024-01-01')," +
			"('a', '2024-01-01', '', 5, '2024-01-01'), ('a', '2024-01-01', '', 5, '2024-01-01'), ('a', '2024-01-01', 'o', 10, '2024-01-09')",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		b      Binding
		cutoff int
		want   float64
	}{
		{"before the correction", Binding{Table: "orders"}, 5, 1 + 2 + 5 + 5},
		{"after it", Binding{Table: "orders"}, 20, 10 + 5 + 5},
		{"as it stands", Binding{Table: "orders", Unique: true}, 20, 1 + 2 + 2 + 5 + 5 + 10},
	} {
		s.Sources = Sources{Purchases: c.b}
		from, err := s.Versions(t.Context(), Purchases, []string{"amount"}, time.Date(2024, 1, c.cutoff, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		var got float64
		if err := s.DB.Conn().QueryRow(t.Context(), "SELECT toFloat64(sum(amount)) FROM "+from).Scan(&got); err != nil || got != c.want {
			t.Errorf("%s: %v %v, want %v", c.name, got, err, c.want)
		}
	}
}
