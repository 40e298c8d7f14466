package warehouse_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/warehouse"
)

// server stands in for a ClickHouse server on a TCP port: it passes everything on to a holder's socket.
func server(t *testing.T) (address string) {
	t.Helper()
	dir := t.TempDir()
	holder(t, "serve", dir)
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "holder"}) },
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, "clickhouse.sock"))
		}},
	})
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func TestServer(t *testing.T) {
	address := server(t)
	o := warehouse.Options{URL: "http://someone:secret@" + address + "/analytics"}
	if _, err := warehouse.Open(t.Context(), o); !errors.Is(err, warehouse.ErrNoWarehouse) || !strings.Contains(err.Error(), "retain migrate") {
		t.Errorf("a server without the schema: %v", err)
	}
	o.Create = true
	w, err := warehouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if w.Embedded() || w.Database() != "analytics" {
		t.Errorf("embedded %v, database %q", w.Embedded(), w.Database())
	}
	if _, err := count(t.Context(), w, "SELECT count() FROM customers"); err == nil {
		t.Error("Open migrated a server by itself")
	}
	if applied, err := w.Migrate(t.Context()); err != nil || len(applied) < 3 {
		t.Fatalf("applied %q: %v", applied, err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}

	o.Create = false
	w, err = warehouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rows := 0
	for b, err := range w.Blocks(t.Context(), "SELECT number FROM numbers(200000)", nil) {
		if err != nil {
			t.Fatal(err)
		}
		rows += b.Rows()
	}
	if rows != 200_000 {
		t.Errorf("%d rows", rows)
	}
	var exception *clickhouse.Exception
	if err := w.Conn().Exec(t.Context(), "DROP TABLE nonexist"); !errors.As(err, &exception) || exception.Code != 60 {
		t.Errorf("an exception: %v", err)
	}

	if err := w.Conn().Exec(t.Context(), "ALTER TABLE migrations DELETE WHERE name LIKE '0003%' SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	if _, err := warehouse.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "0003") || !strings.Contains(err.Error(), "retain migrate") {
		t.Errorf("a schema that lags behind: %v", err)
	}
	o.Database = "elsewhere"
	if _, err := warehouse.Open(t.Context(), o); !errors.Is(err, warehouse.ErrNoWarehouse) || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("another database: %v", err)
	}
}

func TestBadURLs(t *testing.T) {
	for _, u := range []string{"", "retain-data", "mysql://host/db", "https://us er:secret@host:port/db", "http://user:secret@host/db?dial_timeout=secret"} {
		_, err := warehouse.Open(t.Context(), warehouse.Options{URL: u})
		if err == nil || !strings.Contains(err.Error(), "warehouse.url") {
			t.Errorf("%q: %v", u, err)
		}
		if strings.Contains(err.Error(), "user:secret") {
			t.Errorf("the password is told: %v", err)
		}
	}
}
