package features

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var equalNaNs = cmp.Options{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9)}

func labelsOf(t testing.TB, s *Store, c ChurnSpec, p *Population, known time.Time) *Labels {
	t.Helper()
	l, err := s.Labels(t.Context(), c, p, known)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func valueOf(t testing.TB, s *Store, p *Population) []float64 {
	t.Helper()
	v, err := s.MonthlyValue(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func checkLabels(t *testing.T, s *Store, w world, c ChurnSpec, p *Population, known time.Time, seen map[string]int, name string) {
	t.Helper()
	want := &Labels{Y: []float64{}}
	all := known
	if all.IsZero() {
		all = endOfTime
	}
	for _, id := range p.Eligible() {
		fate := w.fate(c, id, p.Cutoff, all)
		want.add(uint8(fate))
		seen[name+" fate "+string(rune('0'+fate))]++
	}
	if diff := cmp.Diff(want, labelsOf(t, s, c, p, known), equalNaNs); diff != "" {
		t.Fatalf("%s at %v, known before %v: %s", name, p.Cutoff, known, diff)
	}
}

func checkValue(t *testing.T, s *Store, w world, p *Population) {
	t.Helper()
	want := []float64{}
	for _, id := range p.Eligible() {
		want = append(want, w.monthlyValue(id, p.Cutoff))
	}
	if diff := cmp.Diff(want, valueOf(t, s, p), equalNaNs); diff != "" {
		t.Fatalf("value at %v: %s", p.Cutoff, diff)
	}
}

// A case is one customer "x" of whom one thing is told.
type labelCase struct {
	name   string
	world  world
	status string  // with its code after a blank
	y      float64 // of a scored customer; NaN = missing
}

var unlabelled = math.NaN()

// runCases gives the customer of every case an id of its own and asks for all at once.
func runCases(t *testing.T, c ChurnSpec, cutoff time.Time, cases []labelCase) {
	t.Helper()
	var all world
	ids := make([]string, len(cases))
	for i, k := range cases {
		ids[i] = fmt.Sprintf("x%03d", i)
		for _, e := range k.world.events {
			e.customer = ids[i]
			all.events = append(all.events, e)
		}
		for _, p := range k.world.periods {
			p.customer = ids[i]
			all.periods = append(all.periods, p)
		}
		for _, r := range k.world.customers {
			r.customer = ids[i]
			all.customers = append(all.customers, r)
		}
	}
	s := all.store(t)
	p := populationOf(t, s, c, cutoff)
	stands := asMap(t, p)
	l := labelsOf(t, s, c, p, time.Time{})
	for i, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			got, exists := stands[ids[i]]
			if want := strings.TrimSpace(got[0] + " " + got[1]); want != k.status || exists != (k.status != "") {
				t.Fatalf("stands at %q, want %q", got, k.status)
			}
			if row, scored := slices.BinarySearch(p.Eligible(), ids[i]); scored {
				if diff := cmp.Diff(k.y, l.Y[row], equalNaNs); diff != "" {
					t.Errorf("label: %s", diff)
				}
			}
		})
	}
}

