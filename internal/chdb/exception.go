package chdb

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// midStreamError is an exception that came after the status had been sent.
type midStreamError struct{ error }

// exceptionBody turns a *midStreamError of the body that it wraps into the block by which ClickHouse tells an exception
// within a 200 response (WriteBufferFromHTTPServerResponse.cpp); clickhouse-go finds it and returns the exception.
type exceptionBody struct {
	io.ReadCloser
	tag  string // sixteen characters that results cannot guess, announced in X-ClickHouse-Exception-Tag
	rest []byte // of the block
	told bool
}

func newExceptionBody(body io.ReadCloser) *exceptionBody {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return &exceptionBody{ReadCloser: body, tag: hex.EncodeToString(b[:])}
}

func (b *exceptionBody) Read(p []byte) (int, error) {
	if b.told {
		if len(b.rest) == 0 {
			return 0, io.EOF
		}
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	n, err := b.ReadCloser.Read(p)
	var exception *midStreamError
	if errors.As(err, &exception) {
		message := exception.Error()
		b.told = true
		b.rest = fmt.Appendf(nil, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", b.tag, message, len(message), b.tag)
		return n, nil
	}
	return n, err
}
