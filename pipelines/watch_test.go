package pipelines

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/jonboulle/clockwork"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
	"retain/simulation"
)

// watched is a folder with a watch on it.
type watched struct {
	*Watch
	t     *testing.T
	w     *warehouse.Warehouse
	clock *clockwork.FakeClock
}

func watchFolder(t *testing.T) *watched {
	t.Helper()
	w := warehousetest.Open(t)
	clock := clockwork.NewFakeClockAt(time.Now())
	r := &Runner{Open: func(context.Context) (Bench, error) { return Bench{DB: w}, nil }, Who: "test", Clock: clock}
	return &watched{Watch: &Watch{Folder: t.TempDir(), Runner: r}, t: t, w: w, clock: clock}
}

func (x *watched) put(name, text string) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.Folder, name), []byte(text), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

// scan scans and returns the states of the files by name.
func (x *watched) scan() (files map[string]string, o Outcome, err error) {
	x.t.Helper()
	o, err = x.Scan(x.t.Context())
	files = map[string]string{}
	for _, f := range o.Report.(*WatchReport).Files {
		files[f.File] = f.State
	}
	return files, o, err
}

// tree lists the files below the folder.
func (x *watched) tree() (names []string) {
	x.t.Helper()
	err := filepath.WalkDir(x.Folder, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(x.Folder, path)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func (x *watched) rows(source string) (n uint64) {
	x.t.Helper()
	if err := x.w.Conn().QueryRow(x.t.Context(), "SELECT count() FROM "+source).Scan(&n); err != nil {
		x.t.Fatal(err)
	}
	return n
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestWatchImportsAndMoves(t *testing.T) {
	x := watchFolder(t)
	x.put("usage-2026-11-21.csv", "customer_id,at,event_id\na,2026-11-21,1\nb,2026-11-21,2\n")
	x.put("purchases.ndjson", `{"customer_id":"a","at":"2026-11-20","amount":3}`+"\n")
	x.put("gossip.csv", "customer_id,at\na,2026-11-21\n")
	x.put("notes.txt", "x")
	x.put(".usage.csv.part", "half")
	x.put("usage.csv.tmp", "half")
	if err := os.Symlink("notes.txt", filepath.Join(x.Folder, "usage-link.csv")); err != nil { // what it leads to could change unseen
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(x.Folder, "usage_old.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	z.Write([]byte("customer_id,at,event_id\na,2026-11-20,3\n"))
	z.Close()
	f.Close()
	files, o, err := x.scan()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "files", files, map[string]string{"usage-2026-11-21.csv": "imported", "usage_old.csv.gz": "imported", "purchases.ndjson": "imported"})
	same(t, "ignored", o.Report.(*WatchReport).Ignored, []string{"gossip.csv", "notes.txt", "usage-link.csv", "usage.csv.tmp"})
	same(t, "message", o.Message, "3 files imported, 0 known already, 0 failed, 0 not complete yet; 4 ignored, such as gossip.csv")
	same(t, "rows", []int64{o.Rows, int64(x.rows("usage")), int64(x.rows("purchases"))}, []int64{4, 3, 1})
	same(t, "tree", x.tree(), []string{".usage.csv.part", "done/purchases.ndjson", "done/usage-2026-11-21.csv", "done/usage_old.csv.gz", "gossip.csv", "notes.txt", "usage-link.csv", "usage.csv.tmp"})

	// The same content again, under the same and another name, is known and moves without a second import.
	x.put("usage-2026-11-21.csv", "customer_id,at,event_id\na,2026-11-21,1\nb,2026-11-21,2\n")
	x.put("usage-again.csv", "customer_id,at,event_id\na,2026-11-21,1\nb,2026-11-21,2\n")
	files, _, err = x.scan()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "files", files, map[string]string{"usage-2026-11-21.csv": "known", "usage-again.csv": "known"})
	if !slices.Contains(x.tree(), "done/usage-2026-11-21.csv.2") || x.rows("usage") != 3 {
		t.Errorf("%v, %d rows", x.tree(), x.rows("usage"))
	}
}

// The ledger's memory of files belongs to the rows: a simulation that replaces them takes it along.
func TestWatchForgetsReplacedRows(t *testing.T) {
	x := watchFolder(t)
	const text = "customer_id,at,event_id\na,2026-11-21,1\n"
	o := SimulateOptions{Warehouse: x.w, World: newWorld(t, simulation.Options{Customers: 3, Days: 40, Seed: 1}), Churn: simulatedChurn(), Replace: true}
	for range 2 {
		for _, want := range []string{"imported", "known"} {
			x.put("usage.csv", text)
			if files, _, err := x.scan(); err != nil || files["usage.csv"] != want {
				t.Errorf("%v, %v; want %s", files, err, want)
			}
		}
		if _, err := Simulate(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// A reason could not be put beside such a file, so that it would stand in the way of the others every night.
func TestWatchIgnoresEndlessNames(t *testing.T) {
	x := watchFolder(t)
	long := "usage-" + strings.Repeat("x", 240) + ".csv"
	x.put(long, "customer_id,at\na,yesterday\n")
	x.put("usage-"+strings.Repeat("x", longestName-10)+".csv", "customer_id,at\na,yesterday\n")
	files, o, err := x.scan()
	var failed *WatchedFilesError
	if !errors.As(err, &failed) || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	same(t, "ignored", o.Report.(*WatchReport).Ignored, []string{long})
}

func TestWatchFailures(t *testing.T) {
	x := watchFolder(t)
	x.put("usage-bad.csv", "customer_id,at\na,yesterday\n")
	x.put("usage-good.csv", "customer_id,at\na,2026-11-21\n")
	x.put("purchases-odd.csv", "who,when\n1,2\n")
	files, _, err := x.scan()
	var failed *WatchedFilesError
	if !errors.As(err, &failed) || len(failed.Files) != 2 || !strings.Contains(err.Error(), "failed") {
		t.Fatalf("%v, want an error that names two files and where they lie", err)
	}
	same(t, "files", files, map[string]string{"usage-bad.csv": "failed", "usage-good.csv": "imported", "purchases-odd.csv": "failed"})
	same(t, "tree", x.tree(), []string{"done/usage-good.csv", "failed/purchases-odd.csv", "failed/purchases-odd.csv.error", "failed/usage-bad.csv", "failed/usage-bad.csv.error"})
	why, err := os.ReadFile(filepath.Join(x.Folder, "failed", "usage-bad.csv.error"))
	if err != nil || !strings.Contains(string(why), "usage-bad.csv:2") {
		t.Errorf("the reason is %q (%v), want the line", why, err)
	}
	// Mended and put back.
	x.put("usage-bad.csv", "customer_id,at\na,2026-11-20\n")
	if files, _, err := x.scan(); err != nil || files["usage-bad.csv"] != "imported" || x.rows("usage") != 2 {
		t.Errorf("mended: %v, %v", files, err)
	}
}

// A cell that cannot be read is told to who put the file there, and neither to the log nor to the ledger: it is known of a customer, and may be anything.
func TestWatchTellsNoCells(t *testing.T) {
	x := watchFolder(t)
	var log bytes.Buffer
	x.Runner.Log = slog.New(slog.NewTextHandler(&log, nil))
	x.put("usage-bad.csv", "customer_id,at,duration_s\na,2026-11-21,\"Ann \"\"Roe\"\"\"\n")
	_, o, err := x.scan()
	if err == nil {
		t.Fatal("a bad row is imported")
	}
	rows, failed := x.w.Jobs(t.Context(), "", 10)
	if failed != nil || len(rows) != 1 {
		t.Fatal(rows, failed)
	}
	report := *o.Report.(*WatchReport).Files[0].Error
	for where, text := range map[string]string{"the log": log.String(), "the error": err.Error(), "the ledger": rows[0].Error, "the report": report} {
		if strings.Contains(text, "Roe") || !strings.Contains(text, "usage-bad.csv:2: column duration_s: is not a number") {
			t.Errorf("%s: %s", where, text)
		}
	}
	why, err := os.ReadFile(filepath.Join(x.Folder, "failed", "usage-bad.csv.error"))
	if err != nil || !strings.Contains(string(why), "Roe") {
		t.Errorf("beside the file: %q, %v", why, err)
	}
}

func TestFaultsOfAFile(t *testing.T) {
	const path = "in/usage.csv"
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want bool
	}{
		{"a bad row", t.Context(), &BadRowError{Line: 2}, true},
		{"it may not be read", t.Context(), fmt.Errorf("import: %w", &fs.PathError{Op: "open", Path: path, Err: syscall.EACCES}), true},
		{"another file may not be written", t.Context(), &fs.PathError{Op: "open", Path: path + ".rejected", Err: syscall.EACCES}, false},
		{"the disk is broken", t.Context(), &fs.PathError{Op: "read", Path: path, Err: syscall.EIO}, false},
		{"the warehouse refuses", t.Context(), &clickhouse.Exception{Code: 241}, false},
		{"the holder is gone", t.Context(), warehouse.ErrWarehouseGone, false},
		{"stopped", stopped, &BadRowError{Line: 2}, false},
	} {
		if got := ofFile(c.ctx, path, c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestWatchSidecar(t *testing.T) {
	x := watchFolder(t)
	x.put("usage.map.yaml", "map: {customer_id: who, at: seen}\nset: {channel: app}\ntime_format: '%d.%m.%Y'\nskip_bad: 1\n")
	x.put("usage-1.csv", "who,seen\na,21.11.2026\nb,never\n")
	files, _, err := x.scan()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "files", files, map[string]string{"usage-1.csv": "imported"})
	same(t, "tree", x.tree(), []string{"done/usage-1.csv", "done/usage-1.csv.rejected", "usage.map.yaml"})
	var channel string
	var at time.Time
	if err := x.w.Conn().QueryRow(t.Context(), "SELECT channel, at FROM usage").Scan(&channel, &at); err != nil || channel != "app" || at.Format(time.DateOnly) != "2026-11-21" {
		t.Errorf("%q at %v, %v", channel, at, err)
	}
	// Read otherwise, the same bytes are another import.
	x.put("usage.map.yaml", "map: {customer_id: who, at: seen, user_id: who}\ntime_format: '%d.%m.%Y'\nskip_bad: 1\n")
	x.put("usage-1.csv", "who,seen\na,21.11.2026\nb,never\n")
	if files, _, _ := x.scan(); files["usage-1.csv"] == "known" {
		t.Error("a changed mapping is not looked at")
	}
	x.put("usage.map.yaml", "mapp: {}\n")
	x.put("usage-2.csv", "who,seen\na,22.11.2026\n")
	if _, _, err := x.scan(); err == nil || !strings.Contains(err.Error(), "usage.map.yaml") || !strings.Contains(err.Error(), "time_format") {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestWatchWaitsForCompleteFiles(t *testing.T) {
	x := watchFolder(t)
	x.Settle = time.Minute
	x.put("usage-1.csv", "customer_id,at\na,2026-11-21\n")
	at := x.clock.Now()
	if err := os.Chtimes(filepath.Join(x.Folder, "usage-1.csv"), at, at); err != nil {
		t.Fatal(err)
	}
	x.clock.Advance(59 * time.Second)
	if files, o, err := x.scan(); err != nil || len(files) != 0 || !slices.Equal(o.Report.(*WatchReport).Waiting, []string{"usage-1.csv"}) {
		t.Errorf("after 59 s: %v, %v", files, err)
	}
	x.clock.Advance(2 * time.Second)
	if files, _, err := x.scan(); err != nil || files["usage-1.csv"] != "imported" {
		t.Errorf("after 61 s: %v, %v", files, err)
	}
}

// A process that died between any two steps leaves a file that the next scan settles.
func TestWatchAfterACrash(t *testing.T) {
	const text = "customer_id,at,event_id\na,2026-11-21,1\n"
	t.Run("imported, but not noted", func(t *testing.T) {
		x := watchFolder(t)
		x.put("usage-1.csv", text)
		o := ImportOptions{Warehouse: x.w, Source: "usage", Path: filepath.Join(x.Folder, "usage-1.csv")}
		if _, err := Import(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		key, err := x.contentKey(t.Context(), candidate{name: "usage-1.csv", source: "usage", format: "csv"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		row, _, err := x.w.ClaimJob(t.Context(), warehouse.JobRow{Job: JobImport, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		row.Owner = ""
		if _, err := x.w.RecordJob(t.Context(), row); err != nil {
			t.Fatal(err)
		}
		if files, o, err := x.scan(); err != nil || files["usage-1.csv"] != "imported" || o.Rows != 0 || x.rows("usage") != 1 {
			t.Errorf("%v, %d new, %d rows, %v", files, o.Rows, x.rows("usage"), err)
		}
		same(t, "tree", x.tree(), []string{"done/usage-1.csv"})
	})
	t.Run("noted, but not moved", func(t *testing.T) {
		x := watchFolder(t)
		x.put("usage-1.csv", text)
		if _, _, err := x.scan(); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(x.Folder, "done", "usage-1.csv"), filepath.Join(x.Folder, "usage-1.csv")); err != nil {
			t.Fatal(err)
		}
		if files, _, err := x.scan(); err != nil || files["usage-1.csv"] != "known" || x.rows("usage") != 1 {
			t.Errorf("%v, %v", files, err)
		}
	})
}

func TestWatchNoFolder(t *testing.T) {
	x := watchFolder(t)
	x.Folder = filepath.Join(x.Folder, "none")
	if _, err := x.Scan(t.Context()); err == nil || !strings.Contains(err.Error(), "schedule.import.folder") {
		t.Errorf("%v, want the key of the configuration", err)
	}
}
