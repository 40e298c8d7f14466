package features

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Features of everyone are those of the eligible and of those who are not, whether the table of the population serves or a new one.
func TestEveryone(t *testing.T) {
	at := utc(t, "2022-01-01")
	s := world{events: []eventRow{
		{source: Purchases, customer: "buys", at: at.AddDate(0, 0, -10)}, {source: Purchases, customer: "left", at: at.AddDate(-2, 0, 0)}, {source: Touchpoints, customer: "lead", at: at.AddDate(0, 0, -3)},
	}}.store(t)
	c := &Catalogue{Version: 1, Entries: []Entry{
		{Name: "purchase_recency_days", Unit: UnitDays, Measure: Measure{Source: Purchases, Form: DaysSinceLast}},
		{Name: "touchpoint_recency_days", Unit: UnitDays, Measure: Measure{Source: Touchpoints, Form: DaysSinceLast}},
		{Name: "profile_tenure_days", Unit: UnitDays, Measure: Measure{Form: Tenure}},
	}}
	p := populationOf(t, s, DefaultChurn(), at)
	want := [][]float32{{10, -1, 731}, {-1, 3, -1}, {10, 3, 731}}
	for turn := range 2 { // the second finds the table handed over
		all, err := p.Everyone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all.Eligible(), []string{"buys", "lead", "left"}) || !all.Cutoff.Equal(p.Cutoff) {
			t.Fatalf("everyone: %v", all.Eligible())
		}
		x, err := s.Snapshot(t.Context(), c, all)
		if err != nil {
			t.Fatal(err)
		}
		for j, column := range x.X.X {
			got := slices.Clone(column)
			for i, v := range got {
				if v != v {
					got[i] = -1
				}
			}
			if d := cmp.Diff(want[j], got); d != "" {
				t.Errorf("turn %d, %s of buys, lead and left (-want +got):\n%s", turn, c.Entries[j].Name, d)
			}
		}
		if err := all.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if x, err := s.Snapshot(t.Context(), c, p); err != nil || x.X.Rows() != 1 {
		t.Errorf("the eligible are no longer there: %v", err)
	}
	if err := s.DropLeftovers(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
}
