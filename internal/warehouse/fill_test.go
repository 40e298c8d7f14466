package warehouse_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// usageRows are n events of a customer, one a second.
func usageRows(customer string, n int) *warehouse.ImportBatch {
	source, _ := warehouse.ImportSourceNamed("usage")
	b := &warehouse.ImportBatch{Texts: make([][]string, len(source.Columns)), Whole: make([][]int64, len(source.Columns))}
	for r := range n {
		at := int64(1_700_000_000_000 + 1000*r)
		for i, c := range source.Columns {
			switch {
			case c.Name == "customer_id":
				b.Texts[i] = append(b.Texts[i], customer)
			case c.Name == "event_id":
				b.Texts[i] = append(b.Texts[i], fmt.Sprint(r))
			case c.Name == "at":
				b.Whole[i] = append(b.Whole[i], at)
			case c.Kind.Textual():
				b.Texts[i] = append(b.Texts[i], "")
			default:
				b.Whole[i] = append(b.Whole[i], warehouse.ImportNull)
			}
		}
		b.IngestedAt, b.IngestedMapped = append(b.IngestedAt, at), append(b.IngestedMapped, 1)
		b.Rows++
	}
	return b
}

// fillUsage feeds n events into a fill.
func fillUsage(t *testing.T, w *warehouse.Warehouse, customer string, n int) *warehouse.Fill {
	t.Helper()
	f, err := w.BeginFill(t.Context(), time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	feed, err := f.Feed("usage")
	if err == nil {
		err = feed.Append(t.Context(), usageRows(customer, n))
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// usageHeld counts the rows of two customers, and the tables that fills have left.
func usageHeld(t *testing.T, w *warehouse.Warehouse) (a, b, tables uint64) {
	t.Helper()
	err := w.Conn().QueryRow(t.Context(), `SELECT countIf(customer_id = 'a'), countIf(customer_id = 'b'),
		(SELECT count() FROM system.tables WHERE database = currentDatabase() AND (startsWith(name, 'import_') OR comment != '')) FROM usage`).Scan(&a, &b, &tables)
	if err != nil {
		t.Fatal(err)
	}
	return a, b, tables
}

// A process that dies leaves the old rows or the new ones, in all sources.
func TestFillOfADeadProcess(t *testing.T) {
	for _, c := range []struct {
		name     string
		progress int // how far it came
		a, b     uint64
	}{
		{"before the rows are complete", warehouse.FillFed, 3, 0},
		{"at the commit", warehouse.FillCommitting, 0, 5},
		{"amid the commit", warehouse.FillHalf, 0, 5},
		{"while it clears up", warehouse.FillExchanged, 0, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := warehousetest.Open(t)
			if _, err := fillUsage(t, w, "a", 3).Commit(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if err := fillUsage(t, w, "b", 5).Die(t.Context(), c.progress); err != nil {
				t.Fatal(err)
			}
			for range 2 { // again changes nothing
				if err := w.RecoverImports(t.Context()); err != nil {
					t.Fatal(err)
				}
				if a, b, tables := usageHeld(t, w); a != c.a || b != c.b || tables != 0 {
					t.Errorf("%d old rows, %d new ones and %d tables beside the sources, want %d, %d and 0", a, b, tables, c.a, c.b)
				}
			}
		})
	}
}

func TestFillRefuses(t *testing.T) {
	w := warehousetest.Open(t)
	f := fillUsage(t, w, "a", 3)
	if _, err := f.Feed("gossip"); err == nil {
		t.Error("a source that is not known is fed")
	}
	if rows, err := f.Commit(t.Context(), false); err != nil || rows["usage"] != 3 || rows["customers"] != 0 {
		t.Fatalf("%v rows, %v", rows, err)
	}
	if _, err := f.Commit(t.Context(), true); err == nil {
		t.Error("a fill commits twice")
	}
	if _, err := fillUsage(t, w, "b", 5).Commit(t.Context(), false); !errors.Is(err, warehouse.ErrSourcesHoldRows) {
		t.Errorf("sources that hold rows: %v", err)
	}
	if a, b, tables := usageHeld(t, w); a != 3 || b != 0 || tables != 0 {
		t.Errorf("%d old rows, %d new ones and %d tables beside the sources", a, b, tables)
	}
	if err := fillUsage(t, w, "b", 5).Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b, tables := usageHeld(t, w); a != 3 || b != 0 || tables != 0 {
		t.Errorf("after an abort: %d old rows, %d new ones and %d tables beside the sources", a, b, tables)
	}
}

// What becomes of the versions of an event, as import has it.
func TestFeedJudgesVersions(t *testing.T) {
	source, _ := warehouse.ImportSourceNamed("usage")
	b := usageRows("a", 9)
	event, errs := b.Texts[source.Column("event_id")], b.Whole[source.Column("errors")]
	at := b.Whole[source.Column("at")]
	for r := range at {
		at[r] = at[0]
	}
	copy(event, []string{"1", "2", "2", "3", "3", "3", "4", "4", "4"})
	copy(errs, []int64{0, 1, 1, 1, 2, 1, 1, 1, 2})
	as, kept := warehouse.Judge(source, b)
	if want := []uint8{1, 1, 0, 3, 2, 2, 3, 0, 2}; !slices.Equal(as, want) { // alone; repeated; back to what it was, later; repeated and then corrected
		t.Errorf("the rows become %v, want %v", as, want)
	}
	if kept != 7 {
		t.Errorf("%d rows kept, want 7", kept)
	}
}
