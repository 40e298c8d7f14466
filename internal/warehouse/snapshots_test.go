package warehouse_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// Snapshots of trainings go by number and bytes, those in use last; those of scoring stay.
func TestTrainingSnapshotsAreBounded(t *testing.T) {
	w := warehousetest.Open(t)
	put := func(k int, fingerprint string) string {
		t.Helper()
		id := fmt.Sprintf("%032x", k+1)
		row := warehouse.SnapshotRow{ID: id, Cutoff: time.Unix(int64(k)*86400, 0), Fingerprint: fingerprint, CreatedAt: time.Unix(int64(1000+k), 0).UTC()}
		chunk := warehouse.SnapshotChunk{Bytes: []byte{byte(k)}}
		if err := w.PutSnapshot(t.Context(), row, func(yield func(warehouse.SnapshotChunk) bool) { yield(chunk) }); err != nil {
			t.Fatal(err)
		}
		return id
	}
	scoring := put(9, "of scoring")
	var ids []string
	for k := range 5 {
		ids = append(ids, put(k, warehouse.TrainingSnapshots+"x"))
	}
	held := func() (out []string) {
		t.Helper()
		if err := w.Conn().QueryRow(t.Context(), "SELECT groupArray(snapshot_id) FROM (SELECT snapshot_id FROM snapshots WHERE snapshot_id IN (SELECT snapshot_id FROM snapshot_columns) ORDER BY snapshot_id)").Scan(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	for _, c := range []struct {
		name        string
		kept, bytes int
		want        []string
	}{
		{"all fit", 5, 1 << 30, append(append([]string{}, ids...), scoring)},
		{"three: the two in use, the newest other", 3, 1 << 30, []string{ids[0], ids[1], ids[4], scoring}},
		{"no room for any", 3, 1, []string{scoring}},
	} {
		if err := warehouse.PruneTrainingSnapshotsTo(t.Context(), w, ids[:2], c.kept, c.bytes); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, held()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if err := w.PruneSnapshots(t.Context()); err != nil || len(held()) != 1 {
		t.Errorf("%v, %v", held(), err)
	}
}
