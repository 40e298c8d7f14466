package features

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// historyOf are purchases on the given days after 2020-01-01, two of each, so that a day counts once.
func historyOf(t *testing.T, active [][]int) (w world) {
	for i, days := range active {
		for _, d := range days {
			for k := range 2 {
				at := utc(t, "2020-01-01").Add(time.Duration(d)*day + time.Duration(k*(3+i%5))*time.Hour)
				w.events = append(w.events, eventRow{source: []string{Usage, Purchases}[i%2], customer: fmt.Sprintf("c%d", i), id: 2*d + k, at: at})
			}
		}
	}
	return w
}

func TestReturnCurve(t *testing.T) {
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases, Usage}, ActiveDays: 365, HorizonDays: 30}
	s := world{}.store(t)
	historyOf(t, [][]int{{0, 40}, {100}, {0, 8, 16, 24}, {980}, {1000, 1100}}).load(t, s.DB)
	curve, _, err := s.returnCurve(t.Context(), c, utc(t, "2020-01-01").Add(1000*day+5*time.Hour)) // the last customer comes after D
	if err != nil {
		t.Fatal(err)
	}
	checkCurve(t, curve, byHand, 1e-9)

	for seed := range uint64(3) {
		active := randomDays(rand.New(rand.NewPCG(seed, 4)), 40, []int{300, 500, 900}[seed])
		historyOf(t, active).load(t, s.DB)
		end := []int{300, 450, 880}[seed]
		curve, _, err := s.returnCurve(t.Context(), c, utc(t, "2020-01-01").Add(time.Duration(end)*day))
		if err != nil {
			t.Fatal(err)
		}
		for i, days := range active {
			for len(days) > 0 && days[len(days)-1] >= end {
				days = days[:len(days)-1]
			}
			active[i] = days
		}
		checkCurve(t, curve, bruteCurve(active, end), 1e-8)
	}
}

// One purchase of 1970, a time that stands for none, does not cost a cutoff for each month since.
func TestLongGridLeavesOutTheEmpty(t *testing.T) {
	s := world{}.store(t)
	var w world
	for i, at := range []string{"1970-01-01", "2022-01-10", "2022-04-20", "2022-05-15", "2022-07-01"} {
		w.events = append(w.events, eventRow{source: Purchases, customer: string(rune('a' + i%2)), id: i, at: utc(t, at)})
	}
	w.load(t, s.DB)
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 60, HorizonDays: 30}
	// 84 days after the first row nobody is alive, nor is on the 1st of April: the 10th of January is 81 days ago.
	want := instants(t, "2022-02-01", "2022-03-01", "2022-05-01", "2022-06-01", "2022-07-01")
	p, err := s.Preview(t.Context(), c, DefaultGrid())
	if err != nil {
		t.Fatal(err)
	}
	var got []time.Time
	for _, row := range p.Cutoffs {
		if got = append(got, row.Cutoff); row.Eligible == 0 {
			t.Errorf("nobody is eligible at %s", row.Cutoff)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	known, err := s.Cutoffs(t.Context(), c, DefaultGrid())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:4], known); diff != "" {
		t.Error(diff)
	}
}

