package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ahead is how many records are read before the columns are told, since objects may lack keys.
const ahead = 100

// ndjson decodes one JSON object a line. A text gives its characters, a number its digits as they stand (no float in between) but for an
// exponent, which is written out, and a fraction of zeros, which is left out: 1e3 is 1000 and 1.0 is 1. true and false their words, null and an absent key a nil field. A nested object or array stays its JSON text.
// A key twice in one object is an error of the line.
type ndjson struct {
	lines   *lines
	names   []string
	cols    []string
	index   map[string]int // key → column
	norm    map[string]int // normalised key → column
	row     Row
	spans   []span // by column; from -1 is null
	scratch []byte
	early   []earlyRow
	raw     []byte // the record of the early row given last; nil: the one of lines
}

// earlyRow is a row that was read to learn the columns.
type earlyRow struct {
	row  Row
	line int
	err  error
	rec  []byte
}

func newNDJSON(l *lines) (*ndjson, error) {
	d := &ndjson{lines: l, index: map[string]int{}, norm: map[string]int{}}
	for len(d.early) < ahead {
		row, line, err := d.read()
		if errors.Is(err, io.EOF) {
			break
		}
		var le *LineError
		if err != nil && !errors.As(err, &le) {
			return nil, err
		}
		e := earlyRow{line: line, err: err, rec: bytes.Clone(l.record())}
		for _, f := range row {
			e.row = append(e.row, bytes.Clone(f)) // Clone keeps nil nil
		}
		d.early = append(d.early, e)
	}
	if len(d.early) == 0 {
		return nil, errors.New("holds no object")
	}
	return d, nil
}

// blind is the error of the first record if none of those read ahead could be read, so that the columns are not known.
func (d *ndjson) blind() error {
	for _, e := range d.early {
		if e.err == nil {
			return nil
		}
	}
	if len(d.early) == 0 {
		return nil
	}
	return d.early[0].err
}

func (d *ndjson) header() []string  { return d.names }
func (d *ndjson) columns() []string { return d.cols }

func (d *ndjson) record() []byte {
	if d.raw != nil {
		return d.raw
	}
	return d.lines.record()
}

func (d *ndjson) next() (Row, int, error) {
	if len(d.early) > 0 {
		e := d.early[0]
		d.early, d.raw = d.early[1:], e.rec
		return e.row, e.line, e.err
	}
	d.raw = nil
	return d.read()
}

func (d *ndjson) read() (Row, int, error) {
	for {
		rec, err := d.lines.next()
		if err != nil {
			return nil, d.lines.first, err
		}
		if len(bytes.TrimSpace(rec)) == 0 {
			continue
		}
		if fault := textFault(rec); fault != "" {
			return nil, d.lines.first, &LineError{Line: d.lines.first, Reason: fault}
		}
		if err := d.object(rec); err != nil {
			return nil, d.lines.first, err
		}
		d.row = d.row[:0]
		for _, s := range d.spans {
			switch {
			case s.from < 0:
				d.row = append(d.row, nil)
			case s.unescaped:
				d.row = append(d.row, d.scratch[s.from:s.to:s.to])
			default:
				d.row = append(d.row, rec[s.from:s.to:s.to])
			}
		}
		return d.row, d.lines.first, nil
	}
}

// object decodes one line into spans.
func (d *ndjson) object(rec []byte) error {
	for i := range d.spans {
		d.spans[i] = span{from: unset}
	}
	d.scratch = d.scratch[:0]
	p := &scanner{b: rec}
	fail := func(column, reason string) error {
		return &LineError{Line: d.lines.first, Column: column, Reason: reason}
	}
	p.blanks()
	if !p.take('{') {
		return fail("", "is not a JSON object: NDJSON has one object a line")
	}
	p.blanks()
	if p.take('}') {
		return d.end(p, fail)
	}
	for expected := 0; ; expected++ {
		p.blanks()
		mark := len(d.scratch)
		key, err := d.text(p)
		if err != nil {
			return fail("", err.Error())
		}
		k := d.bytes(rec, key)
		column, err := d.column(k, expected)
		if err != nil {
			return err
		}
		d.scratch = d.scratch[:mark]
		p.blanks()
		if !p.take(':') {
			return fail(d.names[column], "no colon after the key")
		}
		p.blanks()
		value, err := d.value(p)
		if err != nil {
			return fail(d.names[column], err.Error())
		}
		if d.spans[column].from != unset {
			return fail(d.names[column], "the key stands twice in the object: remove one")
		}
		if value.to-value.from > MaxField {
			return fail(d.names[column], fmt.Sprintf("is longer than %d kB", MaxField>>10))
		}
		d.spans[column] = value
		p.blanks()
		if p.take(',') {
			continue
		}
		if p.take('}') {
			return d.end(p, fail)
		}
		return fail(d.names[column], "neither a comma nor a closing brace after the value")
	}
}

// unset marks a column that the object has not given, null one that it gave as null.
const (
	unset = -1
	null  = -2
)

func (d *ndjson) end(p *scanner, fail func(column, reason string) error) error {
	p.blanks()
	if p.at != len(p.b) {
		return fail("", "text follows the object: NDJSON has one object a line")
	}
	return nil
}

func (d *ndjson) bytes(rec []byte, s span) []byte {
	if s.unescaped {
		return d.scratch[s.from:s.to]
	}
	return rec[s.from:s.to]
}

