package chdb

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// overTCP returns an unmodified clickhouse-go on the engine behind a real TCP port.
func overTCP(t testing.TB) driver.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: engine}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return openWith(t, &clickhouse.Options{Addr: []string{listener.Addr().String()}})
}

// bothWays runs a test in process and over TCP.
func bothWays(t *testing.T, test func(t *testing.T, c driver.Conn)) {
	t.Run("in process", func(t *testing.T) { test(t, open(t)) })
	t.Run("over TCP", func(t *testing.T) { test(t, overTCP(t)) })
}

func execute(t testing.TB, c driver.Conn, sql string) {
	t.Helper()
	if err := c.Exec(context.Background(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func count(t testing.TB, c driver.Conn, sql string) (n uint64) {
	t.Helper()
	if err := c.QueryRow(context.Background(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// code is the number of the exception that err is, 0 if it is none.
func code(err error) int {
	var exception *clickhouse.Exception
	if errors.As(err, &exception) {
		return int(exception.Code)
	}
	return 0
}

// drainRows reads rows to the end.
func drainRows(rows driver.Rows, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n := 0
	for rows.Next() {
		n++
	}
	return n, errors.Join(rows.Err(), rows.Close())
}

func TestStatementsOfAllKinds(t *testing.T) {
	bothWays(t, func(t *testing.T, c driver.Conn) {
		if err := c.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{
			"SHOW DATABASES", "DESCRIBE TABLE system.one", "EXPLAIN SELECT 1", "WITH 1 AS x SELECT x",
			"(SELECT 1) UNION ALL (SELECT 2)", "EXISTS TABLE system.one", "/* hi */ SELECT 1", "-- c\nSELECT 1", "SELECT 1;",
		} {
			if n, err := drainRows(c.Query(t.Context(), sql)); err != nil || n == 0 {
				t.Errorf("%s: %d rows, %v", sql, n, err)
			}
		}
		// libchdb sends no header block for an empty SELECT, so clickhouse-go knows no columns; it must still end well.
		if n, err := drainRows(c.Query(t.Context(), "SELECT number AS n FROM numbers(10) WHERE number > 100")); err != nil || n != 0 {
			t.Errorf("an empty result: %d rows, %v", n, err)
		}
		if n, err := drainRows(c.Query(t.Context(), "SELECT number, toString(number) FROM numbers(300000)")); err != nil || n != 300_000 {
			t.Errorf("a long result: %d rows, %v", n, err)
		}
	})
}

func TestParameters(t *testing.T) {
	bothWays(t, func(t *testing.T, c driver.Conn) {
		for _, s := range []string{
			"", "plain", "it's", `"q"`, `back\slash`, `\`, `\\`, `\n`, `\x41`, `\N`, "NULL", "tab\there", "new\nline", "cr\rx",
			"nul\x00x", "grüße 你好", "'; DROP TABLE x; --", "{a:String}", "?", "%41+&=",
		} {
			var got string
			if err := c.QueryRow(t.Context(), "SELECT {a:String}", clickhouse.Named("a", s)).Scan(&got); err != nil || got != s {
				t.Errorf("%q came back as %q: %v", s, got, err)
			}
			if err := c.QueryRow(t.Context(), "SELECT ?", s).Scan(&got); err != nil || got != s {
				t.Errorf("%q bound by ? came back as %q: %v", s, got, err)
			}
		}
		var at time.Time
		var list []string
		var n uint32
		when := time.Date(2024, 2, 3, 4, 5, 6, 789e6, time.UTC)
		err := c.QueryRow(t.Context(), "SELECT {t:DateTime64(3, 'UTC')}, {l:Array(String)}, {n:UInt32}",
			clickhouse.Named("t", when), clickhouse.Named("l", []string{"x", `y'z\`}), clickhouse.Named("n", 42)).Scan(&at, &list, &n)
		if err != nil || !at.Equal(when) || len(list) != 2 || list[1] != `y'z\` || n != 42 {
			t.Errorf("%v %q %d: %v", at, list, n, err)
		}
		if err := c.QueryRow(t.Context(), "SELECT {p:UInt32}").Scan(&n); code(err) != 456 {
			t.Errorf("a missing parameter: %v", err)
		}
	})
}

func TestExceptionsAreTyped(t *testing.T) {
	bothWays(t, func(t *testing.T, c driver.Conn) {
		for _, e := range []struct {
			sql  string
			code int
		}{
			{"SELECT nope FROM nonexist", 60},
			{"CREATE TABLE bad (x Nope) ENGINE = MergeTree ORDER BY x", 50},
			{"SELEC 1", 62},
			{"SELECT intDiv(1, 0)", 153},
			{"", 62},
			{"  -- only a comment", 62},
			{"SELECT 1; SELECT 2", 62},
			{"SELECT 1; SYSTEM SHUTDOWN", 62},
			{"SYSTEM SHUTDOWN", 497},
			{"/* x */ system kill", 497},
			{"SELECT " + strings.Repeat("(", 3000) + "1" + strings.Repeat(")", 3000), 306},
			{"SELECT groupArray(number) FROM numbers(100000000) SETTINGS max_memory_usage = 50000000", 241},
		} {
			if _, err := drainRows(c.Query(t.Context(), e.sql)); code(err) != e.code {
				t.Errorf("Query %.40s…: %v, want code %d", e.sql, err, e.code)
			}
			if err := c.Exec(t.Context(), e.sql); code(err) != e.code {
				t.Errorf("Exec %.40s…: %v, want code %d", e.sql, err, e.code)
			}
		}
		var exception *clickhouse.Exception
		if err := c.Exec(t.Context(), "DROP TABLE nonexist"); !errors.As(err, &exception) || exception.CodeName != "UNKNOWN_TABLE" {
			t.Errorf("the exception's name is lost: %v", err)
		}
	})
}

func TestExceptionInMidStream(t *testing.T) {
	const sql = "SELECT throwIf(number = 300000, '__exception__ boom'), '__exception__\r\n' FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1"
	bothWays(t, func(t *testing.T, c driver.Conn) {
		n, err := drainRows(c.Query(t.Context(), sql))
		if code(err) != 395 || n == 0 {
			t.Errorf("Query: %v after %d rows, want code 395 after some", err, n)
		}
		body, err := c.QueryFormat(t.Context(), "CSV", sql)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(body)
		if code(err) != 395 || len(b) == 0 {
			t.Errorf("QueryFormat: %v after %d bytes, want code 395 after some", err, len(b))
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSettings(t *testing.T) {
	c := open(t)
	read := func(ctx context.Context) string {
		var s string
		if err := c.QueryRow(ctx, "SELECT toString(getSetting('max_block_size'))").Scan(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	with := func(name string, value any) context.Context {
		return clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{name: value}))
	}
	before := read(t.Context())
	if got := read(with("max_block_size", 777)); got != "777" {
		t.Errorf("the setting is %s, not 777", got)
	}
	for range 20 { // whichever connection answers
		if got := read(t.Context()); got != before {
			t.Fatalf("a setting leaked into the next statement: %s", got)
		}
	}
	if err := c.QueryRow(with("nonsense", 1), "SELECT 1").Err(); code(err) != 115 {
		t.Errorf("an unknown setting: %v", err)
	}
	if err := c.QueryRow(with("a b; DROP", 1), "SELECT 1").Err(); code(err) != 115 {
		t.Errorf("a malformed setting: %v", err)
	}
	if err := c.QueryRow(with("max_rows_to_read", 10), "SELECT count() FROM numbers(100) WHERE number % 3 = 1").Err(); code(err) != 158 {
		t.Errorf("a limit: %v", err)
	}
}

func TestSessionStateDoesNotLeak(t *testing.T) {
	c := open(t)
	for _, sql := range []string{"SET max_block_size = 777", "USE system", "CREATE TEMPORARY TABLE leak (x UInt8)"} {
		execute(t, c, sql)
	}
	for range 20 {
		if n := count(t, c, "SELECT toUInt64(currentDatabase() = 'default' AND getSetting('max_block_size') != 777)"); n != 1 {
			t.Fatal("SET or USE leaked into another statement")
		}
		if n := count(t, c, "SELECT count() FROM system.tables WHERE name = 'leak'"); n != 0 {
			t.Fatal("a temporary table leaked into another statement")
		}
	}
}

func TestCompressionIsRefused(t *testing.T) {
	c := openWith(t, &clickhouse.Options{
		Addr:          []string{"embedded:0"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil },
		Compression:   &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
	})
	if err := c.Ping(t.Context()); code(err) != 344 {
		t.Errorf("got %v, want code 344", err)
	}
}

func TestTimesAreUTC(t *testing.T) {
	var s string
	if err := open(t).QueryRow(t.Context(), "SELECT toString(toDateTime(0))").Scan(&s); err != nil || s != "1970-01-01 00:00:00" {
		t.Errorf("the epoch is %s: %v", s, err)
	}
}

func TestMultipleDatabases(t *testing.T) {
	c := open(t)
	execute(t, c, "CREATE DATABASE `odd ``name`")
	defer execute(t, c, "DROP DATABASE `odd ``name`")
	o := &clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"embedded:0"}, Auth: clickhouse.Auth{Database: "odd `name"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil },
	}
	other, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	execute(t, other, "CREATE TABLE here (x UInt8) ENGINE = Memory")
	if n := count(t, c, "SELECT count() FROM system.tables WHERE database = 'odd `name' AND name = 'here'"); n != 1 {
		t.Error("the table went elsewhere")
	}
}
