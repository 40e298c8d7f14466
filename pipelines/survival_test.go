package pipelines

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse/warehousetest"
	"retain/models/survival"
	"retain/simulation"
)

// The known world: its revenue adds up, agrees with the sum over the rows at each month's end, and its cohorts and lives hold everyone once.
func TestRevenueAndTenureOfAWorld(t *testing.T) {
	w := warehousetest.Open(t)
	world := newWorld(t, simulation.Options{Customers: 120, Days: 400, Seed: 3})
	churn := simulatedChurn()
	if _, err := Simulate(t.Context(), SimulateOptions{Warehouse: w, World: world, Churn: churn}); err != nil {
		t.Fatal(err)
	}
	store := &features.Store{DB: w}
	r, err := MRR(t.Context(), store, MRROptions{Churn: churn})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Months) < 11 || !r.Months[0].First || r.Months[1].First || !r.Months[len(r.Months)-1].Provisional || r.Months[0].Gross != nil {
		t.Fatalf("%+v", r)
	}
	asked := func(query string) (v float64) {
		t.Helper()
		if err := w.Conn().QueryRow(t.Context(), query).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	// Corrected rows stand in the fixes too; the last version of each holds.
	const rows = "(SELECT * FROM (SELECT * FROM subscriptions UNION ALL SELECT * FROM subscriptions_fixes) ORDER BY ingested_at DESC, imported_at DESC LIMIT 1 BY customer_id, event_hash)"
	for k, m := range r.Months {
		end := m.Month.AddDate(0, 1, 0)
		at := "toDateTime64('" + end.Format("2006-01-02 15:04:05") + "', 3, 'UTC')"
		if want := asked("SELECT toFloat64(sum(mrr)) FROM " + rows + " WHERE started_at < " + at + " AND coalesce(ended_at, ends_at) >= " + at); math.Abs(want-m.End) > 1e-6 {
			t.Errorf("%s ends with %v, the rows with %v", m.Month.Format(time.DateOnly), m.End, want)
		}
		if sum := m.Start + m.New + m.Reactivation + m.Expansion - m.Contraction - m.Churn; math.Abs(sum-m.End) > 1e-6 {
			t.Errorf("%s does not add up: %+v", m.Month.Format(time.DateOnly), m)
		}
		if k > 0 && r.Months[k-1].End != m.Start {
			t.Errorf("%s does not begin where the last month ended", m.Month.Format(time.DateOnly))
		}
	}
	from, to := r.Months[2].Month, r.Months[4].Month
	part, err := MRR(t.Context(), store, MRROptions{Churn: churn, From: from, To: to, AsKnown: r.Months[6].Month})
	if err != nil || len(part.Months) != 2 || part.Months[0].Month != from || !part.CompleteUntil.Equal(r.Months[6].Month) {
		t.Errorf("two months as known later: %+v, %v", part, err)
	}

	payers := asked("SELECT toFloat64(uniqExact(customer_id)) FROM subscriptions")
	cohorts, err := Cohorts(t.Context(), store, churn)
	if err != nil {
		t.Fatal(err)
	}
	last := r.Months[len(r.Months)-1]
	var began, there int
	var paid float64
	for _, c := range cohorts.Cohorts {
		began += c.Customers
		now := c.Cells[len(c.Cells)-1]
		there += now.Customers
		paid += *now.Revenue
	}
	if beyond := int(asked("SELECT toFloat64(countIf(first >= toDateTime64('" + last.Month.AddDate(0, 1, 0).Format("2006-01-02 15:04:05") + "', 3, 'UTC'))) FROM (SELECT min(started_at) AS first FROM subscriptions GROUP BY customer_id)")); began+beyond != int(payers) {
		t.Errorf("%d customers in cohorts, %d after them, of %v", began, beyond, payers)
	}
	if there != last.Customers.End || math.Abs(paid-last.End) > 1e-6 {
		t.Errorf("the cohorts end with %d customers and %v, the months with %d and %v", there, paid, last.Customers.End, last.End)
	}
	if cohorts.Average[0].Of != began-cohorts.Cohorts[0].Customers {
		t.Errorf("the average is over %d", cohorts.Average[0].Of)
	}

	tenure, err := Tenure(t.Context(), store, TenureOptions{Churn: churn, By: features.ByPlan})
	if err != nil {
		t.Fatal(err)
	}
	if tenure.Customers+tenure.LeftOut != int(payers) || len(tenure.Curves) < 3 || tenure.LogRank == nil || tenure.LogRank.P == nil {
		t.Errorf("%+v", tenure)
	}
	groups, left := 0, 0
	for _, c := range tenure.Curves[1:] {
		groups, left = groups+c.Customers, left+c.Left
	}
	if groups != tenure.Customers || left != tenure.Left {
		t.Errorf("the plans hold %d customers of whom %d left, all %d and %d", groups, left, tenure.Customers, tenure.Left)
	}
	if _, err := Tenure(t.Context(), store, TenureOptions{Churn: shopChurn(), By: features.ByPlan}); err == nil {
		t.Error("plans without subscriptions")
	}
}

