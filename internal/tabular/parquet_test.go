package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// The text of every type, of a file that pyarrow wrote (testdata/write.py); the values are read off that script.
func TestParquetTypes(t *testing.T) {
	want := map[string][3]string{
		"i64": {"1", "-2", "-"}, "i8": {"-128", "0", "-"}, "u32": {"4294967295", "0", "-"}, "u64": {"18446744073709551615", "0", "-"},
		"f64": {"1", "2.5", "-"}, "f32": {"0.1", "100000000000000000000", "-"}, "f16": {"1.5", "0", "65504"},
		"dec9": {"1.5", "-0.01", "-"}, "dec38": {"12345678901234567890.123", "-5", "-"},
		"bool": {"true", "false", "-"}, "text": {"x", "", "-"}, "bytes": {"ab", "ü", "-"}, "fixed": {"abc", "def", "-"}, "dictionary": {"p", "q", "p"},
		"date":     {"2024-02-29", "1960-01-01", "-"},
		"local_ms": {"2024-01-01T01:02:03.456", "1969-12-31T23:59:59.999", "-"},
		"utc_us":   {"2024-01-01T01:02:03.456789Z", "1969-12-31T23:59:59.999999Z", "-"},
		"local_ns": {"2024-01-01T01:02:03.456789123", "1969-12-31T23:59:59.999999999", "-"},
		"time":     {"01:02:03.000004", "00:00:00", "-"}, "null": {"-", "-", "-"},
	}
	for _, source := range []string{"file", "standard input"} {
		r, err := Open("testdata/types.parquet", nil)
		if source == "standard input" {
			b, e := os.ReadFile("testdata/types.parquet")
			if e != nil {
				t.Fatal(e)
			}
			r, err = Open("-", bytes.NewReader(b))
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Columns()) != len(want) || r.Format() != Parquet {
			t.Fatalf("%s: %q", source, r.Columns())
		}
		for n := range 3 {
			row, line, err := r.Next()
			if err != nil || line != n+1 {
				t.Fatal(line, err)
			}
			for j, name := range r.Columns() {
				got := "-"
				if row[j] != nil {
					got = string(row[j])
				}
				if got != want[name][n] {
					t.Errorf("%s: %s, row %d: %q, want %q", source, name, n+1, got, want[name][n])
				}
				timed := strings.HasPrefix(name, "local_") || name == "utc_us" || name == "date"
				if r.Timed(j) != timed {
					t.Errorf("%s: timed %v", name, r.Timed(j))
				}
			}
		}
		if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		if read, size := r.Progress(); source == "file" && (read != size || size == 0) {
			t.Error(read, size)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	r, err := Open("testdata/int96.parquet", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := text(r); got != "local_ns\n1 [2024-01-01T01:02:03.456789123]\n2 [1969-12-31T23:59:59.999999999]\n3 -\n" || !r.Timed(0) {
		t.Error(got)
	}
}

// float16 at its edges, by hand (IEEE 754-2019, table 3.5).
func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{0: 0, 1: math.Ldexp(1, -24), 0x0400: math.Ldexp(1, -14), 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1)} {
		if got := half(bits); got != want {
			t.Errorf("%#x: %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7c01)) {
		t.Error("no NaN")
	}
}

type parquetRow struct {
	Customer string   `parquet:"Customer-ID,dict"`
	Amount   *float64 `parquet:"amount"`
	Note     []byte   `parquet:"note"`
}

// parquetFile writes n rows in row groups of 100.
func parquetFile(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&b, parquet.MaxRowsPerRowGroup(100), parquet.PageBufferSize(256))
	for i := range n {
		row := parquetRow{Customer: fmt.Sprint("c", i%7), Note: fmt.Appendf(nil, "note, %d", i)}
		if i%3 > 0 {
			row.Amount = new(float64)
			*row.Amount = float64(i) / 4
		}
		if _, err := w.Write([]parquetRow{row}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParquetRowGroups(t *testing.T) {
	r, err := NewReader(bytes.NewReader(parquetFile(t, 1234)), "f", Parquet)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := strings.Join(r.Columns(), ","); got != "customer_id,amount,note" {
		t.Fatal(got)
	}
	for i := range 1234 {
		row, line, err := r.Next()
		if err != nil || line != i+1 {
			t.Fatal(line, err)
		}
		amount := "<nil>"
		if row[1] != nil {
			amount = string(row[1])
		}
		want := "<nil>"
		if i%3 > 0 {
			want = fmt.Sprint(float64(i) / 4)
		}
		if string(row[0]) != fmt.Sprint("c", i%7) || amount != want || string(row[2]) != fmt.Sprint("note, ", i) {
			t.Fatalf("row %d: %q", line, row)
		}
		if i == 1 {
			if got := string(r.Record()); got != `c1,0.25,"note, 1"` {
				t.Error(got)
			}
		}
	}
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestParquetRefused(t *testing.T) {
	if _, err := Open("testdata/list.parquet", nil); err == nil || !strings.Contains(err.Error(), "list.parquet: column tags is nested (a list)") {
		t.Error(err)
	}
	dir := t.TempDir()
	whole := parquetFile(t, 10)
	for _, c := range []struct {
		name, want string
		b          []byte
	}{
		{"none.parquet", "does not begin with PAR1", []byte("customer_id,at\na,2024-01-01\n")},
		{"empty.parquet", "is empty", nil},
		{"short.parquet", "is cut off", []byte("PAR1")},
		{"half.parquet", "is cut off", whole[:len(whole)/2]},
		{"zipped.parquet.gz", "is compressed inside", whole},
		{"named.csv", "its name must end in .parquet", whole},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, c.b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	r, err := NewReader(bytes.NewReader(parquetFile(t, 0)), "f", Parquet)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("no rows: %v", err)
	}
}

// A file that is cut off or in which a byte changed gives an error or its rows, never a panic, and never ends early without an error.
func TestParquetDamaged(t *testing.T) {
	whole := parquetFile(t, 150)
	try := func(b []byte, what string) {
		r, err := NewReader(bytes.NewReader(b), "f", Parquet)
		if err != nil {
			return
		}
		defer r.Close()
		rows := 0
		for {
			_, _, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if _, ok := errors.AsType[*LineError](err); err != nil && !ok {
				return
			}
			rows++
		}
		if rows != 150 && rows != int(r.records.(*parquetTable).file.NumRows()) {
			t.Errorf("%s: %d rows and no error", what, rows)
		}
	}
	for n := 0; n < len(whole); n += 7 {
		try(whole[:n], fmt.Sprint("cut off at ", n))
	}
	for i := range whole {
		b, flip := bytes.Clone(whole), []byte{1, 0x80, 0xff}[i%3]
		b[i] ^= flip
		try(b, fmt.Sprintf("byte %d xor %#x", i, flip))
	}
}

// Decimal text of numbers, by hand.
func TestDecimalText(t *testing.T) {
	for in, want := range map[string]string{
		"1e3": "1000", "1E+3": "1000", "1.0": "1", "-1.00": "-1", "1.50": "1.50", "15e-1": "1.5", "1.50e1": "15", "1.25e1": "12.5", "-12e-4": "-0.0012",
		"0": "0", "-0": "0", "-0.0": "0", "0e99999999999": "0", "0.000e-999": "0", "1e400": "1" + strings.Repeat("0", 400), "100e-2": "1", "123456789012345678901234567890": "123456789012345678901234567890",
		"1e401": "", "1e-401": "", "1e99999999999999999999": "",
	} {
		got, ok := decimalText([]byte(in), nil)
		if string(got) != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", in, got, ok, want)
		}
	}
}

func BenchmarkParquet(b *testing.B) {
	var buf bytes.Buffer
	w := parquet.NewGenericWriter[parquetRow](&buf)
	const n = 100_000
	for i := range n {
		amount := float64(i) / 4
		if _, err := w.Write([]parquetRow{{fmt.Sprint("c", i%977), &amount, []byte("note")}}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t, err := newParquet(bytes.NewReader(buf.Bytes()), int64(buf.Len()), &counter{})
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, _, err := t.next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		t.release()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