// By hand. Data are complete until the 1st of July. On the 1st of May a and b have bought within 60 days, c has not; a buys again on
// the last day of the window, b does not. On the 1st of June a alone is alive, and is silent. The labels of July are not known.
func TestPreviewByHand(t *testing.T) {
	s := world{}.store(t)
	var w world
	for i, e := range []struct{ customer, at string }{
		{"a", "2022-01-10"}, {"b", "2022-01-10"}, {"c", "2022-01-10"}, {"b", "2022-03-20"}, {"a", "2022-04-20"}, {"a", "2022-05-30"}, {"d", "2022-06-30"},
	} {
		w.events = append(w.events, eventRow{source: Purchases, customer: e.customer, id: i, at: utc(t, e.at)})
	}
	w.load(t, s.DB)
	from := utc(t, "2022-05-01")
	got, err := s.Preview(t.Context(), ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 60, GapDays: 0, HorizonDays: 30}, Grid{Every: "month", From: &from})
	if err != nil {
		t.Fatal(err)
	}
	half, one, none := .5, 1., 0.
	at := func(v float64) *float64 { return &v }
	want := &Preview{
		Setting: NonContractual, ActiveDays: 60, HorizonDays: 30, DataEnd: utc(t, "2022-07-01"),
		Cutoffs: []CutoffPreview{
			{Cutoff: utc(t, "2022-05-01"), Eligible: 2, Churned: 1, Stayed: 1, BaseRate: &half, BaseRateLow: at(.0945312057), BaseRateHigh: at(.9054687943), InvoluntaryRate: &none, AllCauseRate: &half,
				Known: true, ByStatus: map[string]int{StatusScored: 2, StatusAlreadyChurned: 1}},
			{Cutoff: utc(t, "2022-06-01"), Eligible: 1, Churned: 1, BaseRate: &one, BaseRateLow: at(.2065493143), BaseRateHigh: &one, InvoluntaryRate: &none, AllCauseRate: &one,
				Known: true, ByStatus: map[string]int{StatusScored: 1, StatusAlreadyChurned: 2}},
			{Cutoff: utc(t, "2022-07-01"), Eligible: 2, Missing: 2, Censored: 2, ByStatus: map[string]int{StatusScored: 2, StatusAlreadyChurned: 2}},
		},
		// Labels: a stayed, then churned; b churned. Wilson's interval of 2 of 3; rows of a are less alike than at random, so that it stands.
		Total:       TotalPreview{Cutoffs: 2, Labels: 3, Customers: 2, Churned: 2, BaseRate: at(2. / 3), BaseRateLow: at(.2076596002), BaseRateHigh: at(.9385080552), InvoluntaryRate: &none, AllCauseRate: at(2. / 3)},
		Segments:    []SegmentPreview{},
		Comparisons: []DefinitionComparison{},
		ReturnCurve: got.ReturnCurve,                             // see TestReturnCurve
		Returns:     &ReturnGaps{Median: 69, P90: 100, P99: 100}, // a after 100 and 40 days (a third each), b after 69 (a half)
		Warnings:    got.Warnings,
	}
	if len(got.Warnings) != 2 || !strings.Contains(got.Warnings[0], "of 3 labels 2 are churn") || !strings.Contains(got.Warnings[1], "set churn.active_days to at least 100") {
		t.Errorf("warnings: %q", got.Warnings)
	}
	if diff := cmp.Diff(want, got, equalNaNs); diff != "" {
		t.Error(diff)
	}
	b, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`{"setting":"non_contractual","active_days":60,"gap_days":0,"horizon_days":30,"data_end":"2022-07-01T00:00:00Z","cutoffs":[{"cutoff":"2022-05-01T00:00:00Z","eligible":2,"churned":1,"stayed":1,"missing":0,"base_rate":0.5,"base_rate_low":0.09`,
		`"return_curve":[{"silent_days":7,"return_probability":`, `"recommended_horizon_days":null`,
	} {
		if !strings.Contains(string(b), part) {
			t.Errorf("no %s in %s", part, b)
		}
	}
}

func TestPreviewContractual(t *testing.T) {
	ends := utc(t, "2022-06-10")
	s := world{periods: []periodRow{
		{customer: "a", started: utc(t, "2022-01-01")},
		{customer: "b", started: utc(t, "2022-01-01"), ends: &ends, reason: "payment_failed"},
		{customer: "c", started: utc(t, "2022-01-01"), ends: &ends},
		{customer: "d", started: utc(t, "2022-07-31"), ends: nil},
	}}.store(t)
	from := utc(t, "2022-06-01")
	got, err := s.Preview(t.Context(), ChurnSpec{Setting: Contractual, GraceDays: 10, HorizonDays: 30}, Grid{Every: "month", From: &from, Until: &from})
	if err != nil {
		t.Fatal(err)
	}
	if row := got.Cutoffs[0]; len(got.Cutoffs) != 1 || row.Churned != 1 || row.Stayed != 2 || row.Involuntary != 1 || *row.BaseRate != 1./3 || *row.AllCauseRate != 2./3 || *row.InvoluntaryRate != 1./3 {
		t.Errorf("%+v", got.Cutoffs)
	}
	if b, err := json.Marshal(got); err != nil || !strings.Contains(string(b), `"return_curve":[],"recommended_horizon_days":null`) {
		t.Errorf("%s, %v", b, err)
	}
}
