package simulation

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// mustNew makes a world of a test.
func mustNew(t testing.TB, o Options) *World {
	t.Helper()
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func midnight(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

func TestNewNamesEveryProblem(t *testing.T) {
	_, err := New(Options{Customers: 0, Days: 5, End: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC), Effects: "some"})
	for _, part := range []string{"customers: 0", "days: 5", "no midnight", `"some"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v does not say %q", err, part)
		}
	}
	if w := mustNew(t, Options{Customers: 1, Days: 28}); !w.End().Equal(DefaultEnd) {
		t.Errorf("the records end %v, want %v", w.End(), DefaultEnd)
	}
}

// records is a deep copy of what a customer shows, and of its truth.
func records(w *World, index, day int, c *Customer) []any {
	w.Customer(index, c)
	truth, ok := w.Truth(c, day, Label{HorizonDays: 91})
	truth.Effects = append([]float64(nil), truth.Effects...)
	var out []any
	for _, v := range []any{c.ID, c.Profile, c.Usage, c.Purchases, c.Subscriptions, c.Surveys, c.Tickets, c.Contacts, c.Touchpoints, truth, ok} {
		if r := reflect.ValueOf(v); r.Kind() == reflect.Slice {
			fresh := reflect.MakeSlice(r.Type(), r.Len(), r.Len())
			reflect.Copy(fresh, r)
			v = fresh.Interface()
		}
		out = append(out, v)
	}
	return out
}

func TestCustomerDependsOnSeedIndexAndSpanAlone(t *testing.T) {
	small := mustNew(t, Options{Customers: 40, Days: 200, Seed: 3})
	large := mustNew(t, Options{Customers: 4000, Days: 200, Seed: 3})
	other := mustNew(t, Options{Customers: 40, Days: 200, Seed: 4})
	const n, day = 40, 120
	want := make([][]any, n)
	for i := range n {
		want[i] = records(small, i, day, new(Customer))
	}
	reused := new(Customer)
	differs := 0
	for i := n - 1; i >= 0; i-- { // another order, another number of customers, memory that has been used
		if !reflect.DeepEqual(want[i], records(large, i, day, reused)) {
			t.Fatalf("customer %d differs in a larger world", i)
		}
		if !reflect.DeepEqual(want[i][1:], records(other, i, day, reused)[1:]) {
			differs++
		}
	}
	if differs != n {
		t.Errorf("%d of %d customers differ with another seed", differs, n)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			c := new(Customer)
			for i := range n {
				if !reflect.DeepEqual(want[i], records(small, i, day, c)) {
					t.Errorf("customer %d differs when made beside others", i)
				}
			}
		})
	}
	wait.Wait()
}

func TestOutagesHitWorkingDays(t *testing.T) {
	for days := range 60 {
		w := mustNew(t, Options{Customers: 1, Days: 300 + days})
		for _, day := range []int{w.productOutage, w.recordsOutage} {
			if got := w.Time(day).Weekday(); got != time.Wednesday || day >= 300+days {
				t.Errorf("of %d days, an outage on day %d, a %v", 300+days, day, got)
			}
		}
		for day := range 14 {
			weekend := w.Time(day).Weekday() == time.Saturday || w.Time(day).Weekday() == time.Sunday
			if (w.workday(day) == weekendShare) != weekend {
				t.Errorf("%v weighs %v", w.Time(day).Weekday(), w.workday(day))
			}
		}
	}
}

func TestDays(t *testing.T) {
	w := mustNew(t, Options{Customers: 1, Days: 100, End: midnight(2026, 4, 11)})
	if got := w.Start(); !got.Equal(midnight(2026, 1, 1)) {
		t.Errorf("the records begin %v", got)
	}
	for _, c := range []struct {
		at   time.Time
		want int
	}{{midnight(2026, 1, 1), 0}, {midnight(2026, 1, 2), 1}, {midnight(2026, 1, 2).Add(-1), 0}, {midnight(2025, 12, 31), -1}, {midnight(2025, 12, 30).Add(time.Hour), -2}} {
		if got := w.Day(c.at); got != c.want {
			t.Errorf("%v is day %d, want %d", c.at, got, c.want)
		}
	}
}
