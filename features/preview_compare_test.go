package features

import (
	"math"
	"strings"
	"testing"
	"time"

	"retain/internal/interval"
)

// By hand. On 2022-06-01 four customers pay and have bought in May: a and b do not renew, b and c buy nothing more, d does neither. The purchases call
// b and c churned, the subscriptions a and b: agreement 2 of 4, by chance also .5, kappa 0.
func TestDefinitionsAreComparedByHand(t *testing.T) {
	ends := utc(t, "2022-06-10")
	w := world{}
	buy := func(customer, at string) {
		w.events = append(w.events, eventRow{source: Purchases, customer: customer, id: len(w.events), at: utc(t, at)})
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		buy(id, "2022-05-20")
		p := periodRow{customer: id, started: utc(t, "2022-01-01")}
		if id == "a" || id == "b" {
			p.ends = &ends
		}
		w.periods = append(w.periods, p)
	}
	buy("a", "2022-06-05")
	buy("d", "2022-06-05")
	buy("e", "2022-08-30")
	w.periods = append(w.periods, periodRow{customer: "e", started: utc(t, "2022-08-30")})
	w.customers = append(w.customers, customerRow{customer: "a", ingested: utc(t, "2022-01-01")})
	s := w.store(t)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 60, GraceDays: 10, HorizonDays: 30}
	june := utc(t, "2022-06-01")
	got, err := s.Preview(t.Context(), c, Grid{Every: "month", From: &june, Until: &june})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Comparisons) != 1 {
		t.Fatalf("%+v", got.Comparisons)
	}
	d := got.Comparisons[0]
	if d.Setting != Contractual || d.Both != 1 || d.Only != 1 || d.OnlyOther != 1 || d.Neither != 1 || *d.Agreement != .5 || *d.Kappa != 0 || *d.BaseRate != .5 || *d.OtherRate != .5 {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(strings.Join(got.Warnings, "\n"), "churn.setting is non_contractual, but there are subscriptions") || !strings.Contains(d.Meaning, "of 2 customers without any purchases, 1 are not among those whose paid time ended") {
		t.Errorf("%q, %q", got.Warnings, d.Meaning)
	}
	if !strings.Contains(strings.Join(got.Warnings, "\n"), "only one cutoff") {
		t.Errorf("a single cutoff is not told: %q", got.Warnings)
	}
}

// Reasons and mends where there is no label at all.
func TestPreviewTellsWhyThereIsNoLabel(t *testing.T) {
	s := world{}.store(t)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 60, HorizonDays: 90}
	for _, k := range []struct {
		name  string
		days  int // of history
		words string
	}{
		{"no cutoff", 30, "there is no cutoff"},
		{"all labels unknown", 150, "no label is known yet"},
	} {
		var w world
		for d := range k.days {
			w.events = append(w.events, eventRow{source: Purchases, customer: "a", id: d, at: utc(t, "2022-01-01").Add(time.Duration(d) * day)})
		}
		w.load(t, s.DB)
		got, err := s.Preview(t.Context(), c, DefaultGrid())
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], k.words) {
			t.Errorf("%s: %q", k.name, got.Warnings)
		}
	}
	world{}.load(t, s.DB)
	if _, err := s.Preview(t.Context(), c, DefaultGrid()); err == nil || !strings.Contains(err.Error(), "retain import purchases FILE") {
		t.Errorf("a source without rows: %v", err)
	}
}

// Two customers with ten equal labels each are two observations: variance Σ (y - p m)² / M² = 2 · 25 / 400, 1/8 where 20 labels would give 1/80.
func TestRatesCountCustomersOnce(t *testing.T) {
	var r rateCount
	for range 10 {
		r.add(0, 1)
		r.add(1, 0)
	}
	n, churned, rate, low, high := r.figures()
	lo, hi := interval.Wilson(.5, 2)
	if n != 20 || churned != 10 || *rate != .5 || math.Abs(*low-lo) > 1e-12 || math.Abs(*high-hi) > 1e-12 {
		t.Errorf("%d %d %v %v %v, want %v to %v", n, churned, *rate, *low, *high, lo, hi)
	}
	// Newcombe (1998), Statistics in Medicine 17, table I: 15 of 148 by the score method is .0624 to .1605.
	if lo, hi := interval.Wilson(15./148, 148); math.Abs(lo-.0624) > 1e-4 || math.Abs(hi-.1605) > 1e-4 {
		t.Errorf("%v to %v", lo, hi)
	}
}
