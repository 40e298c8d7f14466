package warehouse

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// maxConns is the number of statements that one process sends at once before the next one waits.
const maxConns = 64

// longest is how long an answer may take to begin. A context ends a statement sooner; this only must not.
const longest = 24 * time.Hour

// openServer opens https://, http:// and clickhouse://.
func openServer(ctx context.Context, o Options) (*Warehouse, error) {
	at, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("warehouse.url: not a URL: %w", errors.Unwrap(err)) // the outer error repeats the password
	}
	switch at.Scheme {
	case "http", "https", "clickhouse":
	default:
		return nil, fmt.Errorf("warehouse.url: scheme %q is none of embedded:, https://, http://, clickhouse://", at.Scheme)
	}
	if at.Port() == "" {
		at.Host += ":" + defaultPort(at)
	}
	if q := at.Query(); at.Scheme == "https" && !q.Has("secure") {
		q.Set("secure", "true") // the driver wants it said twice
		at.RawQuery = q.Encode()
	}
	options, err := clickhouse.ParseDSN(at.String())
	if err != nil {
		return nil, fmt.Errorf("warehouse.url: %w", err)
	}
	native := at.Scheme == "clickhouse"
	if options.MaxOpenConns == 0 {
		options.MaxOpenConns, options.MaxIdleConns = maxConns, maxConns/4
	}
	if options.ReadTimeout == 0 {
		options.ReadTimeout = longest
	}
	if !native {
		options.Compression = nil
		options.Settings = withUTC(options.Settings)
	}
	name := options.Auth.Database
	if o.Database != "" {
		name = o.Database
	}
	if name == "" {
		name = defaultDatabase
	}
	settings := endpoint{*options}
	conn, err := settings.open(name)
	if err != nil {
		return nil, err
	}
	w := &Warehouse{conn: conn, database: name, settings: settings, native: native, log: o.Logger}
	if !o.Create {
		if err := w.checkSchema(ctx); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return w, nil
}

// defaultPort is ClickHouse's own for the URL's protocol.
func defaultPort(at *url.URL) string {
	secure := at.Query().Get("secure") == "true"
	switch {
	case at.Scheme == "https":
		return "8443"
	case at.Scheme == "http":
		return "8123"
	case secure:
		return "9440"
	}
	return "9000"
}

// withUTC makes times without a zone UTC, whatever the server's zone is.
func withUTC(s clickhouse.Settings) clickhouse.Settings {
	if s == nil {
		s = clickhouse.Settings{}
	}
	if _, set := s["session_timezone"]; !set {
		s["session_timezone"] = "UTC"
	}
	return s
}
