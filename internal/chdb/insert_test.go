package chdb

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/shopspring/decimal"
)

// table creates a table and drops it when the test ends.
func table(t testing.TB, c driver.Conn, name, columns string) {
	t.Helper()
	execute(t, c, "CREATE TABLE "+name+" ("+columns+") ENGINE = MergeTree ORDER BY tuple()")
	t.Cleanup(func() { execute(t, open(t), "DROP TABLE "+name) })
}

func TestTypesRoundTrip(t *testing.T) {
	way := 0
	bothWays(t, func(t *testing.T, c driver.Conn) {
		way++
		name := fmt.Sprintf("types_%d", way)
		table(t, c, name, `u8 UInt8, u64 UInt64, i32 Int32, f32 Float32, f64 Float64, s String, fs FixedString(4), d Date, d32 Date32,
			dt DateTime, dt64 DateTime64(3, 'UTC'), n Nullable(Float64), ns Nullable(String), lc LowCardinality(String),
			lcn LowCardinality(Nullable(String)), a Array(Float32), aa Array(Array(String)), m Map(String, UInt64), mb Map(String, Bool),
			t Tuple(a String, b UInt8), uu UUID, e Enum8('x' = 1, 'y' = 2), dec Decimal(18, 4), b Bool, ip IPv4`)
		batch, err := c.PrepareBatch(t.Context(), "INSERT INTO "+name)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)
		const rows = 1000
		text := func(i int) *string {
			if i%2 == 1 {
				return nil
			}
			s := fmt.Sprint("s", i)
			return &s
		}
		for i := range rows {
			var n *float64
			if i%2 == 0 {
				f := float64(i) / 3
				n = &f
			}
			if err := batch.Append(uint8(i), uint64(i), int32(-i), float32(i)/2, float64(i)/7, "s\x00\xff;'", "abcd", now, now, now,
				now.Add(123*time.Millisecond), n, text(i), "lc", text(i), []float32{1, 2, float32(i)}, [][]string{{"a"}, {}, {"b", "c"}},
				map[string]uint64{"k": uint64(i)}, map[string]bool{"email": true}, []any{"x", uint8(1)}, "61f0c404-5cb3-11e7-907b-a6006ad3dba0",
				"y", decimal.NewFromFloat(12.5), true, net.IPv4(1, 2, 3, 4)); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Fatal(err)
		}
		got, err := c.Query(t.Context(), "SELECT u64, f64, s, dt, dt64, n, lcn, a, aa, m, mb, t, uu, e, dec, b, ip FROM "+name+" ORDER BY u64")
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		i := 0
		for ; got.Next(); i++ {
			var (
				u64    uint64
				f64    float64
				s      string
				dt     time.Time
				dt64   time.Time
				n      *float64
				lcn    *string
				a      []float32
				aa     [][]string
				m      map[string]uint64
				mb     map[string]bool
				tu     map[string]any
				uu, e  string
				dec    decimal.Decimal
				b      bool
				ip     net.IP
				absent = i%2 == 1
			)
			if err := got.Scan(&u64, &f64, &s, &dt, &dt64, &n, &lcn, &a, &aa, &m, &mb, &tu, &uu, &e, &dec, &b, &ip); err != nil {
				t.Fatal(err)
			}
			if u64 != uint64(i) || f64 != float64(i)/7 || s != "s\x00\xff;'" || (n == nil) != absent || (lcn == nil) != absent ||
				a[2] != float32(i) || len(aa) != 3 || m["k"] != uint64(i) || !mb["email"] || !dt.Equal(now) || dt64.Sub(now) != 123*time.Millisecond ||
				tu["a"] != "x" || uu != "61f0c404-5cb3-11e7-907b-a6006ad3dba0" || e != "y" || dec.String() != "12.5" || !b || !ip.Equal(net.IPv4(1, 2, 3, 4)) {
				t.Fatalf("row %d came back otherwise", i)
			}
		}
		if err := got.Err(); err != nil || i != rows {
			t.Fatalf("%d rows: %v", i, err)
		}
		if _, err := c.PrepareBatch(t.Context(), "INSERT INTO "+name+" (nope)"); err == nil {
			t.Error("a batch of an unknown column was accepted")
		}
		execute(t, c, "INSERT INTO "+name+" (u64, s) VALUES (5000, 'a; FORMAT Native')")
		if n := count(t, c, "SELECT count() FROM "+name); n != rows+1 {
			t.Errorf("%d rows after INSERT … VALUES", n)
		}
	})
}