func TestTenureLife(t *testing.T) {
	day := func(n int) int64 { return int64(n) * 24 * 3_600_000 }
	at := func(n int) time.Time { return time.UnixMilli(day(n)).UTC() }
	for name, c := range map[string]struct {
		born, first int
		left        int64
		since       int
		want        survival.Life
		ok          bool
	}{
		"from the begin to the end of the records": {10, 10, features.StillThere, 0, survival.Life{Entry: 0, Exit: 90}, true},
		"left":                                  {10, 10, day(40), 0, survival.Life{Entry: 0, Exit: 30, Left: true}, true},
		"there before the records":              {-100, 0, day(40), 0, survival.Life{Entry: 100, Exit: 140, Left: true}, true},
		"on record later than asked for":        {10, 20, features.StillThere, 50, survival.Life{Entry: 40, Exit: 90}, true},
		"left before":                           {10, 20, day(40), 50, survival.Life{}, false},
		"left at the very instant":              {10, 10, day(50), 50, survival.Life{}, false},
		"known to leave only after the records": {10, 10, day(120), 0, survival.Life{Entry: 0, Exit: 90}, true},
		"came at the end":                       {100, 100, features.StillThere, 0, survival.Life{}, false},
		"left with the first record":            {10, 10, day(10), 0, survival.Life{Entry: 0, Exit: 1. / 86_400_000, Left: true}, true},
	} {
		tenures := &features.Tenures{Born: []int64{day(c.born)}, First: []int64{day(c.first)}, Left: []int64{c.left}, Until: at(100)}
		got, ok := tenureLife(tenures, 0, at(c.since))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
}

func TestLeaversMissing(t *testing.T) {
	start := time.Date(2013, 10, 1, 0, 0, 0, 0, time.UTC)
	tenures := &features.Tenures{Until: start.AddDate(6, 0, 0)}
	for i := range 100 {
		first := start.AddDate(0, i%60, 0).UnixMilli()
		left := features.StillThere
		if i%3 == 0 {
			left = start.AddDate(5, 6, i%20).UnixMilli()
		}
		tenures.First, tenures.Left = append(tenures.First, first), append(tenures.Left, left)
	}
	churn := features.ChurnSpec{Setting: features.Contractual}
	if got := leaversMissing(tenures, start, churn); !strings.Contains(got, "--since 2019-03-31") {
		t.Errorf("nobody left for years: %q", got)
	}
	if got := leaversMissing(tenures, start.AddDate(5, 5, 0), churn); got != "" {
		t.Errorf("counted from there: %q", got)
	}
	tenures.Left[1] = start.AddDate(0, 1, 0).UnixMilli()
	if got := leaversMissing(tenures, start, churn); got != "" {
		t.Errorf("one left early: %q", got)
	}
}

func TestCohortsOfAShop(t *testing.T) {
	w := warehousetest.Open(t)
	openShop(t, w, 150)
	store := &features.Store{DB: w}
	r, err := Cohorts(t.Context(), store, shopChurn())
	if err != nil {
		t.Fatal(err)
	}
	purchases := bought(t, w)
	month := func(t time.Time) string { return t.Format("2006-01") }
	for _, c := range r.Cohorts {
		for _, cell := range c.Cells {
			want := 0
			for _, at := range purchases {
				active := false
				for _, t := range at {
					active = active || month(t) == month(c.Month.AddDate(0, cell.Age, 0))
				}
				if active && month(at[0]) == month(c.Month) {
					want++
				}
			}
			if cell.Customers != want || cell.Of != c.Customers {
				t.Errorf("%s after %d months: %d of %d, want %d", month(c.Month), cell.Age, cell.Customers, cell.Of, want)
			}
		}
	}
	if len(r.Cohorts) < 2 || r.Cohorts[0].Revenue == nil || !(*r.Average[1].RevenueShare > 0) {
		t.Errorf("%+v", r)
	}
	if _, err := MRR(t.Context(), store, MRROptions{Churn: shopChurn()}); err == nil {
		t.Error("MRR without subscriptions")
	}
	leaving := features.ChurnSpec{Setting: features.EventSetting, HorizonDays: 30, Event: &features.EventSpec{Source: features.Purchases, Match: map[string]string{"order_id": "o3-5"}}}
	staying, err := Cohorts(t.Context(), store, leaving)
	if err != nil {
		t.Fatal(err)
	}
	var began, there int
	for _, c := range staying.Cohorts {
		began += c.Customers
		there += c.Cells[len(c.Cells)-1].Customers
	}
	if began == 0 || there != began-1 { // one order is the leaving of one customer
		t.Errorf("%d of %d are there", there, began)
	}
	var empty *features.EmptySourceError
	if _, err := Cohorts(t.Context(), store, simulatedChurn()); !errors.As(err, &empty) {
		t.Errorf("subscriptions that are not there: %v", err)
	}
}
