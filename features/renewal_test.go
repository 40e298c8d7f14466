package features

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// dueByHand are the eligible customers whose paid time, as known at the cutoff, ends 14 to 21 days after it.
func (w world) dueByHand(c ChurnSpec, cutoff time.Time) (due []string) {
	newest := map[[2]any]periodRow{}
	for _, p := range w.periods {
		i := [2]any{p.customer, p.id}
		if held, ok := newest[i]; p.known().Before(cutoff) && (!ok || p.known().After(held.known())) {
			newest[i] = p
		}
	}
	paid := map[string]time.Time{}
	for _, p := range newest {
		if !p.started.Before(cutoff) {
			continue
		}
		end := never
		switch {
		case p.ended != nil && p.ended.Before(cutoff):
			end = *p.ended
		case p.ends != nil:
			end = *p.ends
		}
		if end.After(paid[p.customer]) {
			paid[p.customer] = end
		}
	}
	stands := w.standing(c, cutoff)
	for _, id := range sortedKeys(stands) {
		if stands[id] == standingScored && !paid[id].Before(cutoff.AddDate(0, 0, 14)) && paid[id].Before(cutoff.AddDate(0, 0, 21)) {
			due = append(due, id)
		}
	}
	return due
}

func TestRenewalRowsAgainstReference(t *testing.T) {
	c := ChurnSpec{Setting: Contractual, GraceDays: 5, HorizonDays: 30}
	var w world
	for seed := range uint64(4) {
		part := lateWorld(rand.New(rand.NewPCG(seed, 9)), Contractual)
		for _, p := range part.periods {
			p.customer = string(rune('a'+seed)) + p.customer
			w.periods = append(w.periods, p)
		}
	}
	s := w.store(t)
	rows := 0
	for cutoff := utc(t, "2024-03-04"); cutoff.Before(utc(t, "2024-06-01")); cutoff = cutoff.AddDate(0, 0, 7) {
		p, err := Grid{Every: "renewal"}.Rows(t.Context(), s, c, cutoff)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.dueByHand(c, cutoff), p.Eligible()); diff != "" {
			t.Errorf("%v: %s", cutoff, diff)
		}
		rows += len(p.Eligible())
		if err := p.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	if rows < 10 {
		t.Errorf("only %d rows: the world shows nothing", rows)
	}
}

// Boundaries of the week of renewal, in the knowledge of the cutoff; every row has its label.
func TestRenewalBoundaries(t *testing.T) {
	cutoff := utc(t, "2024-05-06") // a Monday
	at := func(days int, more time.Duration) *time.Time { v := cutoff.AddDate(0, 0, days).Add(more); return &v }
	ms, thirty := time.Millisecond, uint16(30)
	cases := []struct {
		name   string
		period periodRow
		due    bool
	}{
		{"first instant", periodRow{ends: at(14, 0)}, true},
		{"a millisecond before", periodRow{ends: at(14, -ms)}, false},
		{"last instant", periodRow{ends: at(21, -ms)}, true},
		{"the next week's", periodRow{ends: at(21, 0)}, false},
		{"open", periodRow{}, false},
		{"ends_at may have been written down afterwards: the next billing date is known", periodRow{ends: at(300, 0), billing: &thirty}, true}, // -15 + 30
		{"the same with its own knowledge time", periodRow{ends: at(300, 0), billing: &thirty, ingested: *at(-15, 0)}, false},
		{"an end that becomes known at the cutoff", periodRow{ends: at(300, 0), ended: at(15, 0)}, false},
	}
	var w world
	want := []string(nil)
	for i, k := range cases {
		k.period.customer, k.period.started = string(rune('a'+i)), *at(-15, 0)
		w.periods = append(w.periods, k.period)
		if k.due {
			want = append(want, k.period.customer)
		}
	}
	s := w.store(t)
	c := ChurnSpec{Setting: Contractual, HorizonDays: 30}
	p, err := Grid{Every: "renewal"}.Rows(t.Context(), s, c, cutoff)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(context.WithoutCancel(t.Context()))
	if diff := cmp.Diff(want, p.Eligible()); diff != "" {
		t.Error(diff)
	}
	if l := labelsOf(t, s, c, p, time.Time{}); len(l.Y) != len(want) {
		t.Errorf("%d labels of %d rows", len(l.Y), len(want))
	}
}

func TestRenewalNeedsAFittingLabel(t *testing.T) {
	s := world{}.store(t)
	for _, k := range []struct {
		churn ChurnSpec
		want  string
	}{
		{DefaultChurn(), "needs churn.setting: contractual"},
		{ChurnSpec{Setting: Contractual, HorizonDays: 20}, "churn.horizon_days to at least 21"},
		{ChurnSpec{Setting: Contractual, GapDays: 15, HorizonDays: 90}, "at most 14"},
	} {
		if _, err := s.Preview(t.Context(), k.churn, Grid{Every: "renewal"}); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%+v: %v, want %q", k.churn, err, k.want)
		}
	}
	if _, err := s.LoyaltyCutoffs(t.Context(), DefaultChurn(), Grid{Every: "renewal"}, PartRepeat); err == nil || !strings.Contains(err.Error(), "needs churn.setting: contractual") {
		t.Errorf("loyalty of customers who renew nothing: %v", err)
	}
	if got := (Grid{Every: "renewal"}).firstFrom(utc(t, "2024-05-07")); !got.Equal(utc(t, "2024-05-13")) {
		t.Errorf("the first point is %v, no Monday", got)
	}
}
