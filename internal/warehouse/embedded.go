package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/chdb"
)

// A warehouse directory holds
//
//	lock             flocked by the process that has the engine loaded; its content tells others who that is
//	clickhouse.sock  where that process answers the others, when it was asked to serve
//	engine/          libchdb's files
const (
	engineDir  = "engine"
	socketName = "clickhouse.sock"
)

// poll is the time between two looks at a directory that another process holds.
const poll = 50 * time.Millisecond

// openEmbedded becomes the holder of dir, or the client of its holder, whichever it can first.
func openEmbedded(ctx context.Context, dir string, o Options) (*Warehouse, error) {
	dir, err := resolve(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, engineDir)); errors.Is(err, os.ErrNotExist) && !o.Create {
		return nil, fmt.Errorf("%w in %s", ErrNoWarehouse, dir)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if o.Create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	wait := o.Wait
	if wait == 0 {
		wait = 30 * time.Second
	}
	deadline := time.Now().Add(wait)
	for {
		l, holding, err := tryLock(dir)
		if err != nil {
			return nil, err
		}
		if l != nil {
			return hold(ctx, l, o)
		}
		if path := holding.socketPath(dir); answers(ctx, path) {
			w, err := connect(ctx, path, o)
			if !errors.Is(err, ErrWarehouseGone) { // it ended just now: its place may be free
				return w, err
			}
		}
		if !time.Now().Before(deadline) {
			return nil, &LockedError{Dir: dir, PID: holding.pid, Command: holding.command}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(poll):
		}
	}
}

// resolve makes dir absolute and free of links, as far as it exists, so that all its names lead to one socket.
func resolve(dir string) (string, error) {
	if dir == "" {
		return "", errors.New("warehouse.url: embedded: needs a directory, such as embedded:./retain-data")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		return resolved, nil
	}
	return dir, nil
}

// holder is what a process has open while it holds a directory.
type holder struct {
	lock   *lock
	engine *chdb.Engine
	server *http.Server // nil unless it serves
	socket string
	served chan error // of server.Serve
}

// hold loads the engine on the directory that l locks.
func hold(ctx context.Context, l *lock, o Options) (*Warehouse, error) {
	h := &holder{lock: l}
	w, err := h.open(ctx, o)
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	return w, nil
}

func (h *holder) open(ctx context.Context, o Options) (*Warehouse, error) {
	if err := os.Chmod(h.lock.dir, 0o700); err != nil { //nolint:gosec // a directory must be entered
		return nil, err
	}
	socket, err := socketPath(h.lock.dir)
	if err != nil {
		return nil, err
	}
	if err := removeStale(socket); err != nil {
		return nil, err
	}
	if err := h.lock.tell(holding{pid: os.Getpid(), command: o.Command, socket: socket}); err != nil {
		return nil, err
	}
	h.engine, err = chdb.Open(chdb.Options{Dir: filepath.Join(h.lock.dir, engineDir), MemoryLimit: o.MemoryLimit})
	if err != nil {
		return nil, fmt.Errorf("open the warehouse: %w", err)
	}
	w, err := newEmbedded(o, func(*http.Transport) (http.RoundTripper, error) { return h.engine, nil })
	if err != nil {
		return nil, err
	}
	w.held = h
	if !o.Create {
		// The directory is there, but a creation may have been cut off before there was a schema.
		if err := w.checkSchema(ctx); errors.Is(err, ErrNoWarehouse) {
			return nil, errors.Join(err, w.conn.Close())
		}
	}
	if _, err := w.Migrate(ctx); err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	if o.Serve {
		if err := h.serve(socket); err != nil {
			return nil, errors.Join(err, w.conn.Close())
		}
	}
	return w, nil
}

// connect makes this process a client of the holder that answers on the socket at path.
func connect(ctx context.Context, path string, o Options) (*Warehouse, error) {
	w, err := newEmbedded(o, func(t *http.Transport) (http.RoundTripper, error) {
		t.Proxy = nil // HTTP_PROXY is for other machines
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		}
		return &clientTransport{t}, nil
	})
	if err != nil {
		return nil, err
	}
	check := w.checkSchema
	if o.Create { // another database than the holder's may be wanted
		check = func(ctx context.Context) error {
			_, err := w.Migrate(ctx)
			return err
		}
	}
	if err := check(ctx); err != nil {
		return nil, errors.Join(err, w.conn.Close())
	}
	return w, nil
}

// newEmbedded makes the warehouse of an engine that transport reaches.
func newEmbedded(o Options, transport func(*http.Transport) (http.RoundTripper, error)) (*Warehouse, error) {
	name := o.Database
	if name == "" {
		name = defaultDatabase
	}
	settings := endpoint{clickhouse.Options{
		Protocol:      clickhouse.HTTP,
		Addr:          []string{"embedded:0"}, // never looked up
		Auth:          clickhouse.Auth{Username: "default"},
		TransportFunc: transport,
		MaxOpenConns:  maxConns,
		MaxIdleConns:  maxConns / 4,
		DialTimeout:   longest, // which is also how long a statement waits for one of maxConns
		ReadTimeout:   longest,
		Settings:      withUTC(nil),
	}}
	conn, err := settings.open(name)
	if err != nil {
		return nil, err
	}
	return &Warehouse{conn: conn, database: name, settings: settings, embedded: true, log: o.Logger}, nil
}
