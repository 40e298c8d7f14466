package chdb

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// RoundTrip answers a request of clickhouse-go within this process: no socket, no HTTP framing.
// Use it as clickhouse.Options.TransportFunc with Protocol HTTP and Compression nil.
func (e *Engine) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		// Also wakes an INSERT that waits for rows, when the context ends.
		defer func() { _ = r.Body.Close() }()
	}
	ctx, release := e.withEnd(r.Context())
	answered := make(chan *reply, 1)
	go func() { answered <- e.serve(ctx, r) }()
	var rep *reply
	select {
	case rep = <-answered:
	case <-ctx.Done(): // the statement is being killed; nobody waits for that
		go func() {
			if late := <-answered; late.body != nil {
				_ = late.body.Close()
			}
			release()
		}()
		return nil, context.Cause(ctx)
	}
	if rep.err != nil {
		release()
		return nil, rep.err
	}
	length := int64(-1)
	if rep.body == http.NoBody {
		length = 0 // by which clickhouse-go knows that there is no block to decode
	}
	return &http.Response{
		Status:        strconv.Itoa(rep.status) + " " + http.StatusText(rep.status),
		StatusCode:    rep.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        rep.header,
		Body:          &releasingBody{rep.body, release},
		ContentLength: length,
		Request:       r,
	}, nil
}

// releasingBody gives up what a request held when its body is closed.
type releasingBody struct {
	io.ReadCloser
	release func()
}

func (b *releasingBody) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}

// ServeHTTP answers other processes, over a listener that only their user can reach: the statements are not restricted.
// A statement that the engine's end cuts off breaks the connection, so that no part of a result passes for the whole.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, release := e.withEnd(r.Context())
	defer release()
	rep := e.serve(ctx, r)
	if errors.Is(rep.err, errClosed) {
		http.Error(w, errClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	if rep.err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = rep.body.Close() }()
	for name, values := range rep.header {
		w.Header()[name] = values
	}
	w.WriteHeader(rep.status)
	// The wrapper hides ReadFrom, whose buffer would be smaller.
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, rep.body, make([]byte, 256<<10)); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// withEnd derives a context that also ends, with cause errClosed, when the engine stops its statements.
func (e *Engine) withEnd(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.stopping, func() { cancel(errClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}
