// Package tabular streams flat tables from files and standard input: CSV, TSV and NDJSON, each also gzipped, and Parquet.
//
// Every format gives the same thing: named columns and, row by row, the bytes of each field as they stand in the file, with the
// number of the line on which the row begins. Nothing is trimmed, converted or guessed; what the bytes mean is the caller's affair.
// Typed values (Parquet, numbers of NDJSON) become the text that says the same; see parquet_text.go and number.go.
// Memory is bounded by the longest record (MaxRecord), in Parquet by a page of every column, whatever the length of the file.
//
// Text must be UTF-8 (a byte order mark is skipped) without NUL. Lines end in LF or CRLF. Blank lines are skipped.
// CSV may part its columns by semicolons, tabs or bars, if its first line has no comma. CSV and TSV follow RFC 4180: the first record names the columns, a field in double quotes may hold separators, newlines and doubled quotes;
// a quote inside an unquoted field stands for itself. NDJSON has one object a line; see ndjson.go for how its values become text.
package tabular

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// Limits that keep a damaged file from filling the memory.
const (
	MaxRecord  = 16 << 20 // bytes of one record, its quoted newlines included
	MaxField   = 1 << 20  // bytes of one field
	MaxColumns = 4096
)

// Row holds the fields of one record in the order of Reader.Columns. A nil field is null (NDJSON's null, or a key that the object
// lacks). A row may be shorter than Columns: the rest is null. It is valid until the next call of Next.
type Row [][]byte

// LineError is a record that cannot be read, though the next one can: Next may be called again.
type LineError struct {
	File   string
	Line   int    // line on which the record begins, from 1; in Parquet the number of the row
	Column string // as in the file; empty when the whole record is meant
	Reason string // what is wrong and how to mend it
}

