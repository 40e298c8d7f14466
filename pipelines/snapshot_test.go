package pipelines

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// A stored snapshot is bit for bit what would be computed, and one whose rows have changed is not used.
func TestSnapshotIsWhatIsComputed(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	store := &features.Store{DB: w}
	cutoff := worldStart.AddDate(0, 0, 199)
	computed, err := computeInput(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer computed.Population.Close(t.Context())
	work, err := SnapshotWork(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice changes nothing
		if _, err := work.Do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := storedInput(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatalf("the stored snapshot does not serve: %v", err)
	}
	defer stored.Population.Close(t.Context())
	if !sameBits(computed, stored) {
		t.Error("the stored snapshot differs from the computed one")
	}
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"customers", stored.Population.Customer, computed.Population.Customer},
		{"statuses", stored.Population.Status, computed.Population.Status},
		{"codes", stored.Population.StatusCode, computed.Population.StatusCode},
		{"eligible", stored.Population.Eligible(), computed.Population.Eligible()},
		{"schema", stored.X.Schema, computed.X.Schema},
		{"scratch table", tableRows(t, w, stored.Population.Table), tableRows(t, w, computed.Population.Table)},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
	}

	// A run is the same run whether the snapshot is there or not.
	first, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Conn().Exec(t.Context(), "TRUNCATE TABLE snapshot_columns"); err != nil {
		t.Fatal(err)
	}
	if again, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff)); err != nil || again.ID != first.ID {
		t.Errorf("without its columns: run %s (%v), want %s", again.ID, err, first.ID)
	}
	late := "customer_id,at,order_id,amount\nc001,2025-07-18 10:00:00,late,7\n"
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader([]byte(late))}); err != nil {
		t.Fatal(err)
	}
	if _, err := storedInput(t.Context(), store, m.Artifact, cutoff); !errors.Is(err, warehouse.ErrNoSnapshot) {
		t.Errorf("a late row is not seen: %v", err)
	}
	now, err := readInput(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer now.Population.Close(t.Context())
	if sameBits(now, stored) {
		t.Error("a late row is not seen: the snapshot from before it is used")
	}
	if next, err := SnapshotWork(t.Context(), store, m.Artifact, cutoff); err != nil || next.Key == work.Key {
		t.Errorf("other rows have the same key %s (%v)", next.Key, err)
	}
	// Rows that came in since it was planned are taken.
	if _, err := work.Do(t.Context()); err != nil {
		t.Fatal(err)
	}
	newer, err := storedInput(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer newer.Population.Close(t.Context())
	if !sameBits(now, newer) {
		t.Error("the snapshot after a late row differs from what is computed")
	}
}

// While rows known at the cutoff arrive without end there is no snapshot of one state of them, but a run all the same.
func TestSnapshotWhileRowsArrive(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	store := &features.Store{DB: w}
	cutoff := worldStart.AddDate(0, 0, 199)
	work, err := SnapshotWork(t.Context(), store, m.Artifact, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	arriving, stop := context.WithCancel(t.Context())
	arrived := make(chan int)
	go func() {
		n := 0
		for ; arriving.Err() == nil; n++ {
			if err := w.Conn().Exec(t.Context(), "INSERT INTO purchases SELECT * REPLACE (rand64() AS event_hash) FROM purchases ORDER BY at LIMIT 1"); err != nil {
				t.Error(err)
				break
			}
		}
		arrived <- n
	}()
	outcome, err := work.Do(t.Context())
	stop()
	if n := <-arrived; n < 3 {
		t.Fatalf("only %d rows arrived: the test looks at nothing", n)
	}
	if err != nil || !strings.Contains(outcome.Message, "nothing is kept") {
		t.Errorf("%+v, %v", outcome, err)
	}
	if run, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff)); err != nil || run.Scored == 0 {
		t.Errorf("the run: %+v, %v", run, err)
	}
}

func sameBits(a, b *scoringInput) bool {
	if !slices.EqualFunc(a.Monthly, b.Monthly, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) }) || len(a.X.X) != len(b.X.X) {
		return false
	}
	for j := range a.X.X {
		if !slices.EqualFunc(a.X.X[j], b.X.X[j], func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
			return false
		}
	}
	return true
}

func tableRows(t *testing.T, w *warehouse.Warehouse, table string) (ids []string) {
	t.Helper()
	if err := w.Conn().QueryRow(t.Context(), "SELECT groupArray(customer_id) FROM (SELECT customer_id FROM `"+table+"` ORDER BY customer_id)").Scan(&ids); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestOldSnapshotsGo(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 200)
	store := &features.Store{DB: w}
	for d := range 5 {
		work, err := SnapshotWork(t.Context(), store, m.Artifact, worldStart.AddDate(0, 0, 190+d))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := work.Do(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	var rows, partitions uint64
	if err := w.Conn().QueryRow(t.Context(), `WITH scoring AS (SELECT snapshot_id FROM snapshots WHERE NOT startsWith(fingerprint, 'training '))
		SELECT (SELECT count() FROM scoring), (SELECT uniqExact(snapshot_id) FROM snapshot_columns WHERE snapshot_id IN scoring)`).Scan(&rows, &partitions); err != nil {
		t.Fatal(err)
	}
	if rows != 3 || partitions != 3 {
		t.Errorf("%d snapshots and the columns of %d are kept, want 3", rows, partitions)
	}
}