// brokenReader gives some bytes and then fails, as the body of a sender that died.
type brokenReader struct{ io.Reader }

func (r brokenReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrClosedPipe
	}
	return n, err
}

// TestDamagedInserts sends what no good client sends. Nothing may be written, and the engine must live.
func TestDamagedInserts(t *testing.T) {
	c := open(t)
	table(t, c, "damaged", "x UInt64, s String")
	oneRow := "\x02\x01\x01x\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00\x01s\x06String\x01a"
	for _, d := range []struct {
		name, sql string
		body      io.Reader
		rows      uint64 // written
		status    int    // 0: no answer
	}{
		{"garbage", "INSERT INTO damaged FORMAT Native", strings.NewReader("\x05garbage garbage garbage garbage garbage"), 0, 500},
		{"more garbage", "INSERT INTO damaged FORMAT Native", bytes.NewReader(bytes.Repeat([]byte{0xff, 0x02, 0x80}, 100_000)), 0, 500},
		{"cut off", "INSERT INTO damaged FORMAT Native", strings.NewReader(oneRow[:len(oneRow)-4]), 0, 500},
		// ClickHouse's own choice: input_format_skip_unknown_fields. clickhouse-go asks for the columns first.
		{"another column", "INSERT INTO damaged FORMAT Native", strings.NewReader("\x01\x01\x01z\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00"), 1, 200},
		{"the sender dies", "INSERT INTO damaged FORMAT Native", brokenReader{strings.NewReader(oneRow)}, 0, 500},
		{"no table", "INSERT INTO nonexist FORMAT Native", strings.NewReader(oneRow), 0, 500},
		{"bad CSV", "INSERT INTO damaged FORMAT CSV", strings.NewReader("1,a\nzzz,b\n"), 0, 500},
		{"no rows", "INSERT INTO damaged FORMAT Native", strings.NewReader(""), 0, 500},
		{"no rows of CSV", "INSERT INTO damaged FORMAT CSV", strings.NewReader(""), 0, 200},
		{"good", "INSERT INTO damaged FORMAT Native", strings.NewReader(oneRow), 1, 200},
		{"CSV", "INSERT INTO damaged FORMAT CSV", strings.NewReader("1,a\n2,\";'\"\n"), 2, 200},
		{"JSON", "INSERT INTO damaged FORMAT JSONEachRow", strings.NewReader(`{"x":3,"s":"c"}`), 1, 200},
	} {
		t.Run(d.name, func(t *testing.T) {
			before := count(t, c, "SELECT count() FROM damaged")
			r, err := http.NewRequest(http.MethodPost, "http://embedded/?query="+url.QueryEscape(d.sql), d.body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := engine.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != d.status {
				t.Errorf("status %d: %.200s (%v)", response.StatusCode, text, err)
			}
			response.Body.Close()
			if n := count(t, c, "SELECT count() FROM damaged") - before; n != d.rows {
				t.Errorf("%d rows were written, want %d", n, d.rows)
			}
		})
	}
}

// TestSenderDiesBetweenBlocks breaks the connection where what was sent so far would make a whole INSERT.
func TestSenderDiesBetweenBlocks(t *testing.T) {
	c := open(t)
	table(t, c, "broken_off", "x UInt64")
	server := httptest.NewServer(engine)
	defer server.Close()
	sender, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	block := "\x01\x01\x01x\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00"
	_, err = fmt.Fprintf(sender, "POST /?query=%s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n",
		url.QueryEscape("INSERT INTO broken_off FORMAT Native"), len(block), block)
	if err != nil {
		t.Fatal(err)
	}
	for count(t, c, "SELECT count() FROM system.processes") < 2 {
		time.Sleep(time.Millisecond) // until the INSERT runs
	}
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	noneLeft(t, c)
	if n := count(t, c, "SELECT count() FROM broken_off"); n != 0 {
		t.Errorf("%d rows of an INSERT that was broken off are there", n)
	}
}

// TestUnequalColumns: clickhouse-go loses the error of a batch that it cannot encode; the engine must not call it good.
func TestUnequalColumns(t *testing.T) {
	c := open(t)
	table(t, c, "unequal", "x UInt64, y UInt64")
	batch, err := c.PrepareBatch(t.Context(), "INSERT INTO unequal")
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Column(0).Append([]uint64{1, 2}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Column(1).Append([]uint64{1}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err == nil {
		t.Errorf("Send reported success; %d rows are there", count(t, c, "SELECT count() FROM unequal"))
	}
}
