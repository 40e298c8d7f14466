package warehouse_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func TestKeys(t *testing.T) {
	w := warehousetest.Open(t)
	ctx := t.Context()
	made := time.Date(2026, 3, 1, 10, 0, 0, 123e6, time.UTC)
	expires := made.Add(24 * time.Hour)
	first := warehouse.KeyRow{ID: "aaa", Hash: "00ff", Scopes: []string{"scores:read", "metrics"}, Label: `it's a "key" \ ü`, CreatedAt: made, ExpiresAt: &expires}
	second := warehouse.KeyRow{ID: "bbb", Hash: "11ee", Scopes: []string{"admin"}, CreatedAt: made.Add(time.Second)}
	for _, k := range []warehouse.KeyRow{second, first, first} { // twice the same is one
		if err := w.PutKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	check := func(want ...warehouse.KeyRow) {
		t.Helper()
		got, err := w.Keys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for k := range got {
			got[k].CreatedAt = got[k].CreatedAt.UTC()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	}
	check(first, second)

	revoked := made.Add(time.Hour)
	for _, at := range []time.Time{revoked.Add(time.Hour), revoked} { // whichever came in first, the earliest counts
		if err := w.RevokeKey(ctx, "aaa", at); err != nil {
			t.Fatal(err)
		}
	}
	first.RevokedAt = &revoked
	check(first, second)
	if err := w.RevokeKey(ctx, "nobody", made); !errors.Is(err, warehouse.ErrNoKey) {
		t.Errorf("an unknown key: %v, want ErrNoKey", err)
	}
}

func TestKeysOfAFreshWarehouse(t *testing.T) {
	list, err := warehousetest.Open(t).Keys(t.Context())
	if err != nil || len(list) > 0 {
		t.Errorf("%v, %v; want none", list, err)
	}
}
