package features

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPurchaseDays(t *testing.T) {
	cutoff := utc(t, "2026-03-01")
	amount := func(v float64) *float64 { return &v }
	yes := true
	var w world
	buy := func(customer string, id int, at time.Time, paid *float64) {
		w.events = append(w.events, eventRow{source: Purchases, customer: customer, id: id, at: at, amount: paid})
	}
	buy("a", 0, utc(t, "2026-01-01"), amount(500)) // the first day's money is left out
	buy("a", 1, utc(t, "2026-01-01").Add(23*time.Hour), amount(7))
	buy("a", 2, utc(t, "2026-01-05"), amount(10)) // two on one day are one
	buy("a", 3, utc(t, "2026-01-05").Add(time.Hour), amount(20))
	buy("a", 4, utc(t, "2026-02-01"), amount(0)) // a gift is a purchase day without spend
	buy("a", 5, cutoff.Add(-time.Millisecond), amount(60))
	buy("a", 6, cutoff, amount(1000)) // the future
	buy("b", 0, utc(t, "2026-02-28"), nil)
	buy("c", 0, utc(t, "2026-01-10"), amount(5))
	buy("c", 1, utc(t, "2026-01-20"), amount(-5)) // a refund is no purchase
	buy("c", 2, utc(t, "2026-01-30"), amount(40))
	buy("c", 3, utc(t, "2026-01-30"), amount(-15))
	buy("d", 0, cutoff.AddDate(0, 0, 1), amount(9)) // does not exist yet
	w.events = append(w.events,
		eventRow{source: Purchases, customer: "c", id: 4, at: utc(t, "2026-02-10"), ingested: utc(t, "2026-02-11"), amount: amount(70), returned: &yes}, // known to be returned
		eventRow{source: Purchases, customer: "e", id: 0, at: utc(t, "2026-01-01"), ingested: utc(t, "2026-03-02"), amount: amount(70)},                 // learned of later
		eventRow{source: Purchases, customer: "f", id: 0, at: utc(t, "2026-01-02"), amount: amount(1)},
		eventRow{source: Purchases, customer: "f", id: 1, at: utc(t, "2026-01-09"), ingested: utc(t, "2026-01-09"), amount: amount(30)}, // corrected before the cutoff,
		eventRow{source: Purchases, customer: "f", id: 1, at: utc(t, "2026-01-08"), ingested: utc(t, "2026-02-01"), amount: amount(25)},
		eventRow{source: Purchases, customer: "f", id: 1, at: utc(t, "2026-01-07"), ingested: utc(t, "2026-03-01"), amount: amount(20)}, // and at it
	)
	s := w.store(t)
	got, err := s.PurchaseDays(t.Context(), cutoff)
	if err != nil {
		t.Fatal(err)
	}
	number := func(day string) int32 { return int32(utc(t, day).Unix() / 86400) }
	want := &PurchaseDays{
		Cutoff:         cutoff,
		Customer:       []string{"a", "b", "c", "f"},
		First:          []int32{number("2026-01-01"), number("2026-02-28"), number("2026-01-10"), number("2026-01-02")},
		Last:           []int32{number("2026-02-28"), number("2026-02-28"), number("2026-02-10"), number("2026-01-08")},
		Days:           []int32{4, 1, 3, 2},
		SpendDays:      []int32{2, 0, 1, 1},
		SpendMean:      []float64{45, math.NaN(), 25, 25}, // (30 + 60)/2, -, 40 - 15, the version that held
		SpendVariation: []float64{450, math.NaN(), 0, 0},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("purchase days differ (-want +got):\n%s", diff)
	}
	if got.LastObserved() != number("2026-02-28") {
		t.Errorf("the last day before %v is %d", cutoff, got.LastObserved())
	}
	got.Cutoff = cutoff.Add(time.Millisecond)
	if got.LastObserved() != number("2026-03-01") {
		t.Errorf("the first millisecond of a day is observed: %d", got.LastObserved())
	}
	none, err := s.PurchaseDays(t.Context(), utc(t, "2020-01-01"))
	if err != nil || len(none.Customer) != 0 {
		t.Errorf("before all purchases: %v, %v", none, err)
	}
}
