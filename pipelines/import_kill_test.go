package pipelines

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// killRows rows over killMonths months: so many partitions are handed over one by one.
const (
	killRows   = 60_000
	killMonths = 48
)

// An import that is killed at any moment leaves all of its rows or none, and the next one goes through.
func TestImportKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills eight processes")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "usage.csv")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "customer_id,at,event_id,quantity")
	for i := range killRows {
		m := i % killMonths
		fmt.Fprintf(w, "c%d,%d-%02d-%02d,e%d,%d\n", i%1000, 2020+m/12, 1+m%12, 1+i%28, i, i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	// Two corrections and a new event: table and fixes must agree as well.
	fixed := filepath.Join(dir, "fixes.csv")
	if err := os.WriteFile(fixed, []byte("customer_id,at,event_id,quantity,ingested_at\n"+
		"c0,2020-01-01,e0,7,2025-01-01\nc1,2020-02-02,e1,7,2025-01-01\nc9,2025-02-02,new,7,2025-02-02\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	house := filepath.Join(dir, "house")
	rng := rand.New(rand.NewPCG(1, 2))
	const none = "rows 0 fixes 0 tables 0"
	whole := fmt.Sprintf("rows %d fixes 0 tables 0", killRows)
	for round := range 6 {
		// Half of the kills fall after the file is read, where the tables change.
		after := ""
		if round%2 == 1 {
			after = "read"
		}
		killChild(t, house, file, after, time.Duration(rng.Int64N(int64(1500*time.Millisecond))))
		switch got := childCounts(t, house); got {
		case none:
		case whole:
			os.RemoveAll(house) // it went through: begin anew
		default:
			t.Fatalf("round %d left %s", round, got)
		}
	}
	child(t, house, file)
	if got := childCounts(t, house); got != whole {
		t.Fatal(got)
	}
	child(t, house, file)
	if got := childCounts(t, house); got != whole {
		t.Fatalf("the same file after all: %s", got)
	}
	corrected := fmt.Sprintf("rows %d fixes 4 tables 0", killRows+1)
	for range 2 {
		killChild(t, house, fixed, "read", time.Duration(rng.Int64N(int64(500*time.Millisecond))))
		if got := childCounts(t, house); got != whole && got != corrected {
			t.Fatal(got)
		}
	}
	child(t, house, fixed)
	if got := childCounts(t, house); got != corrected {
		t.Fatal(got)
	}
}

// The same for sources of the other kinds of identity: with an id and corrections (contacts), without any (surveys).
func TestImportKilledFeedback(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills processes")
	}
	dir := t.TempDir()
	house := filepath.Join(dir, "house")
	write := func(name, header string, rows int, row func(i int) string) string {
		path := filepath.Join(dir, name)
		text := header + "\n"
		for i := range rows {
			text += row(i) + "\n"
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	contacts := write("contacts.csv", "customer_id,at,contact_id,action", 3000, func(i int) string {
		return fmt.Sprintf("c%d,%d-%02d-02,k%d,offer", i%100, 2020+i%4, 1+i%12, i)
	})
	fixes := write("contacts.fixes.csv", "customer_id,at,contact_id,action,outcome,ingested_at", 500, func(i int) string {
		return fmt.Sprintf("c%d,%d-%02d-02,k%d,offer,clicked,2025-01-01", i%100, 2020+i%4, 1+i%12, i)
	})
	surveys := write("surveys.csv", "customer_id,at,kind,score", 3000, func(i int) string { // each stands twice
		return fmt.Sprintf("c%d,%d-%02d-02,nps,%d", i/2%100, 2020+i/2%4, 1+i/2%12, i/2%11)
	})
	rng := rand.New(rand.NewPCG(5, 6))
	before := "rows 0 fixes 0 tables 0"
	for _, step := range []struct{ file, after string }{
		{contacts, "rows 3000 fixes 0 tables 0"},
		{fixes, "rows 3000 fixes 1000 tables 0"},
		{surveys, "rows 6000 fixes 1000 tables 0"},
	} {
		for range 2 {
			killChild(t, house, step.file, "read", time.Duration(rng.Int64N(int64(800*time.Millisecond))))
			if got := childCounts(t, house); got != before && got != step.after {
				t.Fatalf("%s: killed, it left %s", filepath.Base(step.file), got)
			}
		}
		child(t, house, step.file)
		if got := childCounts(t, house); got != step.after {
			t.Fatalf("%s: %s, want %s", filepath.Base(step.file), got, step.after)
		}
		before = step.after
	}
}

func childCommand(t *testing.T, house, file string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RETAIN_TEST_HOUSE="+house, "RETAIN_TEST_FILE="+file)
	return cmd
}

func child(t *testing.T, house, file string) string {
	t.Helper()
	out, err := childCommand(t, house, file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func childCounts(t *testing.T, house string) string {
	t.Helper()
	for line := range strings.Lines(child(t, house, "")) {
		if _, counts, ok := strings.Cut(line, "counts: "); ok {
			return strings.TrimSpace(counts)
		}
	}
	t.Fatal("the child counted nothing")
	return ""
}

// killChild imports in a process of its own and kills it a while after it prints the word (or starts).
func killChild(t *testing.T, house, file, word string, wait time.Duration) {
	t.Helper()
	cmd := childCommand(t, house, file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if word != "" {
		for lines.Scan() && !strings.Contains(lines.Text(), "child: "+word) {
		}
	}
	timer := time.AfterFunc(wait, func() { cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	for lines.Scan() {
	}
	cmd.Wait() // killed, or done before that
}

// TestMain runs the tests, or, started by childCommand, is the process that TestImportKilled kills.
func TestMain(m *testing.M) {
	childMain()
	house := os.Getenv("RETAIN_TEST_HOUSE")
	if house == "" {
		warehousetest.Main(m)
		return
	}
	if err := importAsChild(house, os.Getenv("RETAIN_TEST_FILE")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// importAsChild imports the file into the warehouse, or, without one, recovers the imports and prints what is there.
func importAsChild(house, file string) (err error) {
	ctx := context.Background()
	w, err := warehouse.Open(ctx, warehouse.Options{URL: "embedded:" + house, Create: true, Command: "test"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if file != "" {
		source, _, _ := strings.Cut(filepath.Base(file), ".")
		if _, ok := warehouse.ImportSourceNamed(source); !ok {
			source = "usage"
		}
		_, err = Import(ctx, ImportOptions{Warehouse: w, Source: source, Path: file, Progress: func(p ImportProgress) {
			if p.Finished {
				fmt.Println("child: read")
			}
		}})
		return err
	}
	if err := w.RecoverImports(ctx); err != nil {
		return err
	}
	var n, fixes, tables uint64
	if err := w.Conn().QueryRow(ctx, `SELECT (SELECT count() FROM usage) + (SELECT count() FROM contacts) + (SELECT count() FROM surveys),
		(SELECT count() FROM usage_fixes) + (SELECT count() FROM contacts_fixes) + (SELECT count() FROM surveys_fixes),
		(SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_'))`).Scan(&n, &fixes, &tables); err != nil {
		return err
	}
	fmt.Printf("counts: rows %d fixes %d tables %d\n", n, fixes, tables)
	return nil
}