func TestNonContractualBoundaries(t *testing.T) {
	cutoff := utc(t, "2022-06-01")
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 30, GapDays: 2, HorizonDays: 10}
	last := cutoff.Add(-time.Millisecond)
	edge, end := cutoff.Add(2*day), cutoff.Add(12*day)
	bought := func(at ...time.Time) (w world) {
		for i, a := range at {
			w.events = append(w.events, eventRow{source: Purchases, customer: "x", id: i, at: a})
		}
		return w
	}
	late := func(at, known time.Time) world {
		return world{events: []eventRow{{source: Purchases, customer: "x", at: at, ingested: known}}}
	}
	runCases(t, c, cutoff, []labelCase{
		{"last instant before the cutoff", bought(last), StatusScored, 1},
		{"at the cutoff is the future", bought(cutoff), "", 0},
		{"first instant of the active days", bought(cutoff.Add(-30 * day)), StatusScored, 1},
		{"a millisecond before the active days", bought(cutoff.Add(-30*day - time.Millisecond)), StatusAlreadyChurned, 0},
		{"known in the last instant", late(cutoff.Add(-5*day), last), StatusScored, 1},
		{"known at the cutoff only", late(cutoff.Add(-5*day), cutoff), "", 0},
		{"bought in the gap only", bought(last, edge.Add(-time.Millisecond)), StatusScored, 1},
		{"first instant of the label window", bought(last, edge), StatusScored, 0},
		{"last instant of the label window", bought(last, end.Add(-time.Millisecond)), StatusScored, 0},
		{"at the end of the label window", bought(last, end), StatusScored, 1},
		{"usage is no activity here", world{events: []eventRow{{source: Usage, customer: "x", at: last}}}, StatusInsufficientHistory, 0},
		{"opted out in the last instant", world{events: bought(last).events, customers: []customerRow{{customer: "x", optedOut: &last, ingested: last}}}, StatusOptedOut, 0},
		{"opted out, known at the cutoff only", world{events: bought(last).events, customers: []customerRow{{customer: "x", optedOut: &last, ingested: cutoff}}}, StatusScored, 1},
		{"opted out at the cutoff", world{events: bought(last).events, customers: []customerRow{{customer: "x", optedOut: &cutoff, ingested: cutoff.Add(-day)}}}, StatusScored, 1},
		{"a customer and nothing else", world{customers: []customerRow{{customer: "x", ingested: last}}}, StatusInsufficientHistory, 0},
		{"a customer created at the cutoff", world{customers: []customerRow{{customer: "x", created: &cutoff, ingested: last}}}, "", 0},
	})
}

// Labels are read as they were known: a purchase in the window that became known later does not count, but what is held now does.
func TestLabelsAreReadAsKnown(t *testing.T) {
	cutoff := utc(t, "2022-06-01")
	c := ChurnSpec{Setting: NonContractual, Activity: []string{Purchases}, ActiveDays: 30, HorizonDays: 10}
	matured := c.Matures(cutoff)
	s := world{events: []eventRow{
		{source: Purchases, customer: "x", id: 0, at: cutoff.Add(-day)},
		{source: Purchases, customer: "x", id: 1, at: cutoff.Add(day), ingested: matured},
	}}.store(t)
	p := populationOf(t, s, c, cutoff)
	for _, k := range []struct {
		name  string
		known time.Time
		want  float64
	}{
		{"known at maturity", matured, 1},
		{"known a millisecond later", matured.Add(time.Millisecond), 0},
		{"all that is held", time.Time{}, 0},
	} {
		if got := labelsOf(t, s, c, p, k.known).Y; got[0] != k.want {
			t.Errorf("%s: label %v, want %v", k.name, got[0], k.want)
		}
	}
	if _, err := s.Labels(t.Context(), c, p, matured.Add(-time.Millisecond)); !errors.Is(err, ErrLabelsUnknown) {
		t.Errorf("labels before they are complete: %v, want ErrLabelsUnknown", err)
	}
}

