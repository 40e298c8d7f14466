package tabular

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lines cuts a stream into lines and keeps the bytes of the current record (one line, or several joined by quoted newlines) together.
type lines struct {
	r          io.Reader
	buf        []byte
	start, end int // the record is buf[start:end], its last line end included
	fill       int // buf[:fill] is read
	drained    bool
	first      int // line on which the record begins
	count      int // lines taken so far
}

func newLines(r io.Reader) *lines {
	return &lines{r: r, buf: make([]byte, 256<<10)}
}

// skipMark drops a byte order mark at the beginning.
func (l *lines) skipMark() error {
	for l.fill < len(mark) && !l.drained {
		if err := l.more(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(l.buf[:l.fill], mark) {
		l.start, l.end = len(mark), len(mark)
	}
	return nil
}

// next begins a record with the next line. io.EOF: there is none.
func (l *lines) next() ([]byte, error) {
	l.start = l.end
	l.first = l.count + 1
	return l.extend()
}

// extend appends the next line to the record and returns the whole, without the last line end. io.EOF: there is no further line; the record stays as it is.
func (l *lines) extend() ([]byte, error) {
	from := l.end
	for {
		if i := bytes.IndexByte(l.buf[from:l.fill], '\n'); i >= 0 {
			l.end = from + i + 1
			l.count++
			return l.record(), nil
		}
		if l.drained {
			if l.end == l.fill {
				return nil, io.EOF
			}
			l.end = l.fill
			l.count++
			return l.record(), nil
		}
		from = l.fill
		moved := l.start
		if err := l.more(); err != nil {
			return nil, err
		}
		from -= moved - l.start
	}
}

// record returns the current record without its last line end.
func (l *lines) record() []byte {
	b := l.buf[l.start:l.end]
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n := len(b); n > 0 && b[n-1] == '\r' {
			b = b[:n-1]
		}
	}
	return b
}

// more reads on, first moving the record to the front or growing the buffer.
func (l *lines) more() error {
	if l.fill == len(l.buf) {
		if l.start > 0 {
			copy(l.buf, l.buf[l.start:l.fill])
			l.fill -= l.start
			l.end -= l.start
			l.start = 0
		}
		if l.fill == len(l.buf) {
			if len(l.buf) >= MaxRecord {
				return &fatalError{l.first, fmt.Errorf("a record of more than %d MB begins here: is a quote left open?", MaxRecord>>20)}
			}
			l.buf = append(l.buf, make([]byte, len(l.buf))...)
		}
	}
	n, err := l.r.Read(l.buf[l.fill:])
	l.fill += n
	switch {
	case err == io.EOF:
		l.drained = true
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &fatalError{l.count + 1, fmt.Errorf("read: %w: the compressed file is cut off; fetch it again", err)}
	case err != nil:
		return &fatalError{l.count + 1, fmt.Errorf("read: %w", err)}
	}
	return nil
}
