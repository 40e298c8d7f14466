package warehouse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// TestMain also plays the other process: libchdb opens one directory in a process, so every holder of another directory
// than warehousetest's is this test binary, run again.
func TestMain(m *testing.M) {
	if role := os.Getenv("WAREHOUSE_TEST_ROLE"); role != "" {
		if err := roles[role](os.Getenv("WAREHOUSE_TEST_DIR")); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	warehousetest.Main(m)
}

// roles are what a child process does. It says how far it is by lines on standard output.
var roles = map[string]func(dir string) error{
	"hold":   func(dir string) error { return hold(dir, false) },
	"serve":  func(dir string) error { return hold(dir, true) },
	"short":  short,
	"insert": insertForever,
	"enrol":  enrolTwenty,
	"store":  storeOnly,
}

// hold keeps the warehouse open until standard input ends.
func hold(dir string, serve bool) error {
	w, err := warehouse.Open(context.Background(), warehouse.Options{
		URL: "embedded:" + dir, Create: true, Serve: serve, Command: "test holder",
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return w.Close()
}

// short is a command that does a little and ends.
func short(dir string) error {
	w, err := warehouse.Open(context.Background(), warehouse.Options{URL: "embedded:" + dir, Wait: time.Minute})
	if err != nil {
		return err
	}
	var n uint64
	err = w.Conn().QueryRow(context.Background(), "SELECT count() FROM migrations").Scan(&n)
	fmt.Println("migrations", n)
	return errors.Join(err, w.Close())
}

const batchRows = 20_000

// insertForever writes batch after batch and tells of each that was acknowledged, until it is killed.
func insertForever(dir string) error {
	ctx := context.Background()
	w, err := warehouse.Open(ctx, warehouse.Options{URL: "embedded:" + dir, Create: true})
	if err != nil {
		return err
	}
	if err := w.Conn().Exec(ctx, "CREATE TABLE IF NOT EXISTS acknowledged (batch UInt64, x UInt64) ENGINE = MergeTree ORDER BY (batch, x)"); err != nil {
		return err
	}
	for i := uint64(time.Now().UnixNano()); ; i++ {
		batch, err := w.Conn().PrepareBatch(ctx, "INSERT INTO acknowledged")
		if err != nil {
			return err
		}
		for x := range uint64(batchRows) {
			if err := batch.Append(i, x); err != nil {
				return err
			}
		}
		if err := batch.Send(); err != nil {
			return err
		}
		fmt.Println("batch", i)
	}
}

// child is a running child process.
type child struct {
	*exec.Cmd
	stdin io.Closer
	out   *bufio.Scanner
}

// spawn starts a child in a role on dir; extra are variables of its environment.
func spawn(t *testing.T, role, dir string, extra ...string) *child {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(append(os.Environ(), "WAREHOUSE_TEST_ROLE="+role, "WAREHOUSE_TEST_DIR="+dir), extra...)
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended long ago
		_ = c.Wait()
	})
	return &child{Cmd: c, stdin: stdin, out: bufio.NewScanner(stdout)}
}

// line returns the child's next line.
func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("the child process ended: %v", c.out.Err())
	}
	return c.out.Text()
}

// holder starts a child that has opened dir.
func holder(t *testing.T, role, dir string, extra ...string) *child {
	t.Helper()
	c := spawn(t, role, dir, extra...)
	if line := c.line(t); line != "ready" {
		t.Fatal(line)
	}
	return c
}

// end asks a holder to close, and waits for it.
func (c *child) end(t *testing.T) {
	t.Helper()
	c.stdin.Close()
	if err := c.Wait(); err != nil {
		t.Errorf("the child process: %v", err)
	}
}

// kill ends a child as a power cut would.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // says that it was killed
}

// attach opens dir as a client of its holder.
func attach(t *testing.T, dir string) *warehouse.Warehouse {
	t.Helper()
	w, err := warehouse.Open(t.Context(), warehouse.Options{URL: "embedded:" + dir, Wait: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func count(ctx context.Context, w *warehouse.Warehouse, sql string) (n uint64, err error) {
	err = w.Conn().QueryRow(ctx, sql).Scan(&n)
	return n, err
}

func TestKilledInMidInsert(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []string
	for round := range 3 {
		c := spawn(t, "insert", dir)
		for range 2 + round {
			_, batch, ok := strings.Cut(c.line(t), "batch ")
			if !ok {
				t.Fatal("no acknowledgement")
			}
			acknowledged = append(acknowledged, batch)
		}
		c.kill(t)
	}
	holder(t, "serve", dir)
	w := attach(t, dir)
	if n, err := count(t.Context(), w, "SELECT uniqExact(batch) FROM acknowledged WHERE batch IN ("+strings.Join(acknowledged, ",")+")"); err != nil || n != uint64(len(acknowledged)) {
		t.Errorf("%d of %d acknowledged batches are there: %v", n, len(acknowledged), err)
	}
	if n, err := count(t.Context(), w, "SELECT count() FROM (SELECT batch FROM acknowledged GROUP BY batch HAVING count() != "+strconv.Itoa(batchRows)+")"); err != nil || n != 0 {
		t.Errorf("%d batches are there in part: %v", n, err)
	}
}
