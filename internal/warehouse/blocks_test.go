package warehouse_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// everything has a column for each accessor, with NULLs, in several blocks.
const everything = `SELECT
    toString(number) AS s, toLowCardinality(toString(number % 300)) AS lc,
    if(number % 3 = 0, NULL, toString(number))::Nullable(String) AS ns,
    if(number % 3 = 0, NULL, toString(number % 7))::LowCardinality(Nullable(String)) AS nlc,
    CAST(number % 2 + 1, 'Enum8(\'x\' = 1, \'y\' = 2)') AS e,
    number / 7 AS f64, toFloat32(number / 7) AS f32, if(number % 3 = 0, NULL, number / 7) AS nf64,
    if(number % 3 = 0, NULL, toFloat32(number / 7)) AS nf32,
    toInt64(number) - 5 AS i64, toInt16(number % 1000) - 500 AS i16, toInt8(number % 100) - 50 AS i8, toInt32(number) - 9 AS i32,
    number AS u64, toUInt32(number) AS u32, toUInt16(number % 65536) AS u16, toUInt8(number % 256) AS u8,
    if(number % 3 = 0, NULL, toUInt64(number)) AS nu64,
    number % 2 = 0 AS flag, (number % 2)::Bool AS b,
    toDateTime64('2024-02-03 04:05:06.789', 3, 'UTC') - toIntervalDay(20 * number) AS dt64, toDateTime64(number / 1000, 6, 'Asia/Tokyo') AS dt64us,
    toDateTime(number, 'UTC') AS dt, toDate(number) AS d, toDate32('1930-01-01') + number AS d32,
    if(number % 3 = 0, NULL, toDateTime64(number, 3, 'UTC')) AS ndt64
FROM numbers(3000) ORDER BY number SETTINGS max_block_size = 1000`

// columns gathers the blocks of everything into one slice for each column.
func columns(t *testing.T, blocks iter.Seq2[*warehouse.Block, error]) map[string]any {
	t.Helper()
	var s, lc, ns, nlc, e []string
	var f64, nf64, f32wide, i16wide []float64
	var f32, nf32 []float32
	var i64, i32, i16, i8, u32wide []int64
	var u64, u32, u16, nu64 []uint64
	var u8, b8 []uint8
	var flag, b, isNull []bool
	var dt64, dt64us, dt, d, d32, ndt64 []time.Time
	for x, err := range blocks {
		if err != nil {
			t.Fatal(err)
		}
		s, lc, ns, nlc, e = append(s, x.Strings("s")...), append(lc, x.Strings("lc")...), append(ns, x.Strings("ns")...), append(nlc, x.Strings("nlc")...), append(e, x.Strings("e")...)
		f64, nf64, f32wide, i16wide = append(f64, x.Float64s("f64")...), append(nf64, x.Float64s("nf64")...), append(f32wide, x.Float64s("f32")...), append(i16wide, x.Float64s("i16")...)
		f32, nf32 = append(f32, x.Float32s("f32")...), append(nf32, x.Float32s("nf32")...)
		i64, i32, i16, i8, u32wide = append(i64, x.Int64s("i64")...), append(i32, x.Int64s("i32")...), append(i16, x.Int64s("i16")...), append(i8, x.Int64s("i8")...), append(u32wide, x.Int64s("u32")...)
		u64, u32, u16, nu64 = append(u64, x.UInt64s("u64")...), append(u32, x.UInt64s("u32")...), append(u16, x.UInt64s("u16")...), append(nu64, x.UInt64s("nu64")...)
		u8, b8 = append(u8, x.UInt8s("u8")...), append(b8, x.UInt8s("b")...)
		flag, b, isNull = append(flag, x.Bools("flag")...), append(b, x.Bools("b")...), append(isNull, x.Nulls("ns")...)
		dt64, dt64us, dt = append(dt64, x.Times("dt64")...), append(dt64us, x.Times("dt64us")...), append(dt, x.Times("dt")...)
		d, d32, ndt64 = append(d, x.Times("d")...), append(d32, x.Times("d32")...), append(ndt64, x.Times("ndt64")...)
	}
	return map[string]any{
		"s": s, "lc": lc, "ns": ns, "nlc": nlc, "e": e, "f64": f64, "nf64": nf64, "f32wide": f32wide, "i16wide": i16wide, "f32": f32, "nf32": nf32,
		"i64": i64, "i32": i32, "i16": i16, "i8": i8, "u32wide": u32wide, "u64": u64, "u32": u32, "u16": u16, "nu64": nu64, "u8": u8, "b8": b8,
		"flag": flag, "b": b, "isNull": isNull, "dt64": dt64, "dt64us": dt64us, "dt": dt, "d": d, "d32": d32, "ndt64": ndt64,
	}
}

