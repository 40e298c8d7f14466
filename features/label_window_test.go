package features

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// subscriber is rows of running periods that began so many days before the cutoff and are paid for so many more.
func subscriber(customer string, cutoff time.Time, plans map[string]int) (rows []refRow) {
	for _, plan := range sortedKeys(plans) {
		at := milliseconds(cutoff) - 20*dayMS
		event := len(rows) + 1
		rows = append(rows, refRow{
			source: Subscriptions, customer: customer, event: event, at: at, ingested: at, imported: at, hash: uint64(event)*7919 + uint64(customer[0]),
			text: map[string]string{"subscription_id": plan, "plan": plan}, num: map[string]float64{"ends_at": float64(milliseconds(cutoff) + int64(plans[plan])*dayMS)},
		})
	}
	return rows
}

// TestPaidBeyondTheLabelWindow: with a gap of 7 and a horizon of 60 days the window ends at T+67 d, exclusive.
func TestPaidBeyondTheLabelWindow(t *testing.T) {
	cutoff := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	w := &refWorld{rows: slices.Concat(
		subscriber("a", cutoff, map[string]int{"basic": 66}),
		subscriber("b", cutoff, map[string]int{"basic": 67}), // paid to the first instant after the window
		subscriber("c", cutoff, map[string]int{"basic": 10, "extra": 200}),
	)}
	s := w.store(t)
	label := ChurnSpec{Setting: Contractual, GapDays: 7, HorizonDays: 60}
	if _, err := s.Snapshot(t.Context(), DefaultCatalogue(), everyone(t, s, cutoff, []string{"a"})); !errors.Is(err, ErrUnresolved) {
		t.Errorf("a catalogue with families: %v", err)
	}
	resolve := func(c *Catalogue) *Catalogue {
		t.Helper()
		c, err := c.Resolve(t.Context(), s, []time.Time{cutoff})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const beyond, days = "subscription_paid_beyond", "subscription_paid_days"
	for name, c := range map[string]*Catalogue{
		"no label": resolve(DefaultCatalogue()), "of another setting": resolve(DefaultCatalogue().For(DefaultChurn())),
	} {
		if _, ok := c.Entry(beyond); ok {
			t.Errorf("%s: %s is kept", name, beyond)
		}
	}
	if slices.ContainsFunc(Nameable(DefaultCatalogue()), func(e Entry) bool { return e.Name == beyond }) {
		t.Errorf("rules may name %s, of which the window is not told", beyond)
	}
	c := resolve(DefaultCatalogue().For(label))
	if e, _ := c.Entry(beyond); e.Measure.Window != 67 {
		t.Fatalf("window %d", e.Measure.Window)
	}
	if e, _ := DefaultCatalogue().Entry(beyond); e.Measure.Window != 0 {
		t.Error("the shipped catalogue was changed")
	}
	x, err := s.Snapshot(t.Context(), c.Only([]string{beyond, days}), everyone(t, s, cutoff, []string{"a", "b", "c"}))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(x.X.X), "[[0 1 1] [66 67 200]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestPlansThatRunAtOnce: one subscriber of twenty with two plans is the least for which plans have columns of their own.
func TestPlansThatRunAtOnce(t *testing.T) {
	cutoff := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, k := range []struct {
		name  string
		alone int
		want  []string
	}{
		{"one of 20", 19, []string{"subscription_plan_basic_running", "subscription_plan_extra_running"}},
		{"one of 21", 20, nil},
		{"nobody", 0, nil},
	} {
		w := &refWorld{}
		if k.alone > 0 {
			w.rows = subscriber("a", cutoff, map[string]int{"basic": 10, "extra": 10})
		}
		for i := range max(k.alone, 1) {
			w.rows = append(w.rows, subscriber(string(rune('b'+i)), cutoff, map[string]int{"basic": 10})...)
		}
		s := w.store(t)
		family, _ := DefaultCatalogue().Entry("subscription_plan_{each}_running")
		c, err := (&Catalogue{Version: catalogueVersion, Entries: []Entry{family}}).Resolve(t.Context(), s, []time.Time{cutoff})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Names(); !slices.Equal(got, k.want) {
			t.Errorf("%s has two plans: %q, want %q", k.name, got, k.want)
		}
		if len(c.Entries) == 0 {
			continue
		}
		x, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, []string{"a", "b"}))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(x.X.X), "[[1 1] [1 0]]"; got != want {
			t.Errorf("%s has two plans: %s, want %s", k.name, got, want)
		}
	}
}
