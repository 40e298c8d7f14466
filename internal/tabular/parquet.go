package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// What is held of a Parquet file at once: a page of every column, and so many values of it that are decoded ahead.
const (
	parquetAhead  = 64       // values
	parquetBuffer = 32 << 10 // bytes of a column that are read at once
)

// parquetTable decodes a Parquet file, row group by row group and page by page. The "line" of a row is its number, from 1.
type parquetTable struct {
	file    *parquet.File
	size    int64
	read    *counter
	names   []string
	cols    []string
	texts   []textOf
	cursors []*parquetCursor
	group   int   // row groups taken so far
	left    int64 // rows of the current one not given yet
	line    int
	row     Row
	spans   []span
	scratch []byte
}

// newParquet opens a table that lies in the first size bytes of src. Progress goes to read.
func newParquet(src io.ReaderAt, size int64, read *counter) (t *parquetTable, err error) {
	defer damage(&err)
	if err := checkEnds(src, size); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(src, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(parquetBuffer))
	if err != nil {
		return nil, damaged(err)
	}
	t = &parquetTable{file: f, size: size, read: read}
	for j, c := range f.Root().Columns() {
		if !c.Leaf() || c.Repeated() {
			return nil, fmt.Errorf("column %s is nested (%s): only flat tables are read; leave the column out, or write its parts as columns of their own", c.Name(), nesting(c))
		}
		text, err := textOfColumn(c.Type(), logicalType(f, j))
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name(), err)
		}
		t.names, t.texts = append(t.names, c.Name()), append(t.texts, text)
	}
	if t.cols, err = unique(t.names, 1); err != nil {
		return nil, errors.Unwrap(err)
	}
	if len(t.cols) == 0 {
		return nil, errors.New("holds no columns")
	}
	return t, nil
}

// checkEnds looks for the magic at both ends: most damaged files lack one.
func checkEnds(src io.ReaderAt, size int64) error {
	if size == 0 {
		return errors.New("is empty: not even the magic PAR1 of a Parquet file is there")
	}
	var head, tail [4]byte
	if _, err := src.ReadAt(head[:], 0); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(head[:], parquetMagic) {
		return errors.New("is no Parquet file, though its name says so: it does not begin with PAR1")
	}
	if _, err := src.ReadAt(tail[:], max(size-4, 4)); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(tail[:], parquetMagic) {
		return errors.New("is cut off, or still being written: a Parquet file ends with PAR1; fetch it again")
	}
	return nil
}

// nesting names the kind of a column that is none of values.
func nesting(c *parquet.Column) string {
	if c.Repeated() {
		return "a list"
	}
	if t := c.Type().LogicalType(); t != nil {
		return "a " + strings.ToLower(t.String())
	}
	return "a struct"
}

func (t *parquetTable) header() []string  { return t.names }
func (t *parquetTable) columns() []string { return t.cols }

// timed tells whether column j holds dates or instants by its type.
func (t *parquetTable) timed(j int) bool {
	switch logicalType(t.file, j).(type) {
	case *format.DateType, *format.TimestampType:
		return true
	}
	return t.file.Root().Columns()[j].Type().Kind() == parquet.Int96
}

// logicalType is what the values of column j of a flat table mean, or nil: as the decoder tells, which knows the marks of older writers too,
// else as the file does.
func logicalType(f *parquet.File, j int) any {
	if l := f.Root().Columns()[j].Type().LogicalType(); l != nil {
		return l.Value
	}
	if l := f.Metadata().Schema[j+1].LogicalType.Value; l != nil {
		return l
	}
	return nil
}

