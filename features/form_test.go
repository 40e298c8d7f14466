package features

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// everyForm is a catalogue of each form with each kind of narrowing it takes.
func everyForm(t testing.TB) *Catalogue {
	t.Helper()
	c := &Catalogue{Version: catalogueVersion}
	add := func(m Measure) {
		unit := UnitNumber
		if kind, _ := columnKind(m.Source, m.Column); (m.Form == Last || m.Form == Attribute) && (kind == text || m.Column == attributesColumn) {
			unit = UnitLevel
		}
		c.Entries = append(c.Entries, Entry{Name: fmt.Sprintf("f%d_%s", len(c.Entries), m.Form), Measure: m, Unit: unit, Doc: "d", Words: "w", Missing: "m"})
	}
	narrowings := []Measure{
		{Source: Usage}, {Source: Usage, Window: 7}, {Source: Usage, Window: 28, Offset: 28}, {Source: Usage, Window: 84},
		{Source: Usage, Window: 28, Where: map[string][]string{"weekend": {"true"}}},
		{Source: Usage, Where: map[string][]string{"feature": {"search", "Käse"}, "channel": {"app"}}},
		{Source: Purchases, Window: 365}, {Source: Purchases, Window: 90, Where: map[string][]string{"returned": {"false"}}},
		{Source: Subscriptions}, {Source: Subscriptions, Current: true}, {Source: Subscriptions, Current: true, Offset: 28},
		{Source: Subscriptions, Where: map[string][]string{"cancelled": {"true"}}},
		{Source: Surveys, Window: 365, Where: map[string][]string{"answered": {"false"}}}, {Source: Surveys, Where: map[string][]string{"kind": {"nps"}}},
		{Source: Tickets, Where: map[string][]string{"open": {"true"}}}, {Source: Tickets, Window: 84},
		{Source: Tickets, Window: 28, Where: map[string][]string{"late_reply": {"true"}, "public": {"false"}}},
		{Source: Contacts, Window: 28, Where: map[string][]string{"ignored": {"true"}}}, {Source: Contacts, Window: 7, Where: map[string][]string{"class": {"service"}}},
		{Source: Touchpoints, Window: 84, Where: map[string][]string{"kind": {"visit", "cart"}}},
	}
	texts := map[string]string{Usage: "feature", Purchases: "order_id", Subscriptions: "plan", Surveys: "nps_class", Tickets: "reply_channel", Contacts: "outcome", Touchpoints: "kind"}
	numbers := map[string]string{Usage: "duration_s", Purchases: "amount", Subscriptions: "seats", Surveys: "score", Tickets: "reply_ms", Contacts: "ignored", Touchpoints: "value"}
	for _, n := range narrowings {
		for _, form := range sortedKeys(forms) {
			m, need := n, forms[form]
			m.Form = form
			switch form {
			case Slope:
				m.Buckets = 7
			case DecayedSum, RenewalDecay:
				m.Tau = 9.5
			case PaidFor:
				m.Window = 20
			}
			switch need.column {
			case textColumn, textOptional:
				m.Column = texts[m.Source]
			case anyColumn, numberColumn, numberOptional:
				m.Column = numbers[m.Source]
			}
			if need.source && form != Attribute && m.check("") == "" {
				add(m)
				if need.column == textOptional || need.column == numberOptional {
					m.Column = ""
					if m.check("") == "" {
						add(m)
					}
				}
			}
			if form == Last {
				m.Column = texts[m.Source]
				add(m)
			}
		}
		for _, base := range []Measure{{Form: Count}, {Form: Sum, Column: numbers[n.Source]}, {Form: Mean, Column: numbers[n.Source]}} {
			m := n
			m.Form, m.Column = base.Form, base.Column
			if m.Current && m.Offset == 0 {
				m.Window = 84
			}
			if change := (Measure{Form: Change, Of: &m}); change.check("") == "" {
				add(change)
			}
			over := m
			over.Form, over.Column = ActiveDays, ""
			add(Measure{Form: Ratio, Of: &m, Over: &over, Scale: 2.5})
			add(Measure{Form: Difference, Of: &m, Over: &over})
		}
	}
	add(Measure{Form: Tenure})
	add(Measure{Form: ActiveDays, Source: Usage, Life: 30})
	add(Measure{Form: Distinct, Source: Usage, Column: "feature", Life: 30})
	add(Measure{Form: Sum, Source: Subscriptions, Column: "auto_renew"})
	for _, window := range []Measure{{}, {Window: 180}, {Window: 90, Offset: 28}} {
		for _, form := range []Form{RenewalsUp, RenewalsDown, Returns} {
			m := Measure{Form: form, Source: Subscriptions, Window: window.Window, Offset: window.Offset}
			if form != Returns {
				m.Column = "mrr"
			}
			add(m)
		}
	}
	add(Measure{Form: RenewalChange, Source: Subscriptions, Column: "mrr"})
	add(Measure{Form: RenewalDecay, Source: Subscriptions, Column: "seat_price", Tau: 60})
	for _, column := range []string{"reopened", "escalated", "self_served", "satisfaction", "open", "late_reply", "public", "replied_elsewhere"} {
		for _, form := range []Form{Sum, Mean, Last, LastChange} {
			add(Measure{Form: form, Source: Tickets, Column: column, Window: 84})
		}
	}
	add(Measure{Form: RenewalDiff, Source: Subscriptions, Column: "discount"})
	add(Measure{Form: Slope, Source: Usage, Column: "errors", Window: 84, Buckets: 12})
	add(Measure{Form: Attribute, Source: Customers, Column: "region"})
	add(Measure{Form: Attribute, Source: Customers, Column: "segment"})
	add(Measure{Form: Attribute, Source: Customers, Column: attributesColumn, Key: "colour"})
	if err := c.settle(func(int) int { return 0 }); err != nil {
		t.Fatal(err)
	}
	return c
}

