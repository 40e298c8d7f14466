package training

import (
	"bytes"
	"testing"
	"time"

	"retain/features"
)

// readAll reads the cutoffs with a panel of its own and returns what was computed and what was taken from the shelf.
func readAll(t *testing.T, o Options, cutoffs []time.Time) (snapshots []*features.Snapshot, computed int) {
	t.Helper()
	p := newStorePanel(o.filled())
	if err := p.Resolve(t.Context(), cutoffs); err != nil {
		t.Fatal(err)
	}
	for _, c := range cutoffs {
		s, err := p.Snapshot(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Labels(t.Context(), c, time.Time{}); err != nil {
			t.Fatal(err)
		}
		snapshots = append(snapshots, s)
	}
	computed = len(p.shelf.fresh)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return snapshots, computed
}

// What a training has computed serves the next one bit for bit, and only where rows, definitions or settings are the same.
func TestSnapshotsServeTheNextTraining(t *testing.T) {
	w := shop(t, 120)
	churn := features.DefaultChurn()
	churn.HorizonDays, churn.ActiveDays = 60, 180
	o := Options{Store: &features.Store{DB: w}, Churn: churn, Catalogue: features.DefaultCatalogue().Only([]string{"purchase_recency_days", "purchase_count_365d", "customer_tenure_days"})}
	cutoffs := []time.Time{month(2024, 5), month(2024, 7), month(2024, 9)}
	first, n := readAll(t, o, cutoffs)
	if n != 3 {
		t.Fatalf("%d of 3 computed", n)
	}
	second, n := readAll(t, o, cutoffs)
	if n != 0 {
		t.Errorf("%d computed again on the same rows", n)
	}
	for i := range first {
		var a, b bytes.Buffer
		if err := first[i].WriteCSV(&a, nil); err != nil {
			t.Fatal(err)
		}
		if err := second[i].WriteCSV(&b, nil); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) || first[i].X.Schema.Fingerprint() != second[i].X.Schema.Fingerprint() || !first[i].Cutoff.Equal(second[i].Cutoff) {
			t.Errorf("cutoff %v: what is stored differs from what was computed", cutoffs[i])
		}
	}

	longer := o
	longer.Churn.HorizonDays = 90
	if _, n := readAll(t, longer, cutoffs); n != 0 {
		t.Errorf("%d computed again for another horizon, which no feature depends on", n)
	}
	for name, change := range map[string]func(*Options){
		"who is alive": func(o *Options) { o.Churn.ActiveDays = 90 },
		"catalogue":    func(o *Options) { o.Catalogue = o.Catalogue.Only([]string{"purchase_recency_days"}) },
		"bindings": func(o *Options) {
			o.Store = &features.Store{DB: w, Sources: features.Sources{features.Customers: {Static: []string{"segment"}}}}
		},
	} {
		other := o
		change(&other)
		if _, n := readAll(t, other, cutoffs); n != 3 {
			t.Errorf("%s: %d of 3 computed", name, n)
		}
	}

	// A row of August that comes in now is known at the last cutoff only; a correction of it that is known from October at none.
	insert := func(table string, at, ingested time.Time, row uint64) {
		t.Helper()
		if err := w.Conn().Exec(t.Context(), "INSERT INTO "+table+" (customer_id, at, amount, ingested_at, imported_at, event_hash, row_hash) VALUES ('c0001', ?, 7, ?, ?, 999999999, ?)",
			at, ingested, month(2025, 2), row); err != nil {
			t.Fatal(err)
		}
	}
	insert("purchases", month(2024, 8), month(2024, 8), 1)
	if _, n := readAll(t, o, cutoffs); n != 1 {
		t.Errorf("after a row of August: %d computed again, want the cutoff after it", n)
	}
	insert("purchases_fixes", month(2024, 8), month(2024, 8), 1)
	insert("purchases_fixes", month(2024, 3), month(2024, 10), 2)
	if _, n := readAll(t, o, cutoffs); n != 1 {
		t.Errorf("after a correction: %d computed again, want the cutoff that knows the event", n)
	}
	if _, n := readAll(t, o, cutoffs); n != 0 {
		t.Errorf("%d computed again on the same rows", n)
	}
	if err := w.Conn().Exec(t.Context(), "TRUNCATE TABLE snapshot_columns"); err != nil {
		t.Fatal(err)
	}
	if _, n := readAll(t, o, cutoffs); n != 3 {
		t.Errorf("%d of 3 computed where their columns are gone", n)
	}
}

// Rows that come in while a training reads are not held against what it has computed.
func TestSnapshotOfChangingRowsIsNotKept(t *testing.T) {
	w := shop(t, 60)
	churn := features.DefaultChurn()
	o := Options{Store: &features.Store{DB: w}, Churn: churn, Catalogue: features.DefaultCatalogue().Only([]string{"purchase_recency_days"})}.filled()
	p := newStorePanel(o)
	cutoffs := []time.Time{month(2024, 7)}
	if err := p.Resolve(t.Context(), cutoffs); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Snapshot(t.Context(), cutoffs[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Conn().Exec(t.Context(), "INSERT INTO purchases SELECT * REPLACE (rand64() AS event_hash) FROM purchases ORDER BY at LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := w.FindSnapshots(t.Context(), shelfFingerprint(p))
	if err != nil || len(rows) != 0 {
		t.Errorf("%d snapshots are kept, %v", len(rows), err)
	}
}
