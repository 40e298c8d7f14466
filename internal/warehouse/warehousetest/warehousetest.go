// Package warehousetest gives tests a warehouse of their own.
package warehousetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"retain/internal/warehouse"
)

// shared is the embedded engine of this test process, of which libchdb allows one.
var shared struct {
	once sync.Once
	w    *warehouse.Warehouse
	dir  string
	err  error
	next atomic.Int64 // number of the next test's database
}

// Open returns a fresh migrated database, dropped and closed when the test ends. Tests may run in parallel. The engine
// behind it is shared by the test process and starts with the first call (0.5 s); without libchdb the test fails and
// names the command that installs it.
func Open(t testing.TB) *warehouse.Warehouse {
	t.Helper()
	shared.once.Do(start)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("test_%d", shared.next.Add(1))
	w, err := shared.w.WithDatabase(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := shared.w.Conn().Exec(context.Background(), "DROP DATABASE "+name)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Main runs a package's tests and then removes the engine's directory at once; without it the next test process does.
//
//	func TestMain(m *testing.M) { warehousetest.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if shared.w != nil {
		if err := shared.w.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir) // else the next test process does it
	}
	os.Exit(code)
}

const pattern = "retain-warehousetest-"

func start() {
	sweep()
	shared.dir, shared.err = os.MkdirTemp("", pattern)
	if shared.err != nil {
		return
	}
	shared.w, shared.err = warehouse.Open(context.Background(), warehouse.Options{
		URL:     "embedded:" + shared.dir,
		Create:  true,
		Command: "go test",
	})
}

// sweep removes the directories of test processes that have ended: those whose lock is free, and old enough that it is
// not about to be taken.
func sweep() {
	locks, err := filepath.Glob(filepath.Join(os.TempDir(), pattern+"*", "lock"))
	if err != nil {
		return
	}
	for _, path := range locks {
		if at, err := os.Stat(path); err != nil || time.Since(at.ModTime()) < time.Minute {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			continue // another process sweeps, or it is another user's
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.RemoveAll(filepath.Dir(path)) // only tidies up
		}
		_ = f.Close()
	}
}