var formCutoffs = []time.Time{
	time.UnixMilli(refStart).UTC().AddDate(0, 0, 40),                      // before most windows are full
	time.UnixMilli(refStart).UTC().AddDate(0, 0, 200),                     // a midnight
	time.UnixMilli(refStart).UTC().AddDate(0, 0, 400).Add(41234567890123), // 11:27:14.567890123: no midnight, below a millisecond
}

func cutoffMS() []int64 {
	var ms []int64
	for _, c := range formCutoffs {
		ms = append(ms, milliseconds(c))
	}
	return ms
}

// TestEveryFormEqualsItsReference compares every cell of the matrix with the brute-force reference.
func TestEveryFormEqualsItsReference(t *testing.T) {
	narrowed := everyForm(t)
	seen := map[Form]int{}
	for seed := range uint64(2) {
		w := randomHistory(rand.New(rand.NewPCG(seed, 1)), cutoffMS())
		s := w.store(t)
		all := DefaultCatalogue()
		all.Treatment = true
		whole, err := all.Resolve(t.Context(), s, formCutoffs)
		if err != nil {
			t.Fatal(err)
		}
		c := &Catalogue{Version: catalogueVersion, Entries: append(narrowed.Entries, whole.Entries...)}
		for _, cutoff := range formCutoffs {
			eye := w.eye(milliseconds(cutoff))
			got, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, eye.customers()))
			if err != nil {
				t.Fatal(err)
			}
			compareToReference(t, eye, c, got, seen)
		}
	}
	for form := range forms {
		if seen[form] == 0 {
			t.Errorf("form %s had no value to compare", form)
		}
	}
}

// TestManyValuesEqualTheReference is the same where every text column holds more values than have codes.
func TestManyValuesEqualTheReference(t *testing.T) {
	w := randomHistory(rand.New(rand.NewPCG(3, 1)), cutoffMS())
	cutoff := formCutoffs[2]
	for _, source := range eventSources() {
		src, _ := sourceNamed(source)
		for i := range maxCodes + 1 {
			at := milliseconds(cutoff) - int64(1+3*i)*dayMS
			r := refRow{source: source, customer: fmt.Sprintf("c%02d", i%3), event: 1000 + i, at: at, ingested: at, imported: at, mapped: true,
				hash: uint64(1000+i) * 0x9E3779B97F4A7C15, text: map[string]string{}, num: map[string]float64{}}
			for _, column := range src.Columns {
				if column.Type == text {
					r.text[column.Name] = fmt.Sprintf("value %02d", i)
				}
			}
			w.rows = append(w.rows, r)
		}
	}
	s := w.store(t)
	c := everyForm(t)
	if levels, err := s.codedColumns(t.Context(), cutoff, c.Entries); err != nil || len(levels) > 0 {
		t.Fatalf("columns with codes: %v, %v", levels, err)
	}
	eye := w.eye(milliseconds(cutoff))
	got, err := s.Snapshot(t.Context(), c, everyone(t, s, cutoff, eye.customers()))
	if err != nil {
		t.Fatal(err)
	}
	compareToReference(t, eye, c, got, map[Form]int{})
}

func compareToReference(t *testing.T, eye *refEye, c *Catalogue, got *Snapshot, seen map[Form]int) {
	t.Helper()
	for j, e := range c.Entries {
		wrong := 0
		for i, id := range got.Customer {
			x := float64(got.X.X[j][i])
			if e.Kind() == Categorical {
				level := ""
				if x == x {
					level = got.X.Schema[j].Levels[int(x)]
					seen[e.Measure.Form]++
				}
				if want := eye.level(e.Measure, id); level != want {
					t.Errorf("%s %s of %s at %d: %q, want %q", e.Name, e.Definition(), id, eye.now, level, want)
				}
				continue
			}
			want := eye.value(e.Measure, id)
			if want == want {
				seen[e.Measure.Form]++
			}
			if (x != x) != (want != want) || math.Abs(x-want) > 2e-6*math.Max(1, math.Abs(want)) {
				if wrong++; wrong <= 2 {
					t.Errorf("%s %s of %s at %d: %v, want %v", e.Name, e.Definition(), id, eye.now, x, want)
				}
			}
		}
	}
}
