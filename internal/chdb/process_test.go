package chdb

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// children are what this test binary does when it is run again with CHDB_TEST_CHILD set: tests of what a process can do
// once only. They work in their working directory and say what is wrong by an error.
var children = map[string]func() error{
	"reopen":  reopen,
	"signals": signals,
	"config":  hostileConfig,
	"closing": closing,
	"memory":  memoryLimit,
}

func TestInAProcessOfItsOwn(t *testing.T) {
	for _, name := range []string{"reopen", "signals", "config", "closing", "memory"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			child := exec.CommandContext(ctx, os.Args[0])
			child.Dir = t.TempDir()
			child.Env = append(os.Environ(), "CHDB_TEST_CHILD="+name)
			if out, err := child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// reopen: one directory at a time, and another after Close.
func reopen() error {
	first, err := Open(Options{Dir: "first"})
	if err != nil {
		return err
	}
	if second, err := Open(Options{Dir: "second"}); err == nil || !strings.Contains(err.Error(), "first") {
		return fmt.Errorf("a second directory was opened beside the first: %v, %w", second, err)
	}
	if err := ask(first, "CREATE TABLE t (x UInt8) ENGINE = MergeTree ORDER BY x"); err != nil {
		return err
	}
	if err := ask(first, "INSERT INTO t VALUES (1)"); err != nil {
		return err
	}
	if err := first.Close(context.Background()); err != nil {
		return err
	}
	if err := ask(first, "SELECT 1"); !errors.Is(err, errClosed) {
		return fmt.Errorf("a closed engine answers: %w", err)
	}
	for _, dir := range []string{"second", "first"} {
		e, err := Open(Options{Dir: dir})
		if err != nil {
			return err
		}
		if err := ask(e, "SELECT 1"); err != nil {
			return err
		}
		if dir == "first" {
			if err := ask(e, "SELECT throwIf(count() != 1) FROM t"); err != nil {
				return fmt.Errorf("the row is lost: %w", err)
			}
		}
		if err := e.Close(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

// ask runs one statement through the engine, and reads what it gives: Exec would not see an exception in mid-stream.
func ask(e *Engine, sql string) error {
	c, err := clickhouse.Open(&clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{"embedded:0"}, Auth: clickhouse.Auth{Database: "default"},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e, nil },
	})
	if err != nil {
		return err
	}
	_, err = drainRows(c.Query(context.Background(), sql))
	return errors.Join(err, c.Close())
}

// signals: Go's handlers are in force after start and work, SIGTERM included.
func signals() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	before := signalActions()
	e, err := Open(Options{Dir: "engine"})
	if err != nil {
		return err
	}
	if err := ask(e, "SELECT count() FROM numbers_mt(10000000)"); err != nil {
		return err
	}
	if after := signalActions(); !slices.Equal(before, after) {
		return fmt.Errorf("signal handlers changed from %x to %x", before, after)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // any thread may get it, libchdb's too
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		return errors.New("SIGTERM did not arrive")
	}
	return e.Close(context.Background())
}

// hostileConfig: a configuration in the working directory is not read.
func hostileConfig() error {
	for _, name := range []string{"config.xml", "config.yaml", "users.xml"} {
		if err := os.WriteFile(name, []byte("<not xml"), 0o600); err != nil {
			return err
		}
	}
	e, err := Open(Options{Dir: filepath.Join("deep", "engine")})
	if err != nil {
		return err
	}
	return errors.Join(ask(e, "SELECT 1"), e.Close(context.Background()))
}

// closing: Close waits for statements as long as it is told, and then stops them.
func closing() error {
	e, err := Open(Options{Dir: "engine"})
	if err != nil {
		return err
	}
	short, long := make(chan error, 1), make(chan error, 1)
	go func() { short <- ask(e, "SELECT sleep(1)") }()
	go func() { long <- ask(e, "SELECT sleepEachRow(1) FROM numbers(1000) SETTINGS max_block_size = 1") }()
	for { // until both run
		r, err := e.killer.c.query(query{sql: "SELECT count() FROM system.processes WHERE query LIKE '%sleep%'", format: "CSV"})
		if err != nil {
			return err
		}
		n := string(r.bytes())
		r.free()
		if n == "3\n" { // and the question
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	start := time.Now()
	if err := e.Close(ctx); err != nil {
		return err
	}
	if took := time.Since(start); took < time.Second || took > 5*time.Second {
		return fmt.Errorf("Close took %v", took)
	}
	if err := <-short; err != nil {
		return fmt.Errorf("a statement that had time to end: %w", err)
	}
	if err := <-long; !errors.Is(err, errClosed) {
		return fmt.Errorf("a statement that had not: %w", err)
	}
	return nil
}

// memoryLimit: the limits given at start hold.
func memoryLimit() error {
	e, err := Open(Options{Dir: "engine", MemoryLimit: 700 << 20, MarkCache: 1 << 20})
	if err != nil {
		return err
	}
	if err := ask(e, "SELECT throwIf(value != '1048576') FROM system.server_settings WHERE name = 'mark_cache_size'"); err != nil {
		return err
	}
	if err := ask(e, "SELECT groupArray(number) FROM numbers(1000000000)"); code(err) != 241 {
		return fmt.Errorf("over the limit: %w, want code 241", err)
	}
	return errors.Join(ask(e, "SELECT 1"), e.Close(context.Background()))
}
