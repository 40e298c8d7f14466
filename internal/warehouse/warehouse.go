// Package warehouse opens the database that everything is kept in: an embedded ClickHouse in a directory, or a server.
// Either way it is one clickhouse-go connection pool (Warehouse.Conn), a schema kept by migrations (Migrate) and a fast
// way to read columns in bulk (Blocks).
//
// To write in bulk, clickhouse-go's own batches are good enough: PrepareBatch and then Column(i).Append(slice), 100,000
// to a million rows a batch (a batch stays in memory until Send, and an unsent batch writes nothing). The columns must be
// of equal length: clickhouse-go loses that error, which the embedded engine makes up for and a server does not.
// clickhouse.WithColumnNamesAndTypes saves the question for the types. Append row by row allocates for each value and
// costs a fifth more (BenchmarkInsert).
//
// Values of query parameters are in ClickHouse's escaped form: see Text and Instant. clickhouse.Named escapes by itself.
package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Options say which warehouse to open, and how.
type Options struct {
	URL         string        // required: embedded:DIR, https://user:pw@host:8443/db, http://… or clickhouse://user@host:9440/db?secure=true
	Database    string        // embedded: "" means "retain"; servers: overrides the URL's, of which "" means "retain"
	Wait        time.Duration // how long to wait for another holder of an embedded directory; 0 means 30 s, negative not at all
	Create      bool          // false: a missing embedded directory or schema is ErrNoWarehouse, and nothing is created
	Serve       bool          // the holder answers other processes on DIR/clickhouse.sock
	Command     string        // what others are told that holds the directory, e.g. "retain serve"
	MemoryLimit int64         // embedded: bytes that all statements together may take; 0 means nine tenths of the machine
	Logger      *slog.Logger  // nil discards
}

// ErrNoWarehouse tells that there is no warehouse at the place named, or no schema in it. Commands that write create it.
var ErrNoWarehouse = errors.New("no warehouse")

// Warehouse is an open database. It is safe for concurrent use.
type Warehouse struct {
	conn     driver.Conn
	database string
	settings endpoint // how conn was opened, to open others like it
	native   bool     // clickhouse://, which has no Native format to decode
	held     *holder  // nil unless this process holds an embedded directory
	embedded bool
	log      *slog.Logger
	close    sync.Once
	closed   error // of close
}

const defaultDatabase = "retain"

// Open opens a warehouse. An embedded directory that another process holds is used through that process's socket, and
// waited for while there is none (*LockedError after Wait). An embedded schema is brought up to date; a server's is
// not (Migrate does), and a server without it is ErrNoWarehouse unless Create. A schema newer than this program is an
// error in any case. An embedded directory is made one that only its user can enter (mode 0700).
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if dir, ok := strings.CutPrefix(o.URL, "embedded:"); ok {
		return openEmbedded(ctx, dir, o)
	}
	return openServer(ctx, o)
}

// Conn is clickhouse-go's connection pool, with the warehouse's database as default.
func (w *Warehouse) Conn() driver.Conn { return w.conn }

// Database is the name of the database that holds the schema.
func (w *Warehouse) Database() string { return w.database }

// Embedded tells whether the engine runs in this process or in another one of this machine that holds the directory.
func (w *Warehouse) Embedded() bool { return w.embedded }

// Holds tells whether this process holds the embedded directory, rather than asking another one that does.
func (w *Warehouse) Holds() bool { return w.held != nil }

// Close closes the connections. A holder first lets the statements of other processes end, for at most 10 s.
func (w *Warehouse) Close() error {
	w.close.Do(func() {
		w.closed = w.conn.Close()
		if w.held != nil {
			w.closed = errors.Join(w.closed, w.held.close())
		}
	})
	return w.closed
}

// WithDatabase opens another database of the same engine or server, created and migrated when it is missing. Close it
// before w; its Close leaves w open.
func (w *Warehouse) WithDatabase(ctx context.Context, name string) (*Warehouse, error) {
	conn, err := w.settings.open(name)
	if err != nil {
		return nil, err
	}
	other := &Warehouse{conn: conn, database: name, settings: w.settings, native: w.native, embedded: w.embedded, log: w.log}
	if _, err := other.Migrate(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return other, nil
}

// endpoint says how to reach an engine, with the database left open.
type endpoint struct{ options clickhouse.Options }

// open makes a connection pool; it dials at the first statement.
func (e endpoint) open(database string) (driver.Conn, error) {
	o := e.options
	o.Auth.Database = database
	conn, err := clickhouse.Open(&o)
	if err != nil {
		return nil, fmt.Errorf("open the warehouse: %w", err)
	}
	return conn, nil
}