func TestContractualBoundaries(t *testing.T) {
	cutoff := utc(t, "2022-09-01")
	c := ChurnSpec{Setting: Contractual, GraceDays: 10, GapDays: 5, HorizonDays: 30}
	at := func(days int) *time.Time { v := cutoff.Add(time.Duration(days) * day); return &v }
	after := func(t *time.Time) *time.Time { v := t.Add(time.Millisecond); return &v }
	before := func(t *time.Time) *time.Time { v := t.Add(-time.Millisecond); return &v }
	periods := func(p ...periodRow) world {
		for i := range p {
			p[i].customer, p[i].id = "x", i
		}
		return world{periods: p}
	}
	// paid is one period from 20 days before the cutoff.
	paid := func(ends *time.Time) periodRow { return periodRow{started: *at(-20), ends: ends} }
	thirty := uint16(30)
	runCases(t, c, cutoff, []labelCase{
		{"open", periods(paid(nil)), StatusScored, 0},
		{"starts at the cutoff", periods(periodRow{started: cutoff}), "", 0},
		{"ends exactly at the cutoff: its last instant is paid", periods(paid(at(0))), StatusScored, unlabelled}, // left in the gap
		{"ended a millisecond before", periods(paid(before(at(0)))), "not_eligible in_grace", 0},
		{"ended a grace ago", periods(paid(at(-10))), "not_eligible in_grace", 0},
		{"ended a millisecond more than a grace ago", periods(paid(before(at(-10)))), StatusAlreadyChurned, 0},
		{"a period of no length was never paid", periods(periodRow{started: *at(-20), ends: at(-20)}), StatusInsufficientHistory, 0},

		{"ends in the gap: unused", periods(paid(before(at(5)))), StatusScored, unlabelled},
		{"ends at the first instant of the window", periods(paid(at(5))), StatusScored, 1},
		{"ends at the last instant of the window", periods(paid(before(at(35)))), StatusScored, 1},
		{"ends at the end of the window", periods(paid(at(35))), StatusScored, 0},

		{"renewed without a gap", periods(paid(at(10)), periodRow{started: *at(10), ends: at(40)}), StatusScored, 0},
		{"renewed after exactly the grace", periods(paid(at(10)), periodRow{started: *at(20), ends: at(50)}), StatusScored, 0},
		{"renewed a millisecond after the grace", periods(paid(at(10)), periodRow{started: *after(at(20)), ends: at(50)}), StatusScored, 1},
		{"the last instant of the window, renewed at the end of M", periods(paid(before(at(35))), periodRow{started: *before(at(45))}), StatusScored, 0},
		{"joined, and the second one ends in the window", periods(paid(at(6)), periodRow{started: *at(16), ends: at(30)}), StatusScored, 1},
		{"joined out of order of their ends", periods(paid(at(50)), periodRow{started: *at(1), ends: at(10)}), StatusScored, 0},
		{"one of two ends, the other goes on", periods(paid(at(10)), periodRow{started: *at(-5)}), StatusScored, 0},

		{"stopped before it was paid to", periods(periodRow{started: *at(-20), ends: at(60), ended: at(10)}), StatusScored, 1},
		{"served beyond what was paid", periods(periodRow{started: *at(-20), ends: at(10), ended: at(60)}), StatusScored, 0},
		{"the stop has happened", periods(periodRow{started: *at(-20), ends: at(60), ended: before(at(0))}), "not_eligible in_grace", 0},
		{"the stop at the cutoff is not known yet", periods(periodRow{started: *at(-20), ends: at(60), ended: at(0)}), StatusScored, unlabelled},

		{"a standing cancellation", periods(periodRow{started: *at(-20), ends: at(10), cancelled: before(at(0))}), "not_eligible cancel_pending", 0},
		{"cancelled at the cutoff is not known", periods(periodRow{started: *at(-20), ends: at(10), cancelled: at(0)}), StatusScored, 1},
		{"one of two is cancelled", periods(periodRow{started: *at(-20), ends: at(10), cancelled: at(-1)}, periodRow{started: *at(-5)}), StatusScored, 0},
		{"cancelled, open, by billing period", periods(periodRow{started: *at(-20), cancelled: at(9), billing: &thirty}), StatusScored, 1},                       // held by [-20, 10)
		{"cancelled at the start of a billing period", periods(periodRow{started: *at(-20), cancelled: at(10), billing: &thirty}), StatusScored, 0},              // held by [10, 40)
		{"cancelled, open, the billing period has passed", periods(periodRow{started: *at(-80), cancelled: at(-60), billing: &thirty}), StatusAlreadyChurned, 0}, // to -50
		{"cancelled, open, the billing period goes on", periods(periodRow{started: *at(-20), cancelled: at(-1), billing: &thirty}), "not_eligible cancel_pending", 0},
		{"cancelled before the first billing period", periods(periodRow{started: *at(-20), cancelled: at(-30), billing: &thirty}), "not_eligible cancel_pending", 0},
		{"cancelled, open, without billing_days", periods(periodRow{started: *at(-20), cancelled: at(9)}), StatusScored, 1},

		{"the payment failed", periods(periodRow{started: *at(-20), ends: at(10), ended: at(10), reason: "Payment failed"}), StatusScored, 0},
		{"the payment failed, and the other one of that day was let go", periods(
			periodRow{started: *at(-20), ends: at(10), reason: "payment_failed"}, periodRow{started: *at(-9), ends: at(10), reason: "too dear"}), StatusScored, 1},
		{"left of their own, an earlier payment failed", periods(
			periodRow{started: *at(-20), ends: at(6), reason: "payment-failed"}, periodRow{started: *at(6), ends: at(10)}), StatusScored, 1},
	})
}