func TestBlocks(t *testing.T) {
	w := warehousetest.Open(t)
	got := columns(t, w.Blocks(t.Context(), everything, nil))
	const i = 2501 // i % 3 = 2
	for name, want := range map[string]any{
		"s": "2501", "lc": "101", "ns": "2501", "nlc": "2", "e": "y", "f64": 2501 / 7.0, "f32": float32(2501 / 7.0), "f32wide": float64(float32(2501 / 7.0)),
		"i64": int64(2496), "i32": int64(2492), "i16": int64(1), "i16wide": 1.0, "i8": int64(-49), "u32wide": int64(2501), "u64": uint64(2501),
		"u16": uint64(2501), "u8": uint8(197), "b8": uint8(1), "flag": false, "b": true, "isNull": false,
		"dt64":   time.Date(2024, 2, 3, 4, 5, 6, 789e6, time.UTC).AddDate(0, 0, -20*2501), // before 1970
		"dt64us": time.UnixMilli(2501).UTC(), "dt": time.Unix(2501, 0).UTC(), "d": time.Unix(2501*86400, 0).UTC(),
		"d32": time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 2501),
	} {
		if diff := cmp.Diff(want, at(got[name], i)); diff != "" {
			t.Errorf("%s[%d]: %s", name, i, diff)
		}
	}
	for name, want := range map[string]any{ // row 0 is NULL
		"ns": "", "nlc": "", "nf64": math.NaN(), "nf32": float32(math.NaN()), "nu64": uint64(0), "isNull": true, "ndt64": time.Time{},
	} {
		if diff := cmp.Diff(want, at(got[name], 0), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("%s, NULL: %s", name, diff)
		}
	}
	scanned := columns(t, w.ScanBlocks(t.Context(), everything))
	if diff := cmp.Diff(got, scanned, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("scanned rows differ from decoded columns: %.2000s", diff)
	}
}

func at(column any, i int) any {
	switch c := column.(type) {
	case []string:
		return c[i]
	case []float64:
		return c[i]
	case []float32:
		return c[i]
	case []int64:
		return c[i]
	case []uint64:
		return c[i]
	case []uint8:
		return c[i]
	case []bool:
		return c[i]
	case []time.Time:
		return c[i]
	}
	panic("no such column")
}

func TestBlocksOfOtherTypes(t *testing.T) {
	w := warehousetest.Open(t)
	for b, err := range w.Blocks(t.Context(), "SELECT [1, 2]::Array(Float32) AS a, ['x']::Array(LowCardinality(String)) AS l", nil) {
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := b.Column("a").(*proto.ColArr[float32]); !ok || !slices.Equal(a.Row(0), []float32{1, 2}) {
			t.Errorf("an array is %T", b.Column("a"))
		}
		if l, ok := b.Column("l").(*proto.ColArr[string]); !ok || !slices.Equal(l.Row(0), []string{"x"}) {
			t.Errorf("an array is %T", b.Column("l"))
		}
		if !slices.Equal(b.Columns(), []string{"a", "l"}) || b.Nulls("a") != nil {
			t.Errorf("columns %q, nulls %v", b.Columns(), b.Nulls("a"))
		}
	}
	for b, err := range w.Blocks(t.Context(), "SELECT toLowCardinality('x'::Nullable(String)) AS x", nil) { // no NULL in the block
		if err != nil {
			t.Fatal(err)
		}
		if b.Strings("x")[0] != "x" || b.Nulls("x")[0] {
			t.Errorf("%q, NULL %v", b.Strings("x"), b.Nulls("x"))
		}
	}
	for _, err := range w.Blocks(t.Context(), "SELECT map('k', toUInt8(1)) AS m", nil) {
		if err == nil || !strings.Contains(err.Error(), "cast it") || !strings.Contains(err.Error(), "Map(String, UInt8)") {
			t.Errorf("a type that cannot be read: %v", err)
		}
	}
}

func TestBlocksPanicForTheProgrammer(t *testing.T) {
	w := warehousetest.Open(t)
	for b, err := range w.Blocks(t.Context(), "SELECT 1 AS x", nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []func(){func() { b.Strings("x") }, func() { b.Strings("y") }, func() { b.Times("x") }, func() { b.Float32s("x") }} {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("a mistake went unnoticed")
					}
				}()
				f()
			}()
		}
	}
}

