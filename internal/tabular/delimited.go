package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// delimited decodes CSV and TSV.
type delimited struct {
	lines   *lines
	comma   byte
	names   []string
	cols    []string
	row     Row
	spans   []span
	scratch []byte // text of the row's quoted fields
}

func newDelimited(l *lines, comma byte) (*delimited, error) {
	d := &delimited{lines: l, comma: comma}
	row, line, err := d.read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("holds no line with the column names")
	}
	if err != nil {
		return nil, err
	}
	for _, f := range row {
		if bytes.IndexByte(f, '\r') >= 0 {
			return nil, &fatalError{line, errors.New("lines end in a lone carriage return: convert them to newlines (tr '\\r' '\\n')")}
		}
		d.names = append(d.names, string(f))
	}
	d.cols, err = unique(d.names, line)
	return d, err
}

func (d *delimited) header() []string  { return d.names }
func (d *delimited) columns() []string { return d.cols }
func (d *delimited) record() []byte    { return d.lines.record() }

func (d *delimited) next() (Row, int, error) {
	row, line, err := d.read()
	if err != nil {
		return nil, line, err
	}
	if len(row) != len(d.cols) {
		return nil, line, &LineError{Line: line, Reason: fmt.Sprintf(
			"has %d fields, but the header has %d: quote fields that hold a separator, or mend the row", len(row), len(d.cols))}
	}
	return row, line, nil
}

// read decodes the next record that is not blank.
func (d *delimited) read() (Row, int, error) {
	for {
		rec, err := d.lines.next()
		if err != nil {
			return nil, d.lines.first, err
		}
		if len(rec) == 0 {
			continue
		}
		d.row, d.scratch = d.row[:0], d.scratch[:0]
		if bytes.IndexByte(rec, '"') < 0 {
			d.plain(rec)
		} else if rec, err = d.quoted(rec); err != nil {
			return nil, d.lines.first, err
		}
		if fault := textFault(rec); fault != "" {
			return nil, d.lines.first, d.fault(fault)
		}
		for i, f := range d.row {
			if len(f) > MaxField {
				return nil, d.lines.first, &LineError{Line: d.lines.first, Column: d.name(i), Reason: fmt.Sprintf("is longer than %d kB", MaxField>>10)}
			}
		}
		return d.row, d.lines.first, nil
	}
}

// fault names the first field that is not text.
func (d *delimited) fault(reason string) error {
	for i, f := range d.row {
		if r := textFault(f); r != "" {
			return &LineError{Line: d.lines.first, Column: d.name(i), Reason: r}
		}
	}
	return &LineError{Line: d.lines.first, Reason: reason}
}

func (d *delimited) name(i int) string {
	if i < len(d.names) {
		return d.names[i]
	}
	return fmt.Sprintf("number %d", i+1)
}

// plain splits a record without quotes.
func (d *delimited) plain(rec []byte) {
	for {
		i := bytes.IndexByte(rec, d.comma)
		if i < 0 {
			d.row = append(d.row, rec)
			return
		}
		d.row = append(d.row, rec[:i:i])
		rec = rec[i+1:]
	}
}

// span is a field: bytes [from, to) of the record, or of the scratch memory. Offsets, since both may move while the record grows.
type span struct {
	from, to  int
	unescaped bool
}

// quoted splits a record that holds quotes, joining further lines while one stays open. It returns the whole record.
func (d *delimited) quoted(rec []byte) ([]byte, error) {
	d.spans = d.spans[:0]
	defer func() {
		for _, s := range d.spans {
			if s.unescaped {
				d.row = append(d.row, d.scratch[s.from:s.to:s.to])
			} else {
				d.row = append(d.row, rec[s.from:s.to:s.to])
			}
		}
	}()
	at := 0
	for {
		if at >= len(rec) || rec[at] != '"' { // an unquoted field: quotes inside stand for themselves
			i := bytes.IndexByte(rec[at:], d.comma)
			if i < 0 {
				d.spans = append(d.spans, span{at, len(rec), false})
				return rec, nil
			}
			d.spans = append(d.spans, span{at, at + i, false})
			at += i + 1
			continue
		}
		at++
		from, seen := len(d.scratch), at // no quote lies in rec[at:seen]
		for {
			i := bytes.IndexByte(rec[seen:], '"') + seen - at
			if i < seen-at { // the quote is still open
				seen = len(rec)
				longer, err := d.lines.extend()
				if errors.Is(err, io.EOF) {
					return rec, &fatalError{d.lines.first, errors.New("a quote that opens here is never closed")}
				}
				if err != nil {
					return rec, err
				}
				rec = longer
				continue
			}
			if at+i+1 < len(rec) && rec[at+i+1] == '"' { // a doubled quote
				d.scratch = append(d.scratch, rec[at:at+i+1]...)
				at += i + 2
				seen = at
				continue
			}
			d.scratch = append(d.scratch, rec[at:at+i]...)
			at += i + 1
			break
		}
		d.spans = append(d.spans, span{from, len(d.scratch), true})
		if at == len(rec) {
			return rec, nil
		}
		if rec[at] != d.comma {
			return rec, &LineError{Line: d.lines.first, Column: d.name(len(d.spans) - 1), Reason: "text follows a closing quote: double the quotes inside a quoted field"}
		}
		at++
	}
}
