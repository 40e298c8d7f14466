package warehouse_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/warehouse"
)

func TestClientOfAHolder(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must not come between
	dir := filepath.Join(t.TempDir(), "warehouse")
	c := holder(t, "serve", dir)
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "lock"): 0o600, filepath.Join(dir, "clickhouse.sock"): 0o600} {
		at, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if at.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, at.Mode().Perm(), want)
		}
	}
	w := attach(t, dir)
	if !w.Embedded() || w.Database() != "retain" {
		t.Errorf("embedded %v, database %q", w.Embedded(), w.Database())
	}
	ctx := t.Context()
	if err := w.Conn().Exec(ctx, "CREATE TABLE t (x UInt64) ENGINE = MergeTree ORDER BY x"); err != nil {
		t.Fatal(err)
	}
	batch, err := w.Conn().PrepareBatch(ctx, "INSERT INTO t")
	if err != nil {
		t.Fatal(err)
	}
	x := make([]uint64, 100_000)
	for i := range x {
		x[i] = uint64(i)
	}
	if err := batch.Column(0).Append(x); err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for b, err := range w.Blocks(ctx, "SELECT x FROM t WHERE x < {n:UInt64}", clickhouse.Parameters{"n": "1000"}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range b.UInt64s("x") {
			sum += x
		}
	}
	if sum != 499_500 {
		t.Errorf("the sum is %d", sum)
	}
	var exception *clickhouse.Exception
	if err := w.Conn().Exec(ctx, "DROP TABLE nonexist"); !errors.As(err, &exception) || exception.Code != 60 {
		t.Errorf("an exception: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := count(ctx, w, "SELECT count() FROM numbers_mt(100000000000000) WHERE cityHash64(number) = 1"); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, warehouse.ErrWarehouseGone) {
		t.Errorf("a cancelled statement: %v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("cancelling took %v", took)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	c.end(t)
	if _, err := os.Stat(filepath.Join(dir, "clickhouse.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	c := holder(t, "hold", dir)
	start := time.Now()
	_, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:" + dir, Wait: 300 * time.Millisecond})
	var locked *warehouse.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("got %v, want a LockedError", err)
	}
	if took := time.Since(start); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("waited %v", took)
	}
	if locked.PID != c.Process.Pid || locked.Command != "test holder" {
		t.Errorf("the holder is said to be %d %q", locked.PID, locked.Command)
	}
	if !strings.Contains(err.Error(), "test holder") {
		t.Errorf("%q does not name the command", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := warehouse.Open(ctx, warehouse.Options{URL: "embedded:" + dir}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled wait: %v", err)
	}
}

// TestWaitingNoticesLockAndSocket has two commands wait for one that holds without a socket. When it ends, one gets the
// lock; the other follows through its socket, or after it.
func TestWaitingNoticesLockAndSocket(t *testing.T) {
	dir := t.TempDir()
	first := holder(t, "hold", dir)
	server, command := spawn(t, "serve", dir), spawn(t, "short", dir)
	time.Sleep(200 * time.Millisecond) // let them wait; were they late, the test would pass for less
	first.end(t)
	if line := command.line(t); !strings.HasPrefix(line, "migrations ") {
		t.Error(line)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	if line := server.line(t); line != "ready" {
		t.Error(line)
	}
	server.end(t)
}

func TestKilledHolder(t *testing.T) {
	dir := t.TempDir()
	c := holder(t, "serve", dir)
	w := attach(t, dir)
	blocks := 0
	var failed error
	for _, err := range w.Blocks(t.Context(), "SELECT number, sleepEachRow(0.001) FROM numbers(1000000) SETTINGS max_block_size = 10", nil) {
		if err != nil {
			failed = err
			break
		}
		if blocks++; blocks == 1 {
			c.kill(t)
		}
	}
	if blocks == 0 || !errors.Is(failed, warehouse.ErrWarehouseGone) {
		t.Errorf("after %d blocks: %v, want ErrWarehouseGone", blocks, failed)
	}
	if err := w.Conn().Exec(t.Context(), "SELECT 1"); !errors.Is(err, warehouse.ErrWarehouseGone) {
		t.Errorf("Exec: %v, want ErrWarehouseGone", err)
	}
	if _, err := w.Conn().PrepareBatch(t.Context(), "INSERT INTO keys"); !errors.Is(err, warehouse.ErrWarehouseGone) {
		t.Errorf("PrepareBatch: %v, want ErrWarehouseGone", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "clickhouse.sock")); err != nil {
		t.Fatalf("this test wants a stale socket: %v", err)
	}
	next := holder(t, "serve", dir)
	if _, err := count(t.Context(), attach(t, dir), "SELECT count() FROM migrations"); err != nil {
		t.Errorf("with a new holder: %v", err)
	}
	// The old client finds the new holder, too.
	if _, err := count(t.Context(), w, "SELECT count() FROM migrations"); err != nil {
		t.Errorf("with a new holder: %v", err)
	}
	next.end(t)
}

func TestClosingLetsStatementsEnd(t *testing.T) {
	dir := t.TempDir()
	c := holder(t, "serve", dir)
	w := attach(t, dir)
	done := make(chan error, 1)
	go func() {
		_, err := count(t.Context(), w, "SELECT toUInt64(sleep(1))")
		done <- err
	}()
	for {
		n, err := count(t.Context(), w, "SELECT count() FROM system.processes WHERE query LIKE '%sleep(1)%'")
		if err != nil {
			t.Fatal(err)
		}
		if n == 2 { // and the question
			break
		}
	}
	c.end(t)
	if err := <-done; err != nil {
		t.Errorf("a statement that was running: %v", err)
	}
	if _, err := count(t.Context(), w, "SELECT toUInt64(1)"); !errors.Is(err, warehouse.ErrWarehouseGone) {
		t.Errorf("afterwards: %v, want ErrWarehouseGone", err)
	}
}

func TestLongPath(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "warehouse")
	t.Run("XDG_RUNTIME_DIR", func(t *testing.T) {
		runtime := shortTemp(t)
		c := holder(t, "serve", long, "XDG_RUNTIME_DIR="+runtime)
		// The client's environment is another one, as that of a job run by cron is.
		if _, err := count(t.Context(), attach(t, long), "SELECT toUInt64(1)"); err != nil {
			t.Error(err)
		}
		if found, _ := filepath.Glob(filepath.Join(runtime, "retain-*.sock")); len(found) != 1 {
			t.Errorf("sockets in XDG_RUNTIME_DIR: %q", found)
		}
		c.end(t)
	})
	t.Run("temporary directory", func(t *testing.T) {
		temp := shortTemp(t)
		c := holder(t, "serve", long, "XDG_RUNTIME_DIR=", "TMPDIR="+temp)
		if _, err := count(t.Context(), attach(t, long), "SELECT toUInt64(1)"); err != nil {
			t.Error(err)
		}
		found, _ := filepath.Glob(filepath.Join(temp, "retain-*"))
		if len(found) != 1 {
			t.Fatalf("directories of sockets: %q", found)
		}
		if at, err := os.Stat(found[0]); err != nil || at.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", found[0], at.Mode(), err)
		}
		c.end(t)
	})
	t.Run("another's directory", func(t *testing.T) {
		temp := shortTemp(t)
		if err := os.Mkdir(filepath.Join(temp, "retain-"+uid()), 0o755); err != nil {
			t.Fatal(err)
		}
		c := spawn(t, "serve", long, "XDG_RUNTIME_DIR=", "TMPDIR="+temp)
		if line := c.line(t); !strings.Contains(line, "mode 0700") {
			t.Errorf("a directory that others can enter was used: %s", line)
		}
	})
}

func uid() string { return strconv.Itoa(os.Getuid()) }

// shortTemp is a temporary directory whose path leaves room for a socket's name.
func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rt") //nolint:usetesting // t.TempDir is too long
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestNoWarehouse(t *testing.T) {
	empty := t.TempDir()
	missing := filepath.Join(empty, "missing")
	for _, dir := range []string{missing, empty} {
		if _, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:" + dir}); !errors.Is(err, warehouse.ErrNoWarehouse) {
			t.Errorf("%v, want ErrNoWarehouse", err)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%q does not name the directory", err)
		}
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("reading created %v: %v", entries, err)
	}
	if _, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:"}); err == nil {
		t.Error("no directory was accepted")
	}
}

func TestUnservedDatabaseOfAHolder(t *testing.T) {
	dir := t.TempDir()
	holder(t, "serve", dir)
	o := warehouse.Options{URL: "embedded:" + dir, Database: "other"}
	if _, err := warehouse.Open(t.Context(), o); !errors.Is(err, warehouse.ErrNoWarehouse) {
		t.Errorf("%v, want ErrNoWarehouse", err)
	}
	o.Create = true
	w, err := warehouse.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := count(t.Context(), w, "SELECT count() FROM customers"); err != nil {
		t.Error(err)
	}
}
