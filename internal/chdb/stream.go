package chdb

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// selectStream is a running SELECT that gives its result in chunks. One goroutine owns it.
type selectStream struct {
	c     *conn
	head  result
	ended bool
}

// stream starts a SELECT.
func (c *conn) stream(q query) (*selectStream, error) {
	s := &selectStream{c: c, head: result{lib: c.lib, r: c.run(c.lib.streamQuery, c.lib.streamQueryParams, q)}}
	if s.head.r == 0 {
		return nil, errors.New("chdb_stream_query_n returned nothing")
	}
	if err := s.head.err(); err != nil {
		s.head.free()
		return nil, err
	}
	return s, nil
}

// next returns the next chunk, nil at the end.
func (s *selectStream) next() (*result, error) {
	if s.ended {
		return nil, nil
	}
	r := &result{lib: s.c.lib, r: call(s.c.lib.streamFetch, s.c.c, s.head.r)}
	if r.r == 0 {
		s.ended = true
		return nil, nil
	}
	if err := r.err(); err != nil {
		s.ended = true
		r.free()
		return nil, err
	}
	if call(r.lib.resultLength, r.r) == 0 {
		s.ended = true
		r.free()
		return nil, nil
	}
	return r, nil
}

func (s *selectStream) close() {
	if !s.ended {
		call(s.c.lib.streamCancel, s.c.c, s.head.r)
		s.ended = true
	}
	s.head.free()
}

// chunk is what the pump hands to the reader.
type chunk struct {
	r   *result
	err error
}

// streamBody is a response body made of a SELECT's chunks. The goroutine pump owns the C stream, so that a cancel
// never races a fetch; Read and Close belong to the caller, one at a time.
type streamBody struct {
	ctx    context.Context // of the request whose body this is
	stream *selectStream
	finish func(clean bool) // gives the session back; called once, by pump
	kill   func(until <-chan struct{})

	current *result
	rest    []byte // of current
	err     error
	chunks  chan chunk
	quit    chan struct{}
	close   sync.Once
}

// start begins to read ahead, by one chunk. first has been read already; nil is an empty result.
func (b *streamBody) start(first *result) {
	b.chunks, b.quit = make(chan chunk, 1), make(chan struct{})
	if first != nil {
		b.current, b.rest = first, first.bytes()
	}
	go b.pump()
}

func (b *streamBody) pump() {
	clean := false
	defer func() {
		b.stream.close()
		b.finish(clean)
		close(b.chunks)
	}()
	for {
		select {
		case <-b.quit:
			return
		default:
		}
		r, err := b.stream.next()
		if r == nil && err == nil {
			clean = true
			return
		}
		select {
		case b.chunks <- chunk{r, err}:
		case <-b.quit:
			if r != nil {
				r.free()
			}
			return
		case <-b.ctx.Done():
			if r != nil {
				r.free()
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// Read copies from the chunks. An exception in mid-stream is a *midStreamError.
func (b *streamBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.current != nil {
			b.current.free()
			b.current = nil
		}
		if b.err != nil {
			return 0, b.err
		}
		select {
		case c, open := <-b.chunks:
			switch {
			case !open && b.ctx.Err() != nil: // pump may have given up
				b.err = context.Cause(b.ctx)
			case !open:
				b.err = io.EOF
			case c.err != nil && b.ctx.Err() != nil: // the exception is our own KILL QUERY
				b.err = context.Cause(b.ctx)
			case c.err != nil:
				b.err = &midStreamError{c.err}
			default:
				b.current, b.rest = c.r, c.r.bytes()
			}
		case <-b.ctx.Done():
			return 0, context.Cause(b.ctx)
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// patience is how long Close waits before it kills a statement that may be about to end by itself.
const patience = 5 * time.Millisecond

// Close abandons what was not read: the statement is killed, and no later one sees its connection.
func (b *streamBody) Close() error {
	b.close.Do(func() {
		close(b.quit)
		gone := make(chan struct{})
		go func() { // a fetch may be blocked in C
			for c := range b.chunks {
				if c.r != nil {
					c.r.free()
				}
			}
			close(gone)
		}()
		select {
		case <-gone:
		case <-time.After(patience):
			go b.kill(gone)
		}
		if b.current != nil {
			b.current.free()
			b.current, b.rest = nil, nil
		}
		b.err = io.EOF
	})
	return nil
}