func (t *parquetTable) next() (row Row, line int, err error) {
	defer damage(&err)
	for t.left == 0 {
		if err := t.nextGroup(); err != nil {
			return nil, t.line, err
		}
	}
	t.left--
	t.line++
	if t.line%1024 == 0 && t.file.NumRows() > 0 {
		t.read.n.Store(int64(float64(t.size) * min(float64(t.line)/float64(t.file.NumRows()), 1)))
	}
	t.row, t.spans, t.scratch = t.row[:0], t.spans[:0], t.scratch[:0]
	var fault error
	for j, c := range t.cursors {
		v, err := c.next()
		if err != nil {
			return nil, t.line, damaged(fmt.Errorf("row group %d, column %s: %w", t.group, t.names[j], err))
		}
		s, f, err := span{from: null}, []byte(nil), error(nil)
		if !v.IsNull() {
			from := len(t.scratch)
			if f, t.scratch, err = t.texts[j](v, t.scratch); f == nil && len(t.scratch) > from {
				s = span{from: from, to: len(t.scratch)}
			}
		}
		t.row, t.spans = append(t.row, f), append(t.spans, s)
		if err == nil && f != nil {
			if reason := textFault(f); reason != "" {
				err = errors.New(reason)
			} else if len(f) > MaxField {
				err = fmt.Errorf("is longer than %d kB", MaxField>>10)
			}
		}
		if err != nil && fault == nil {
			fault = &LineError{Line: t.line, Column: t.names[j], Reason: err.Error()}
		}
	}
	for j, s := range t.spans { // scratch no longer moves
		if s.from >= 0 {
			t.row[j] = t.scratch[s.from:s.to:s.to]
		}
	}
	if fault != nil {
		return nil, t.line, fault
	}
	return t.row, t.line, nil
}

// nextGroup goes to the next row group; io.EOF after the last one.
func (t *parquetTable) nextGroup() error {
	t.release()
	groups := t.file.RowGroups()
	if t.group == len(groups) {
		t.read.n.Store(t.size)
		return io.EOF
	}
	g := groups[t.group]
	t.group++
	t.left = g.NumRows()
	chunks := g.ColumnChunks()
	if len(chunks) != len(t.names) || t.left < 0 {
		return damaged(fmt.Errorf("row group %d has %d columns and %d rows", t.group, len(chunks), t.left))
	}
	for j, c := range chunks {
		if c.NumValues() != t.left { // rows would be lost
			return damaged(fmt.Errorf("row group %d, column %s: %d values for %d rows", t.group, t.names[j], c.NumValues(), t.left))
		}
		t.cursors = append(t.cursors, &parquetCursor{pages: c.Pages()})
	}
	return nil
}

func (t *parquetTable) release() {
	for _, c := range t.cursors {
		c.release()
	}
	t.cursors = t.cursors[:0]
}

// record gives the row as a line of CSV: a Parquet row has no text of its own.
func (t *parquetTable) record() []byte {
	var b []byte
	for j, f := range t.row {
		if j > 0 {
			b = append(b, ',')
		}
		b = appendCSV(b, f)
	}
	return b
}

// appendCSV appends a field, quoted where it must be (RFC 4180).
func appendCSV(b, field []byte) []byte {
	if !strings.ContainsAny(string(field), ",\"\r\n") {
		return append(b, field...)
	}
	b = append(b, '"')
	for _, c := range field {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}

// parquetCursor walks over the values of one column chunk.
type parquetCursor struct {
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	ahead  [parquetAhead]parquet.Value
	at, n  int
}

// next gives the next value, valid until the next call. The chunk must have one.
func (c *parquetCursor) next() (parquet.Value, error) {
	for c.at == c.n {
		if c.values == nil {
			page, err := c.pages.ReadPage()
			if errors.Is(err, io.EOF) {
				return parquet.Value{}, errors.New("ends too early")
			}
			if err != nil {
				return parquet.Value{}, err
			}
			c.page, c.values = page, page.Values()
		}
		n, err := c.values.ReadValues(c.ahead[:])
		c.at, c.n = 0, n
		if err != nil && !errors.Is(err, io.EOF) {
			return parquet.Value{}, err
		}
		if n == 0 { // the values of a page live as long as it does
			parquet.Release(c.page)
			c.page, c.values = nil, nil
		}
	}
	c.at++
	return c.ahead[c.at-1], nil
}

func (c *parquetCursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
	}
	_ = c.pages.Close() // it only gives its buffers back
}

// damaged says that the file is at fault. The end of the file comes as io.EOF from below, which must not look like the end of the table.
func damaged(err error) error {
	return fmt.Errorf("is a damaged Parquet file: %s; fetch it again, or write it anew", err.Error())
}

// damage turns a panic of the decoder into an error: it trusts lengths that a damaged file states.
func damage(err *error) {
	if r := recover(); r != nil {
		*err = damaged(fmt.Errorf("%v", r))
	}
}

// spool copies standard input, which cannot be read from its end, into a temporary file that has no name any more.
func spool(r io.Reader) (f *os.File, size int64, err error) {
	if f, err = os.CreateTemp("", "retain-*.parquet"); err != nil {
		return nil, 0, err
	}
	if err = os.Remove(f.Name()); err == nil {
		size, err = io.Copy(f, r)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}