// With billing on the first of the month every period ends exactly at a cutoff of the default grid. Those who do not renew then must be
// among the eligible, as churners: a rule that asked for T < ends_at would lose them all.
func TestFirstOfMonthBillingKeepsItsChurners(t *testing.T) {
	var w world
	for k, months := range []int{6, 8, 8, 12} { // stays until July, September, September, January
		for m := range months {
			end := time.Date(2022, time.Month(m+2), 1, 0, 0, 0, 0, time.UTC)
			w.periods = append(w.periods, periodRow{customer: string(rune('a' + k)), id: m, started: end.AddDate(0, -1, 0), ends: &end})
		}
	}
	s := w.store(t)
	c := ChurnSpec{Setting: Contractual, GraceDays: 5, HorizonDays: 30}
	p := populationOf(t, s, c, utc(t, "2022-09-01"))
	if diff := cmp.Diff([]string{"b", "c", "d"}, p.Eligible()); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]float64{1, 1, 0}, labelsOf(t, s, c, p, time.Time{}).Y); diff != "" {
		t.Error(diff)
	}
}

func TestEventBoundaries(t *testing.T) {
	cutoff := utc(t, "2022-06-01")
	c := ChurnSpec{Setting: EventSetting, GapDays: 2, HorizonDays: 10, Event: &EventSpec{
		Source: Usage, Match: map[string]string{"channel": "leave"}, Start: &EventMatch{Source: Usage, Match: map[string]string{"channel": "join"}}}}
	history := func(say ...any) (w world) {
		for i := 0; i < len(say); i += 2 {
			w.events = append(w.events, eventRow{source: Usage, customer: "x", id: i, channel: say[i].(string), at: cutoff.Add(say[i+1].(time.Duration))})
		}
		return w
	}
	const ms = time.Millisecond
	runCases(t, c, cutoff, []labelCase{
		{"joined", history("join", -ms), StatusScored, 0},
		{"never joined", history("look", -ms), StatusInsufficientHistory, 0},
		{"left", history("join", -2*day, "leave", -day), StatusAlreadyChurned, 0},
		{"left in the same instant", history("join", -day, "leave", -day), StatusAlreadyChurned, 0},
		{"came back", history("join", -3*day, "leave", -2*day, "join", -day), StatusScored, 0},
		{"left at the cutoff: in the gap", history("join", -day, "leave", time.Duration(0)), StatusScored, unlabelled},
		{"last instant of the gap", history("join", -day, "leave", 2*day-ms), StatusScored, unlabelled},
		{"first instant of the window", history("join", -day, "leave", 2*day), StatusScored, 1},
		{"last instant of the window", history("join", -day, "leave", 12*day-ms), StatusScored, 1},
		{"at the end of the window", history("join", -day, "leave", 12*day), StatusScored, 0},
		{"in the gap and in the window", history("join", -day, "leave", day, "leave", 5*day), StatusScored, unlabelled},
		{"another event in the window", history("join", -day, "look", 5*day), StatusScored, 0},
	})
}