func TestBlocksEnd(t *testing.T) {
	w := warehousetest.Open(t)
	none := 0
	for range w.Blocks(t.Context(), "SELECT 1 AS x WHERE 0", nil) {
		none++
	}
	if none != 0 {
		t.Errorf("an empty result gave %d blocks", none)
	}
	for name, blocks := range map[string]func(context.Context, string) iter.Seq2[*warehouse.Block, error]{
		"decoded": func(ctx context.Context, sql string) iter.Seq2[*warehouse.Block, error] {
			return w.Blocks(ctx, sql, nil)
		},
		"scanned": w.ScanBlocks,
	} {
		t.Run(name, func(t *testing.T) {
			var exception *clickhouse.Exception
			for _, err := range blocks(t.Context(), "SELECT nope") {
				if !errors.As(err, &exception) || exception.Code != 47 {
					t.Errorf("an exception at once: %v", err)
				}
			}
			rows, ends := 0, 0
			for b, err := range blocks(t.Context(), "SELECT throwIf(number = 300000, 'boom') AS x FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1") {
				if err == nil {
					rows += b.Rows()
					continue
				}
				ends++
				if !errors.As(err, &exception) || exception.Code != 395 {
					t.Errorf("an exception after %d rows: %v", rows, err)
				}
			}
			if rows == 0 || ends != 1 {
				t.Errorf("an exception in mid-stream came %d times after %d rows", ends, rows)
			}
			for range blocks(t.Context(), "SELECT number FROM numbers(1000000000000)") {
				break
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range blocks(ctx, "SELECT number FROM numbers(1000000000000)") {
				cancel()
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("a cancelled read: %v", err)
				}
			}
			for i := 0; ; i++ {
				n, err := count(t.Context(), w, "SELECT count() FROM system.processes WHERE query LIKE '%numbers(1000000000000)%'")
				if err != nil {
					t.Fatal(err)
				}
				if n == 1 { // the question
					break
				}
				if i == 200 {
					t.Fatal("statements that nobody reads still run")
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
}

func TestParameterValues(t *testing.T) {
	w := warehousetest.Open(t)
	for _, s := range []string{"", "it's", `back\slash`, `\`, `\n`, "tab\t, line\n, return\r, nul\x00", "'; DROP", "grüße"} {
		params := clickhouse.Parameters{"s": warehouse.Text(s), "l": warehouse.Texts([]string{"a", s})}
		for b, err := range w.Blocks(t.Context(), "SELECT {s:String} AS s, {l:Array(String)}[2] AS l", params) {
			if err != nil {
				t.Errorf("%q: %v", s, err)
			} else if b.Strings("s")[0] != s || b.Strings("l")[0] != s {
				t.Errorf("%q came back as %q and %q", s, b.Strings("s")[0], b.Strings("l")[0])
			}
		}
	}
	for _, when := range []time.Time{
		time.Date(2024, 2, 3, 4, 5, 6, 789_999_999, time.FixedZone("", 7200)), time.Unix(0, 0), time.Date(1969, 12, 31, 23, 59, 59, 1e6, time.UTC),
		time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 50, 5e8, time.UTC), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		for b, err := range w.Blocks(t.Context(), "SELECT {t:DateTime64(3, 'UTC')} AS t, {t:DateTime64(3)} AS u", clickhouse.Parameters{"t": warehouse.Instant(when)}) {
			if err != nil {
				t.Errorf("%v: %v", when, err)
			} else if want := when.Truncate(time.Millisecond); !b.Times("t")[0].Equal(want) || !b.Times("u")[0].Equal(want) {
				t.Errorf("%v came back as %v and %v", want, b.Times("t")[0], b.Times("u")[0])
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x01\x01\x01x\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x02\x01x\x16LowCardinality(String)\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x01\x01\x01x\x06String\x02ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Contains(b, []byte("(")) && !bytes.Contains(b, []byte("LowCardinality(String)")) {
			return // within nested types ch-go decodes, which trusts every length
		}
		_, err := warehouse.Decode(bytes.NewReader(b))
		if errors.Is(err, io.EOF) {
			t.Error("a cut off block passed for the end")
		}
	})
}

func TestDecodeCutOff(t *testing.T) {
	whole := []byte("\x01\x02\x01x\x06UInt64\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00")
	if rows, err := warehouse.Decode(bytes.NewReader(whole)); err != nil || rows != 2 {
		t.Fatalf("%d rows: %v", rows, err)
	}
	for n := 1; n < len(whole); n++ {
		if _, err := warehouse.Decode(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("a block cut off after %d bytes of %d passed for whole", n, len(whole))
		}
	}
	for _, b := range []string{"\xff\xff\xff\x7f\x01", "\x01\xff\xff\xff\xff\x7f\x01x\x05UInt8"} {
		if _, err := warehouse.Decode(strings.NewReader(b)); err == nil {
			t.Errorf("%q passed for a block", b)
		}
	}
}
