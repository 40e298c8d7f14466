package warehouse_test

import (
	"testing"

	"retain/internal/warehouse/warehousetest"
)

func TestFreshDatabase(t *testing.T) {
	w := warehousetest.Open(t)
	var name string
	if err := w.Conn().QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	if name != w.Database() || !w.Embedded() {
		t.Errorf("database %q, want %q", name, w.Database())
	}
	applied, err := w.Migrate(t.Context())
	if err != nil || len(applied) != 0 {
		t.Errorf("a second Migrate applied %q: %v", applied, err)
	}
	var n uint64
	for b, err := range w.Blocks(t.Context(), "SELECT count() AS n FROM migrations", nil) {
		if err != nil {
			t.Fatal(err)
		}
		n = b.UInt64s("n")[0]
	}
	if n < 3 {
		t.Errorf("%d migrations recorded", n)
	}
}