func (e *LineError) Error() string {
	if e.Column != "" {
		return fmt.Sprintf("%s:%d: column %s: %s", e.File, e.Line, e.Column, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Reader streams one table. It is not safe for concurrent use, but Progress is.
type Reader struct {
	name    string
	format  Format
	records records
	file    io.Closer
	counted *counter
	size    int64
}

// records decodes the records of one format.
type records interface {
	header() []string        // names as in the file; may grow from row to row
	columns() []string       // the same, normalised
	next() (Row, int, error) // io.EOF after the last row
	record() []byte          // of the last row
}

// Open opens path; "-" reads stdin, whose format is sniffed from its first bytes. The format of a file follows its extension:
// .csv, .tsv, .ndjson or .jsonl, each also with .gz behind it, or .parquet. The column names are read at once.
func Open(path string, stdin io.Reader) (*Reader, error) {
	if path == "-" {
		return open(stdin, "standard input", Sniff, false)
	}
	name := filepath.Base(path)
	format, zipped, err := formatOf(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var r *Reader
	var size int64
	if st, e := f.Stat(); e == nil && st.Mode().IsRegular() {
		size = st.Size()
	}
	if format == Parquet && size > 0 {
		r, err = openParquet(f, size, path)
	} else {
		r, err = open(f, path, format, zipped)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if r.file == nil {
		r.file = f
	}
	r.size = size
	return r, nil
}

// openParquet reads the columns of a Parquet file.
func openParquet(f *os.File, size int64, name string) (*Reader, error) {
	r := &Reader{name: name, format: Parquet, counted: &counter{}, file: f, size: size}
	t, err := newParquet(f, size, r.counted)
	if err != nil {
		return nil, r.named(err)
	}
	r.records = t
	return r, nil
}

// spooled reads a Parquet table whose beginning was taken from src already, by way of a temporary file.
func spooled(src io.Reader, name string) (*Reader, error) {
	f, size, err := spool(src)
	if err != nil {
		return nil, fmt.Errorf("%s: keep it in a temporary file: %w", name, err)
	}
	r, err := openParquet(f, size, name)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// NewReader reads an unzipped table of the given format from src; name stands in errors. A Parquet table needs a Close.
func NewReader(src io.Reader, name string, format Format) (*Reader, error) {
	return open(src, name, format, false)
}

func open(src io.Reader, name string, format Format, zipped bool) (*Reader, error) {
	if src == nil {
		return nil, fmt.Errorf("%s: nothing to read from", name)
	}
	r := &Reader{name: name, counted: &counter{r: src}}
	var in io.Reader = r.counted
	sniffed := format == Sniff
	if sniffed {
		head, rest, err := peek(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		in, zipped = rest, bytes.HasPrefix(head, gzipMagic)
	}
	if zipped {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%s: not gzip, though its name or first bytes say so: %w", name, err)
		}
		in = z // needs no Close: Next has told its errors
	}
	head, rest, err := peek(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if format == Parquet || sniffed && !zipped && bytes.HasPrefix(head, parquetMagic) {
		return spooled(rest, name)
	}
	if format, err = format.check(head); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.format = format
	lines := newLines(rest)
	if err := lines.skipMark(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch format {
	case NDJSON:
		r.records, err = newNDJSON(lines)
	case TSV:
		r.records, err = newDelimited(lines, '\t')
	default:
		r.records, err = newDelimited(lines, separator(head))
	}
	if err != nil {
		return nil, r.named(err)
	}
	return r, nil
}

// Name returns the path, or "standard input".
func (r *Reader) Name() string { return r.name }

// Format returns the format that is being read.
func (r *Reader) Format() Format { return r.format }

// Columns returns the names, normalised by Normalise and without duplicates. A column without a name is "". In NDJSON they are the keys in
// order of first appearance; later rows may append further ones, never change those that stand.
func (r *Reader) Columns() []string { return r.records.columns() }

// Header returns the names as they stand in the file, aligned with Columns.
func (r *Reader) Header() []string { return r.records.header() }

// Next returns the next row and the number of its first line. The error is io.EOF after the last row, a *LineError when only
// this record is unusable, anything else when the file is.
func (r *Reader) Next() (Row, int, error) {
	row, line, err := r.records.next()
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.named(err)
	}
	return row, line, err
}

// Timed reports whether column j holds dates or instants by its type: they come as 2006-01-02, or 2006-01-02T15:04:05.999999999 with Z if in UTC.
func (r *Reader) Timed(j int) bool {
	t, ok := r.records.(*parquetTable)
	return ok && t.timed(j)
}

// Blind tells why the columns are not known before the first call of Next: none of the first hundred lines of NDJSON can be read, and this is the error of
// the first one. nil if one can, and of the other formats.
func (r *Reader) Blind() error {
	if d, ok := r.records.(*ndjson); ok {
		if err := d.blind(); err != nil {
			return r.named(err)
		}
	}
	return nil
}

// Record returns the bytes of the last record as they stand in the file, without its line end; of Parquet it is the row as CSV. It is valid until
// the next call of Next.
func (r *Reader) Record() []byte { return r.records.record() }

// Progress returns the bytes taken from the file so far (gzipped ones if it is gzipped, of Parquet the share of its rows) and the size of the file, 0 when that is not known.
func (r *Reader) Progress() (read, size int64) { return r.counted.n.Load(), r.size }

// Close closes the file; standard input stays open.
func (r *Reader) Close() error {
	if t, ok := r.records.(*parquetTable); ok {
		t.release()
	}
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// named adds the file to errors that know only the line.
func (r *Reader) named(err error) error {
	var le *LineError
	if errors.As(err, &le) {
		le.File = r.name
		return le
	}
	var fe *fatalError
	if errors.As(err, &fe) {
		return fmt.Errorf("%s:%d: %w", r.name, fe.line, fe.err)
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// fatalError ends the reading at a line.
type fatalError struct {
	line int
	err  error
}

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// Normalise turns a column name into the form in which names are compared: lower case, blanks and "-" as "_".
// Blanks around the name are dropped.
func Normalise(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '\u00a0' {
			return '_'
		}
		return r
	}, name)
}

// unique normalises a header and refuses two columns of one name; several columns without a name are all right.
func unique(header []string, line int) ([]string, error) {
	if len(header) > MaxColumns {
		return nil, &fatalError{line, fmt.Errorf("%d columns; at most %d are read", len(header), MaxColumns)}
	}
	columns := make([]string, len(header))
	seen := make(map[string]int, len(header))
	for i, h := range header {
		c := Normalise(h)
		if first, ok := seen[c]; ok && c != "" {
			return nil, &fatalError{line, fmt.Errorf("columns %d (%q) and %d (%q) have the same name: rename one of them", first+1, header[first], i+1, h)}
		}
		seen[c], columns[i] = i, c
	}
	return columns, nil
}

// textFault says what keeps b from being text, or "".
func textFault(b []byte) string {
	if bytes.IndexByte(b, 0) >= 0 {
		return "holds a NUL byte: remove it"
	}
	if !utf8.Valid(b) {
		return "is not UTF-8: convert the file, for example with iconv -f LATIN1 -t UTF-8"
	}
	return ""
}

// counter counts the bytes that were read through it.
type counter struct {
	r io.Reader
	n atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
