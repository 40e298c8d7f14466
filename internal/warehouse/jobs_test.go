package warehouse_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func TestOneOfManyClaimsTheWork(t *testing.T) {
	w := warehousetest.Open(t)
	if _, err := w.LatestJob(t.Context(), "score", "k"); !errors.Is(err, warehouse.ErrNoJob) {
		t.Fatalf("an empty ledger: %v", err)
	}
	started := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []warehouse.JobRow
	for i := range 12 {
		wg.Go(func() {
			row, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "score", Key: "k", Who: fmt.Sprint(i), StartedAt: started}, warehouse.JobDone)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if claimed {
				won = append(won, row)
			} else if row.State != warehouse.JobRunning || row.Attempt != 1 {
				t.Errorf("in the way: %+v, want the running first attempt", row)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Fatalf("%d claimed the same work, want 1", len(won))
	}
	row := won[0]
	row.State, row.Rows = warehouse.JobDone, 7
	if row, err := w.RecordJob(t.Context(), row); err != nil || !row.At.After(won[0].At) {
		t.Fatal(row, err)
	}
	if got, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "score", Key: "k", StartedAt: started}, warehouse.JobDone); err != nil || claimed || got.State != warehouse.JobDone || got.Rows != 7 {
		t.Errorf("work that is done: %+v, claimed %v, %v", got, claimed, err)
	}
	again, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "score", Key: "k", StartedAt: started})
	if err != nil || !claimed || again.Attempt != 2 {
		t.Errorf("again: %+v, claimed %v, %v", again, claimed, err)
	}
	list, err := w.Jobs(t.Context(), "", 10)
	if err != nil || len(list) != 2 || list[0].Attempt != 2 || list[1].State != warehouse.JobDone {
		t.Errorf("the ledger lists %+v (%v)", list, err)
	}
}

func TestADeadProcessIsTakenOver(t *testing.T) {
	w := warehousetest.Open(t)
	row, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "train", Key: "k"}, warehouse.JobDone)
	if err != nil || !claimed {
		t.Fatal(err)
	}
	row.Owner = "another-host:1:1"
	row, err = w.RecordJob(t.Context(), row)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		owner string
		later time.Duration
		want  bool
	}{
		{"another host that was just heard of", row.Owner, time.Second, false},
		{"another host, silent for long", row.Owner, 6 * time.Minute, true},
		{"released", "", 0, true},
	} {
		r := row
		r.Owner = c.owner
		if got := r.Dead(r.At.Add(c.later)); got != c.want {
			t.Errorf("%s: dead %v, want %v", c.name, got, c.want)
		}
	}
	row.Owner = ""
	if _, err := w.RecordJob(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	if next, claimed, err := w.ClaimJob(t.Context(), warehouse.JobRow{Job: "train", Key: "k"}, warehouse.JobDone); err != nil || !claimed || next.Attempt != 2 {
		t.Errorf("%+v, claimed %v, %v; want the second attempt", next, claimed, err)
	}
}