// column finds the column of a key, or adds it. Objects mostly have their keys in one order, so the expected one is tried first.
func (d *ndjson) column(key []byte, expected int) (int, error) {
	if expected < len(d.names) && d.names[expected] == string(key) {
		return expected, nil
	}
	if i, ok := d.index[string(key)]; ok {
		return i, nil
	}
	name := string(key)
	c := Normalise(name)
	if i, ok := d.norm[c]; ok && c != "" {
		return 0, &fatalError{d.lines.first, fmt.Errorf("the keys %q and %q have the same name: rename one of them", d.names[i], name)}
	}
	if len(d.names) == MaxColumns {
		return 0, &fatalError{d.lines.first, fmt.Errorf("more than %d different keys: values must not stand as keys", MaxColumns)}
	}
	d.index[name], d.norm[c] = len(d.names), len(d.names)
	d.names, d.cols = append(d.names, name), append(d.cols, c)
	d.spans = append(d.spans, span{from: unset})
	return len(d.names) - 1, nil
}

// value scans any JSON value.
func (d *ndjson) value(p *scanner) (span, error) {
	if p.at == len(p.b) {
		return span{}, errors.New("the line ends before the value")
	}
	from := p.at
	switch p.b[p.at] {
	case '"':
		return d.text(p)
	case '{', '[':
		if err := p.nested(); err != nil {
			return span{}, err
		}
		return span{from: from, to: p.at}, nil
	default:
		for p.at < len(p.b) && strings.IndexByte(" \t\r,}]", p.b[p.at]) < 0 {
			p.at++
		}
		word := p.b[from:p.at]
		if string(word) == "null" {
			return span{from: null}, nil
		}
		if string(word) != "true" && string(word) != "false" && !number(word) {
			return span{}, fmt.Errorf("%.80q is not a JSON value: quote texts, and write missing values as null", word)
		}
		if word[0] == '-' || word[0] <= '9' {
			return d.digits(word, from)
		}
		return span{from: from, to: p.at}, nil
	}
}

// digits is the decimal text of a number that stands at from: most are it already.
func (d *ndjson) digits(number []byte, from int) (span, error) {
	if !bytes.ContainsAny(number, ".eE") && string(number) != "-0" {
		return span{from: from, to: from + len(number)}, nil
	}
	start := len(d.scratch)
	longer, ok := decimalText(number, d.scratch)
	if !ok {
		return span{}, fmt.Errorf("%.80q has an exponent beyond ±%d: write it as a text", number, maxShift)
	}
	d.scratch = longer
	return span{start, len(longer), true}, nil
}

// text scans a string; escapes go to scratch.
func (d *ndjson) text(p *scanner) (span, error) {
	if !p.take('"') {
		return span{}, errors.New("a key must be a quoted text")
	}
	from := p.at
	for p.at < len(p.b) {
		switch c := p.b[p.at]; {
		case c == '"':
			p.at++
			return span{from: from, to: p.at - 1}, nil
		case c == '\\':
			return d.escaped(p, from)
		case c < 0x20:
			return span{}, errors.New("a control character stands in a text: escape it")
		}
		p.at++
	}
	return span{}, errors.New("a text is not closed on its line")
}

func (d *ndjson) escaped(p *scanner, from int) (span, error) {
	start := len(d.scratch)
	d.scratch = append(d.scratch, p.b[from:p.at]...)
	for p.at < len(p.b) {
		c := p.b[p.at]
		p.at++
		switch {
		case c == '"':
			return span{start, len(d.scratch), true}, nil
		case c < 0x20:
			return span{}, errors.New("a control character stands in a text: escape it")
		case c != '\\':
			d.scratch = append(d.scratch, c)
			continue
		case p.at == len(p.b):
			return span{}, errors.New("a text is not closed on its line")
		}
		c = p.b[p.at]
		p.at++
		if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
			d.scratch = append(d.scratch, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		if c != 'u' {
			return span{}, fmt.Errorf(`\%c is no escape of JSON`, c)
		}
		r, ok := p.hex()
		if ok && utf16.IsSurrogate(r) {
			ok = p.take('\\') && p.take('u')
			var low rune
			if ok {
				low, ok = p.hex()
			}
			r = utf16.DecodeRune(r, low)
			ok = ok && r != utf8.RuneError
		}
		if !ok {
			return span{}, errors.New(`a \u escape is not a character`)
		}
		if r == 0 {
			return span{}, errors.New(`holds a NUL (\u0000): remove it`)
		}
		d.scratch = utf8.AppendRune(d.scratch, r)
	}
	return span{}, errors.New("a text is not closed on its line")
}

// scanner walks over one line.
type scanner struct {
	b  []byte
	at int
}

func (p *scanner) blanks() {
	for p.at < len(p.b) && (p.b[p.at] == ' ' || p.b[p.at] == '\t' || p.b[p.at] == '\r') {
		p.at++
	}
}

func (p *scanner) take(c byte) bool {
	if p.at < len(p.b) && p.b[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *scanner) hex() (rune, bool) {
	if p.at+4 > len(p.b) {
		return 0, false
	}
	var r rune
	for _, c := range p.b[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	p.at += 4
	return r, true
}

// nested skips an object or array and checks that it is JSON.
func (p *scanner) nested() error {
	from, depth, quoted := p.at, 0, false
	for ; p.at < len(p.b); p.at++ {
		switch c := p.b[p.at]; {
		case quoted && c == '\\':
			p.at++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				p.at++
				if !json.Valid(p.b[from:p.at]) {
					return errors.New("the nested value is not JSON")
				}
				return nil
			}
		}
	}
	p.at = len(p.b)
	return errors.New("the nested value is not closed on its line")
}

// number reports whether b is a number by the grammar of JSON.
func number(b []byte) bool {
	digits := func() bool {
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		b = b[n:]
		return n > 0
	}
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	if len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9' || !digits() {
		return false
	}
	if len(b) > 0 && b[0] == '.' {
		if b = b[1:]; !digits() {
			return false
		}
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(b) == 0
}
