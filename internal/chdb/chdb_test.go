package chdb

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// engine is the one engine of this test process.
var engine *Engine

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if child := os.Getenv("CHDB_TEST_CHILD"); child != "" {
		if err := children[child](); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	dir, err := os.MkdirTemp("", "retain-chdb-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	engine, err = Open(Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := engine.Close(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// open returns an unmodified clickhouse-go on the engine.
func open(t testing.TB) driver.Conn {
	t.Helper()
	return openWith(t, &clickhouse.Options{
		Addr:          []string{"embedded:0"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine, nil },
	})
}

func openWith(t testing.TB, o *clickhouse.Options) driver.Conn {
	t.Helper()
	o.Protocol = clickhouse.HTTP
	o.Auth = clickhouse.Auth{Database: "default", Username: "default"}
	c, err := clickhouse.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
