package pipelines

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"retain/features"
	"retain/features/lifecycle/lead"
)

// Leads of the last two windows: who asked bought, who only looked did not, and one who is known later counts at no earlier start.
func TestLeadsAndWhatBecameOfThem(t *testing.T) {
	im := newImporter(t)
	at := func(day string) string { return day + " 12:00" }
	touch := []string{"customer_id,at,kind"}
	bought := []string{"customer_id,at,order_id,amount,currency"}
	for i := range 6 { // asked at the end of March: four of them bought in May
		touch = append(touch, fmt.Sprintf("asked%d,%s,inquiry", i, at("2025-03-31")), fmt.Sprintf("asked%d,%s,demo", i, at("2025-03-31")))
		if i < 4 {
			bought = append(bought, fmt.Sprintf("asked%d,%s,o%d,10,EUR", i, at("2025-05-05"), i))
		}
	}
	for i := range 10 {
		touch = append(touch, fmt.Sprintf("looked%d,%s,visit", i, at("2025-03-20")))
	}
	bought = append(bought, "late,"+at("2025-06-20")+",o9,10,EUR") // a customer at once, and never a lead
	touch = append(touch, "new,"+at("2025-06-30")+",cart", "old,"+at("2024-05-01")+",visit")
	im.must("touchpoints.csv", strings.Join(touch, "\n")+"\n", ImportOptions{Source: "touchpoints"})
	im.must("purchases.csv", strings.Join(bought, "\n")+"\n", ImportOptions{Source: "purchases", Currency: "EUR"})

	points, err := lead.Parse([]byte("half_life_days: 10\nkinds: {inquiry: 30, demo: 30, visit: 5, cart: 40}\nsilence: {after_days: 60, points: -10}\nfull: 60\ngrades: [{name: hot, from: 50}, {name: cold, from: 0}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	leads := Leads{Store: &features.Store{DB: im.w}, Churn: features.DefaultChurn(), Points: points}
	got, err := leads.Compute(t.Context(), time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC), 2)
	if err != nil {
		t.Fatal(err)
	}
	if got.Leads != 14 { // asked4, asked5, ten lookers, new, old
		t.Errorf("%d leads", got.Leads)
	}
	// A cart of half a day ago is 40·2^(-.05) of 60 points.
	if diff := cmp.Diff([]Lead{{"new", 64, "hot"}, {"asked4", 0, "cold"}}, got.Top); diff != "" {
		t.Errorf("the best leads: %s", diff)
	}
	hot, cold := got.Grades[0], got.Grades[1]
	if hot.Leads != 1 || hot.Measured != 6 || hot.Converted != 4 {
		t.Errorf("hot: %+v", hot)
	}
	// Starts: 2025-04-01 (ten lookers and old), 2025-01-01, 2024-10-01, 2024-07-01 (old).
	if cold.Leads != 13 || cold.Measured != 14 || cold.Converted != 0 {
		t.Errorf("cold: %+v", cold)
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings %q", got.Warnings)
	}
}

func TestNoLeads(t *testing.T) {
	im := newImporter(t)
	im.must("purchases.csv", "customer_id,at,order_id,amount,currency\na,2025-05-01,o,10,EUR\n", ImportOptions{Source: "purchases", Currency: "EUR"})
	got, err := Leads{Store: &features.Store{DB: im.w}, Churn: features.DefaultChurn(), Points: lead.Default(), Now: func() time.Time { return time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC) }}.Compute(t.Context(), time.Time{}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if got.Leads != 0 || len(got.Top) != 0 || len(got.Warnings) != 1 || got.Grades[0].Rate != nil {
		t.Errorf("%+v", got)
	}
}
