package kpi_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/features/lifecycle/kpi"
	"retain/internal/warehouse/warehousetest"
	"retain/pipelines"
	"retain/testdata/cdnow"
)

// Ten buyers by hand.
func TestRFMByHand(t *testing.T) {
	store := &features.Store{DB: warehousetest.Open(t)}
	importSales(t, store, strings.NewReader(`customer_id,at,amount,order_id,ingested_at,returned
a,2026-06-30T23:59:59.999Z,10,1,2026-06-30T23:59:59.999Z,
a,2026-06-30T10:00:00Z,10,2,2026-06-30T10:00:00Z,
a,2026-07-01T00:00:00Z,10,3,2026-07-01T00:00:00Z,
b,2026-06-20T00:00:00Z,5,1,2026-06-20T00:00:00Z,
b,2026-06-19T00:00:00Z,5,2,2026-06-19T00:00:00Z,
c,2026-06-10T00:00:00Z,5,1,2026-06-10T00:00:00Z,
d,2026-06-10T00:00:00Z,1,1,2026-06-10T00:00:00Z,
e,2026-06-01T00:00:00Z,100,1,2026-06-01T00:00:00Z,true
e,2026-06-02T00:00:00Z,-2,2,2026-06-02T00:00:00Z,
f,2026-06-02T00:00:00Z,-2,1,2026-06-02T00:00:00Z,
`))
	got, err := kpi.SortRFM(t.Context(), store, kpi.RFMOptions{Cutoff: testEnd})
	if err != nil {
		t.Fatal(err)
	}
	// Five buyers: f only gave something back. Days since: a 0, b 10, c and d 20, e 29. Days: a 1 (twice on one; the purchase at the cutoff is the future), b 2,
	// others 1. Money: a 20, b 10, c 5, d 1, e -2.
	type scores struct{ r, f, m int }
	want := []scores{{5, 1, 5}, {4, 5, 4}, {2, 1, 3}, {2, 1, 2}, {1, 1, 1}}
	var have []scores
	for _, c := range got.Cells {
		have = append(have, scores{c.Recency, c.Frequency, c.Money})
	}
	if got.Customers != 5 || !slices.Equal(have, want) {
		t.Errorf("%d buyers in %v, want 5 in %v", got.Customers, have, want)
	}
	if c := got.Cells[0]; c.RecencyDays != 0 || c.Purchases != 1 || *c.Spent != 20 || c.Share != .2 || math.Abs(*c.SpentShare-20./34) > 1e-15 {
		t.Errorf("the best cell is %+v", c)
	}
	if got, err = kpi.SortRFM(t.Context(), store, kpi.RFMOptions{Cutoff: testEnd, Days: 11}); err != nil || got.Customers != 2 {
		t.Errorf("%d buyers within 11 days (%v), want a and b", got.Customers, err)
	}
}

func importSales(t *testing.T, store *features.Store, r io.Reader) {
	t.Helper()
	if _, err := pipelines.Import(t.Context(), pipelines.ImportOptions{Warehouse: store.DB, Source: "purchases", Path: "-", Stdin: r, Timezone: "UTC", Set: map[string]string{"currency": "USD"}}); err != nil {
		t.Fatal(err)
	}
}

// CDNOW against plain counting.
func TestRFMOfCDNOW(t *testing.T) {
	store := &features.Store{DB: warehousetest.Open(t)}
	importSales(t, store, bytes.NewReader(cdnow.PurchasesCSVGzip))
	cutoff := time.Date(1998, 4, 1, 0, 0, 0, 0, time.UTC)
	got, err := kpi.SortRFM(t.Context(), store, kpi.RFMOptions{Cutoff: cutoff})
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(cdnow.PurchasesCSVGzip))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	type buyer struct {
		last  time.Time
		days  map[string]bool
		spent int64
	}
	buyers := map[string]*buyer{}
	for _, line := range lines[1:] {
		at, err := time.Parse(time.DateOnly, line[column["at"]][:10])
		if err != nil {
			t.Fatal(err)
		}
		if !at.Before(cutoff) {
			continue
		}
		b := buyers[line[column["customer_id"]]]
		if b == nil {
			b = &buyer{days: map[string]bool{}}
			buyers[line[column["customer_id"]]] = b
		}
		amount, err := strconv.ParseFloat(line[column["amount"]], 64)
		if err != nil {
			t.Fatal(err)
		}
		b.days[line[column["at"]]] = true
		b.spent += int64(math.Round(amount * 10_000))
		if at.After(b.last) {
			b.last = at
		}
	}
	var last, days, spent []int64
	for _, b := range buyers {
		last, days, spent = append(last, b.last.Unix()), append(days, int64(len(b.days))), append(spent, b.spent)
	}
	for _, list := range [][]int64{last, days, spent} {
		slices.Sort(list)
	}
	quintile := func(sorted []int64, v int64) int {
		worse, _ := slices.BinarySearchFunc(sorted, v, cmp.Compare[int64])
		return 1 + 5*worse/len(sorted)
	}
	type key struct{ r, f, m int }
	want := map[key]int64{}
	money := map[key]int64{}
	for _, b := range buyers {
		k := key{quintile(last, b.last.Unix()), quintile(days, int64(len(b.days))), quintile(spent, b.spent)}
		want[k]++
		money[k] += b.spent
	}
	if got.Customers != int64(len(buyers)) || len(got.Cells) != len(want) {
		t.Fatalf("%d buyers in %d cells, want %d in %d", got.Customers, len(got.Cells), len(buyers), len(want))
	}
	for _, c := range got.Cells {
		k := key{c.Recency, c.Frequency, c.Money}
		if c.Customers != want[k] || math.Abs(*c.Spent*float64(c.Customers)-float64(money[k])/10_000) > 1e-6 {
			t.Errorf("cell %v: %d buyers with %v each, want %d with %v in all", k, c.Customers, *c.Spent, want[k], float64(money[k])/10_000)
		}
	}
}
