package tabular

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// text renders what a reader gives: the columns, then a line for each row ("-" is null) or error.
func text(r *Reader) string {
	var b strings.Builder
	for {
		row, line, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Fprintf(&b, "%v\n", err)
			if _, ok := errors.AsType[*LineError](err); ok {
				continue
			}
			break
		}
		fmt.Fprintf(&b, "%d", line)
		for _, f := range row {
			if f == nil {
				b.WriteString(" -")
			} else {
				fmt.Fprintf(&b, " [%s]", f)
			}
		}
		b.WriteString("\n")
	}
	return strings.Join(r.Columns(), ",") + "\n" + b.String()
}

func TestReader(t *testing.T) {
	cases := []struct {
		name   string
		format Format
		in     string
		want   string
	}{
		{"plain", CSV, "a,b\n1,2\n3,4\n", "a,b\n2 [1] [2]\n3 [3] [4]\n"},
		{"no last newline", CSV, "a,b\n1,2", "a,b\n2 [1] [2]\n"},
		{"byte order mark", CSV, "\xef\xbb\xbfa,b\n1,2\n", "a,b\n2 [1] [2]\n"},
		{"byte order mark before a quote", CSV, "\xef\xbb\xbf\"a\",b\n1,2\n", "a,b\n2 [1] [2]\n"},
		{"CRLF", CSV, "a,b\r\n1,2\r\n\r\n3,\r\n", "a,b\n2 [1] [2]\n4 [3] []\n"},
		{"blank lines", CSV, "\n\na\n\n1\n\n", "a\n5 [1]\n"},
		{"names", CSV, " Customer ID,E-Mail,ÜBER, \n1,2,3,4\n", "customer_id,e_mail,über,\n2 [1] [2] [3] [4]\n"},
		{"blanks stay", CSV, "a,b\n 1 ,\t2\n", "a,b\n2 [ 1 ] [\t2]\n"},
		{"quotes", CSV, "a,b\n\"1,5\",\"say \"\"hi\"\"\"\n\"\",x\n", "a,b\n2 [1,5] [say \"hi\"]\n3 [] [x]\n"},
		{"quote inside an unquoted field", CSV, "a,b\n5\" disk,x\n", "a,b\n2 [5\" disk] [x]\n"},
		{"quoted newlines", CSV, "a,b\n\"1\n\n2\",x\ny,\"p\r\nq\"\nz,1\n", "a,b\n2 [1\n\n2] [x]\n5 [y] [p\r\nq]\n7 [z] [1]\n"},
		{"short row", CSV, "a,b\n1\n3,4\n", "a,b\nf:2: has 1 fields, but the header has 2: quote fields that hold a separator, or mend the row\n3 [3] [4]\n"},
		{"long row", CSV, "a,b\n1,2,3\n", "a,b\nf:2: has 3 fields, but the header has 2: quote fields that hold a separator, or mend the row\n"},
		{"text after a quote", CSV, "a,b\n\"1\"x,2\n3,4\n", "a,b\nf:2: column a: text follows a closing quote: double the quotes inside a quoted field\n3 [3] [4]\n"},
		{"open quote", CSV, "a,b\n1,2\n\"3,4\n5,6\n", "a,b\n2 [1] [2]\nf:3: a quote that opens here is never closed\n"},
		{"NUL", CSV, "a,b\n1,\x00\n3,4\n", "a,b\nf:2: column b: holds a NUL byte: remove it\n3 [3] [4]\n"},
		{"not UTF-8", CSV, "a,b\n1,caf\xe9\n3,4\n", "a,b\nf:2: column b: is not UTF-8: convert the file, for example with iconv -f LATIN1 -t UTF-8\n3 [3] [4]\n"},
		{"tabs", TSV, "a\tb\n1,5\t\"x\ty\"\n", "a,b\n2 [1,5] [x\ty]\n"},
		{"header alone", CSV, "a,b\n", "a,b\n"},

		{"sniff commas", Sniff, "a,b\n1,2\n", "a,b\n2 [1] [2]\n"},
		{"sniff tabs", Sniff, "a\tb,c\n1\t2\n", "a,b,c\n2 [1] [2]\n"},
		{"sniff objects", Sniff, "\xef\xbb\xbf\n {\"a\":1}\n", "a\n2 [1]\n"},

		{"object", NDJSON, `{"a":"x","b":1.50,"c":true,"d":null,"e":""}`, "a,b,c,d,e\n1 [x] [1.50] [true] - []\n"},
		{"numbers become decimal text", NDJSON, `{"a":00}` + "\n" + `{"a":12345678901234567890123,"b":-1.0e-05}`, "a,b\nf:1: column a: \"00\" is not a JSON value: quote texts, and write missing values as null\n2 [12345678901234567890123] [-0.00001]\n"},
		{"keys come and go", NDJSON, "{\"a\":1}\n\n{\"b\":2,\"a\":3}\n{}\n", "a,b\n1 [1]\n3 [3] [2]\n4 - -\n"},
		{"escapes", NDJSON, `{"a\u0062":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, "ab\n1 [\"\\/\b\f\n\r\té😀]\n"},
		{"nested stays JSON", NDJSON, `{"a": {"b": [1, "}"]} , "c":[]}`, "a,c\n1 [{\"b\": [1, \"}\"]}] [[]]\n"},
		{"blanks and CRLF", NDJSON, " { \"a\" : 1 , \"b\" : 2 } \r\n", "a,b\n1 [1] [2]\n"},
		{"NUL escape", NDJSON, `{"a":"\u0000"}`, "a\nf:1: column a: holds a NUL (\\u0000): remove it\n"},
		{"lone surrogate", NDJSON, `{"a":"\ud83dx"}`, "a\nf:1: column a: a \\u escape is not a character\n"},
		{"key twice", NDJSON, `{"a":1,"a":2}`, "a\nf:1: column a: the key stands twice in the object: remove one\n"},
		{"key twice, null first", NDJSON, `{"a":null,"a":2}`, "a\nf:1: column a: the key stands twice in the object: remove one\n"},
		{"two objects", NDJSON, `{"a":1} {"a":2}`, "a\nf:1: text follows the object: NDJSON has one object a line\n"},
		{"not an object", NDJSON, "[1]\n{\"a\":1}", "a\nf:1: is not a JSON object: NDJSON has one object a line\n2 [1]\n"},
		{"cut off", NDJSON, `{"a":"x`, "a\nf:1: column a: a text is not closed on its line\n"},
		{"nested cut off", NDJSON, `{"a":{"b":1}`, "a\nf:1: column a: neither a comma nor a closing brace after the value\n"},
		{"nested not JSON", NDJSON, `{"a":{b:1}}`, "a\nf:1: column a: the nested value is not JSON\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(c.in), "f", c.format)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			r, err = NewReader(iotest.OneByteReader(strings.NewReader(c.in)), "f", c.format)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(r); got != c.want {
				t.Errorf("byte by byte: got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A spreadsheet of a country with a decimal comma writes semicolons; others tabs or bars, and call it CSV all the same.
func TestSeparators(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"semicolons", "a;b\n1,5;2\n", "a,b\n2 [1,5] [2]\n"},
		{"semicolons, quoted, marked and with CRLF", "\ufeff\r\n\"a, or\";\"b\"\r\n\"1;\"\"\r\n2\";3\r\n", "a,_or,b\n3 [1;\"\r\n2] [3]\n"},
		{"tabs", "a\tb\n1,5\t2;3\n", "a,b\n2 [1,5] [2;3]\n"},
		{"bars", "a|b;c|d\n1|2|3\n", "a,b;c,d\n2 [1] [2] [3]\n"},
		{"a comma wins", "a;b,c|d|e\n1,2\n", "a;b,c|d|e\n2 [1] [2]\n"},
		{"one column", "a\n1;2\n", "a\n2 [1;2]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(c.in), "f", CSV)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(r); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"empty", "", "f: is empty: at least a line with the column names is needed"},
		{"blank", "\n\n", "f: holds no line with the column names"},
		{"same name twice", "a_b,c,A B\n", `f:1: columns 1 ("a_b") and 3 ("A B") have the same name: rename one of them`},
		{"same key twice", "{\"a\":1}\n{\"A\":1}", `f:2: the keys "a" and "A" have the same name: rename one of them`},
		{"carriage returns", "a,b\r1,2\r", `f:1: lines end in a lone carriage return: convert them to newlines (tr '\r' '\n')`},
		{"array", "[{\"a\":1}]", "f: begins with a JSON array: give one object a line (jq -c '.[]')"},
		{"Parquet", "PAR1xx", "f: is cut off, or still being written: a Parquet file ends with PAR1; fetch it again"},
		{"UTF-16", "\xff\xfea\x00", "f: is UTF-16: convert it, for example with iconv -f UTF-16 -t UTF-8"},
		{"endless record", "a\n\"" + strings.Repeat("x\n", MaxRecord/2), "f:2: a record of more than 16 MB begins here: is a quote left open?"},
		{"endless line", "a\n" + strings.Repeat("x", MaxRecord+1), "f:2: a record of more than 16 MB begins here: is a quote left open?"},
		{"endless field", "a,b\n1," + strings.Repeat("x", MaxField+1), "f:2: column b: is longer than 1024 kB"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(c.in), "f", Sniff)
			if err == nil {
				_, _, err = r.Next()
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	zip := func(s string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		io.WriteString(z, s)
		z.Close()
		return b.Bytes()
	}
	big := "a,b\n" + strings.Repeat("1,2\n", 100_000)
	cases := []struct {
		name string
		body []byte
		want string // beginning of what is read, or of the error
	}{
		{"x.csv", []byte("a,b\n1,2\n"), "a,b\n2 [1] [2]"},
		{"x.TSV", []byte("a,b\n1,2\n"), "a,b\n2 [1,2]"},
		{"x.jsonl", []byte("{\"a\":1}"), "a\n1 [1]"},
		{"x.ndjson.gz", zip("{\"a\":1}"), "a\n1 [1]"},
		{"two.csv.gz", append(zip("a,b\n1,"), zip("2\n3,4\n")...), "a,b\n2 [1] [2]\n3 [3] [4]"}, // gzip files may be concatenated
		{"cut.csv.gz", zip(big)[:300], "a,b\n"},
		{"no.csv.gz", []byte("a,b\n1,2\n"), "not gzip, though"},
		{"zipped.csv", zip("a\n1\n"), "is gzipped: its name must end in .gz"},
		{"x.parquet", []byte("PAR1"), "is cut off, or still being written"},
		{"x.txt", []byte("a"), `the extension ".txt" names no format that is read`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.name)
			if err := os.WriteFile(path, c.body, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := Open(path, nil)
			got := ""
			if err != nil {
				got = strings.TrimPrefix(err.Error(), path+": ")
			} else {
				got = text(r)
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				if n, size := r.Progress(); n != size && c.name != "cut.csv.gz" {
					t.Errorf("%d of %d bytes read", n, size)
				}
			}
			if c.name == "cut.csv.gz" && !strings.Contains(got, "unexpected EOF") {
				t.Errorf("a truncated gzip file gave no error: %.200s", got)
			}
			if !strings.HasPrefix(strings.TrimPrefix(got, "x"), strings.TrimPrefix(c.want, "x")) {
				t.Errorf("got %s", got)
			}
		})
	}
	for name, body := range map[string][]byte{"plain": []byte("a,b\n1,2\n"), "gzip": zip("a,b\n1,2\n")} {
		r, err := Open("-", bytes.NewReader(body))
		if err != nil {
			t.Fatal(name, err)
		}
		if got := text(r); got != "a,b\n2 [1] [2]\n" {
			t.Errorf("%s on standard input: %s", name, got)
		}
	}
	if _, err := Open(filepath.Join(dir, "none.csv"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// The record is what stands in the file, for rows that are set aside.
func TestRecord(t *testing.T) {
	r, err := NewReader(strings.NewReader("a,b\r\n\"x\r\ny\",1\r\n7\r\n"), "f", CSV)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\"x\r\ny\",1", "7"} {
		r.Next()
		if got := string(r.Record()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Whatever encoding/csv writes is read back as it was.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "columns")
		field := rapid.StringOf(rapid.SampledFrom([]rune("ab\",\n\r\té ")))
		var table [][]string
		header := make([]string, n)
		for i := range header {
			header[i] = fmt.Sprint("c", i)
		}
		table = append(table, header)
		for range rapid.IntRange(0, 8).Draw(t, "rows") {
			table = append(table, rapid.SliceOfN(field, n, n).Draw(t, "row"))
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.WriteAll(table)
		r, err := NewReader(iotest.HalfReader(&b), "f", CSV)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range table[1:] {
			if n == 1 && want[0] == "" {
				continue // a blank line
			}
			row, _, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			for j := range want {
				if string(row[j]) != want[j] {
					t.Fatalf("row %d: got %q, want %q", i, row, want)
				}
			}
		}
	})
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("a,b\n\"1\n\",2\n3,\"4\"\"\"\n"), 1)
	f.Add([]byte("a\tb\r\n1\t2"), 2)
	f.Add([]byte("{\"a\":1,\"b\":\"\\u00e9\"}\n{\"c\":[{}]}"), 3)
	f.Fuzz(func(t *testing.T, b []byte, format int) {
		r, err := NewReader(bytes.NewReader(b), "f", Format(uint(format)%4))
		if err != nil {
			return
		}
		last := 0
		for {
			row, line, err := r.Next()
			if err != nil {
				if _, ok := errors.AsType[*LineError](err); ok {
					continue
				}
				return
			}
			if line <= last || len(row) > len(r.Columns()) || len(r.Columns()) != len(r.Header()) {
				t.Fatalf("line %d after %d, %d fields of %d", line, last, len(row), len(r.Columns()))
			}
			last = line
			if r.Format() == NDJSON {
				// encoding/json agrees on what an object is (it takes doubled keys, which are refused here).
				var v map[string]any
				if err := json.Unmarshal(r.Record(), &v); err != nil {
					t.Fatalf("%q: %v", r.Record(), err)
				}
			}
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var c, q, j bytes.Buffer
	c.WriteString("customer_id,at,feature,duration_s\n")
	q.WriteString("customer_id,at,feature,duration_s\n")
	const n = 10_000
	for i := range n {
		fmt.Fprintf(&c, "c%06d,2024-05-31 12:34:56,feature_%d,%d.5\n", i, i%20, i%600)
		fmt.Fprintf(&q, "\"c%06d\",\"2024-05-31 12:34:56\",\"feature_%d\",%d.5\n", i, i%20, i%600)
		fmt.Fprintf(&j, "{\"customer_id\": \"c%06d\", \"at\": \"2024-05-31 12:34:56\", \"feature\": \"feature_%d\", \"duration_s\": %d.5}\n", i, i%20, i%600)
	}
	for name, in := range map[string]struct {
		format Format
		b      []byte
	}{"csv": {CSV, c.Bytes()}, "quoted": {CSV, q.Bytes()}, "ndjson": {NDJSON, j.Bytes()}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(in.b)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(in.b), "f", in.format)
				if err != nil {
					b.Fatal(err)
				}
				for {
					if _, _, err := r.Next(); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
