package warehouse_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// usageBatch is n rows of usage with event ids e0, e1, … over the months of a year; each has errors, and was known so many days after it happened.
func usageBatch(n int, errors int64, days int) *warehouse.ImportBatch {
	source, _ := warehouse.ImportSourceNamed("usage")
	b := &warehouse.ImportBatch{Rows: n, Texts: make([][]string, len(source.Columns)), Whole: make([][]int64, len(source.Columns))}
	for i, c := range source.Columns {
		for r := range n {
			at := time.Date(2024, time.Month(1+r%12), 1, 0, 0, 0, 0, time.UTC)
			text, whole := "", int64(warehouse.ImportNull)
			switch c.Name {
			case "customer_id":
				text = fmt.Sprint("c", r%7)
			case "event_id":
				text = fmt.Sprint("e", r)
			case "at":
				whole = at.UnixMilli()
			case "errors":
				whole = errors
			}
			if c.Kind.Textual() {
				b.Texts[i] = append(b.Texts[i], text)
			} else {
				b.Whole[i] = append(b.Whole[i], whole)
			}
			if i == 0 {
				b.IngestedAt = append(b.IngestedAt, at.AddDate(0, 0, days).UnixMilli())
				b.IngestedMapped = append(b.IngestedMapped, 1)
			}
		}
	}
	return b
}

func stageUsage(t *testing.T, w *warehouse.Warehouse, b *warehouse.ImportBatch) *warehouse.Staging {
	t.Helper()
	source, _ := warehouse.ImportSourceNamed("usage")
	s, err := w.StageImport(t.Context(), source, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return s
}

func counted(t *testing.T, w *warehouse.Warehouse) string {
	t.Helper()
	var rows, events, fixes, versions, tables uint64
	err := w.Conn().QueryRow(context.Background(), `SELECT (SELECT count() FROM usage), (SELECT uniqExact(event_hash) FROM usage),
		(SELECT count() FROM usage_fixes), (SELECT uniqExact(event_hash, row_hash, ingested_at) FROM usage_fixes),
		(SELECT count() FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_'))`).Scan(&rows, &events, &fixes, &versions, &tables)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d rows of %d events, %d fixes of %d versions, %d tables", rows, events, fixes, versions, tables)
}

// However far the hand-over got, recovery brings every row once.
func TestRecoverCommitting(t *testing.T) {
	for _, moved := range []int{0, 1, 5, 13} {
		for _, part := range []string{"0", "event_hash % 2 = 0", "1"} {
			t.Run(fmt.Sprintf("%d moved, %s of the next", moved, part), func(t *testing.T) {
				w := warehousetest.Open(t)
				first := stageUsage(t, w, usageBatch(120, 1, 0))
				if _, err := first.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				// 120 corrections and 80 new events: the fixes and twelve months are moved.
				if err := stageUsage(t, w, usageBatch(200, 2, 1)).DieCommitting(t.Context(), moved, part); err != nil {
					t.Fatal(err)
				}
				if err := w.RecoverImports(t.Context()); err != nil {
					t.Fatal(err)
				}
				const want = "200 rows of 200 events, 240 fixes of 240 versions, 0 tables"
				if got := counted(t, w); got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
				again := stageUsage(t, w, usageBatch(200, 2, 1))
				if counts, err := again.Commit(t.Context()); err != nil || counts.New != 0 {
					t.Errorf("the same rows after recovery: %+v %v", counts, err)
				}
			})
		}
	}
}

func TestRecoverStaging(t *testing.T) {
	w := warehousetest.Open(t)
	alive := stageUsage(t, w, usageBatch(10, 1, 0))
	if err := stageUsage(t, w, usageBatch(20, 1, 0)).Die(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.LockForDead(t.Context(), "usage"); err != nil {
		t.Fatal(err)
	}
	if err := w.RecoverImports(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := counted(t, w), "0 rows of 0 events, 0 fixes of 0 versions, 1 tables"; got != want { // the live one's
		t.Errorf("got %s, want %s", got, want)
	}
	if counts, err := alive.Commit(t.Context()); err != nil || counts.New != 10 {
		t.Errorf("%+v %v", counts, err)
	}
	if err := alive.Abort(t.Context()); err != nil {
		t.Errorf("abort after commit: %v", err)
	}
	if got, want := counted(t, w), "10 rows of 10 events, 0 fixes of 0 versions, 0 tables"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAbortImport(t *testing.T) {
	w := warehousetest.Open(t)
	s := stageUsage(t, w, usageBatch(10, 1, 0))
	if err := s.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context()); err == nil {
		t.Error("an aborted import was committed")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	s = stageUsage(t, w, usageBatch(10, 1, 0))
	cancel()
	if _, err := s.Commit(cancelled); err == nil {
		t.Error("a cancelled import was committed")
	}
	if got, want := counted(t, w), "0 rows of 0 events, 0 fixes of 0 versions, 0 tables"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
