package features

import (
	"testing"
	"time"

	"retain/internal/warehouse/warehousetest"
)

// TestRenewalsAndReturns reads periods by hand, from an own table without a list price: plan a goes 10, 12, pause, 6; plan b runs
// for a week beside it, at 5 and then 5.
func TestRenewalsAndReturns(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{Subscriptions: {
		Table:   "own_periods",
		Columns: map[string]string{"started_at": "began", "ended_at": "stopped", "subscription_id": "plan", "mrr": "price"},
	}}}
	for _, q := range []string{
		"CREATE TABLE own_periods (customer_id String, plan String, began DateTime, stopped Nullable(DateTime), price Float64) ENGINE = Memory",
		"INSERT INTO own_periods VALUES ('x', 'a', '2024-01-01 00:00:00', '2024-02-01 00:00:00', 10), ('x', 'a', '2024-02-01 00:00:00', '2024-03-01 00:00:00', 12)," +
			"('x', 'b', '2024-01-10 00:00:00', '2024-01-13 00:00:00', 5), ('x', 'b', '2024-01-13 00:00:00', '2024-01-17 00:00:00', 5)," +
			"('x', 'a', '2024-03-02 00:00:00', NULL, 6), ('x', 'a', '2024-06-01 00:00:00', NULL, 60)", // the last begins after every cutoff
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultCatalogue().Only([]string{
		"subscription_mrr_renewal_change", "subscription_upgrades_count_180d", "subscription_downgrades_count_180d", "subscription_returns_count",
		"subscription_discount_renewal_difference",
	})
	for _, step := range []struct {
		cutoff                    time.Time
		change, up, down, returns float32
	}{
		{time.Date(2024, 2, 15, 0, 0, 0, 0, time.UTC), 0.2, 1, 0, 0},
		{time.Date(2024, 4, 1, 0, 0, 0, 0, time.UTC), -0.5, 1, 1, 1},
	} {
		got, err := s.Snapshot(t.Context(), c, everyone(t, s, step.cutoff, []string{"x"}))
		if err != nil {
			t.Fatal(err)
		}
		x := got.X.X
		if x[0][0] != step.change || x[1][0] != step.up || x[2][0] != step.down || x[3][0] != step.returns {
			t.Errorf("%s: change %v, up %v, down %v, returns %v, want %+v", step.cutoff, x[0][0], x[1][0], x[2][0], x[3][0], step)
		}
		if v := x[4][0]; v == v {
			t.Errorf("%s: a discount of %v without list prices", step.cutoff, v)
		}
	}
}

// TestRenewalsBefore1970 reads contracts that are older than Unix time: 100, then 50 from 1968 and 75 from 1972 on.
func TestRenewalsBefore1970(t *testing.T) {
	s := &Store{DB: warehousetest.Open(t), Sources: Sources{Subscriptions: {
		Table:   "own_contracts",
		Columns: map[string]string{"started_at": "began", "subscription_id": "contract", "mrr": "price"},
	}}}
	for _, q := range []string{
		"CREATE TABLE own_contracts (customer_id String, contract String, began DateTime64(3, 'UTC'), price Float64) ENGINE = Memory",
		"INSERT INTO own_contracts VALUES ('x', 'a', '1972-01-01 00:00:00', 75), ('x', 'a', '1965-01-01 00:00:00', 100), ('x', 'a', '1968-01-01 00:00:00', 50)",
	} {
		if err := s.DB.Conn().Exec(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	c := DefaultCatalogue().Only([]string{"subscription_mrr_renewal_change"})
	for cutoff, want := range map[int]float32{1971: -0.5, 1973: 0.5} {
		at := time.Date(cutoff, 6, 1, 0, 0, 0, 0, time.UTC)
		got, err := s.Snapshot(t.Context(), c, everyone(t, s, at, []string{"x"}))
		if err != nil {
			t.Fatal(err)
		}
		if v := got.X.X[0][0]; v != want {
			t.Errorf("%d: change %v, want %v", cutoff, v, want)
		}
	}
}
