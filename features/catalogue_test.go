package features

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const entryHead = "version: 1\nentries:\n"

// oneEntry is a catalogue of one entry that begins in line 3.
func oneEntry(measure string) string {
	return entryHead + "  - name: usage_x\n    measure: {" + measure + "}\n    unit: count\n    doc: d\n    words: w\n    missing: m\n"
}

func TestParseCatalogueIsStrict(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", entryHead + "  - name: usage_x\n    colour: red\n", "line 4: field colour not found"},
		{"unknown key in a measure", oneEntry("source: usage, form: count, windows: 7"), "line 4: field windows not found"},
		{"unknown form", oneEntry("source: usage, form: modus"), `line 3, entry usage_x: unknown form "modus"`},
		{"unknown source", oneEntry("source: visits, form: count"), `unknown source "visits"`},
		{"unknown column", oneEntry("source: usage, form: sum, column: length"), `column "length" does not serve`},
		{"text where a number belongs", oneEntry("source: usage, form: sum, column: feature"), "does not serve"},
		{"column too many", oneEntry("source: usage, form: active_days, column: feature"), "does not serve"},
		{"unknown condition", oneEntry("source: usage, form: count, where: {colour: [red]}"), `"colour" is no text or boolean column`},
		{"condition on a boolean", oneEntry(`source: purchases, form: count, where: {returned: ["1"]}`), `is ["true"] or ["false"]`},
		{"slope without buckets", oneEntry("source: usage, form: slope, window: 84"), "buckets"},
		{"buckets that do not divide", oneEntry("source: usage, form: slope, window: 84, buckets: 5"), "buckets"},
		{"decay without tau", oneEntry("source: usage, form: decayed_sum"), "tau"},
		{"change without a window", oneEntry("form: change, source: usage, of: {form: count}"), "of has a window"},
		{"ratio without over", oneEntry("form: ratio, source: usage, of: {form: count}"), "of belongs to"},
		{"current usage", oneEntry("source: usage, form: count, current: true"), "current is for subscriptions"},
		{"renewals of usage", oneEntry("source: usage, form: renewals_up, column: errors"), "is for subscriptions"},
		{"paid for, of all periods", oneEntry("source: subscriptions, form: paid_for"), "current: true"},
		{"several of what does not run", strings.Replace(oneEntry("source: usage, form: count"), "usage_x", "usage_{each}\n    each: feature\n    several: true", 1), "running periods"},
		{"negative window", oneEntry("source: usage, form: count, window: -7"), "whole days"},
		{"text as a number", oneEntry("source: subscriptions, form: last, column: plan"), "the unit level is for text"},
		{"other version", "version: 2\nentries: []\n", "version is 2"},
		{"same name twice", oneEntry("source: usage, form: count") + strings.TrimPrefix(oneEntry("source: usage, form: count"), entryHead), "line 9, entry usage_x: the name is taken"},
		{"unknown mark", strings.Replace(oneEntry("source: usage, form: count"), "words: w", "words: '{valeu}'", 1), "unknown mark {valeu}"},
		{"choice of words where there is no flag", strings.Replace(oneEntry("source: usage, form: count"), "words: w", "words: '{on|off}'", 1), "unknown mark {on|off}"},
	} {
		_, err := ParseCatalogue([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	_, err := ParseCatalogue([]byte(oneEntry("source: usage, form: modus")))
	if fault := new(CatalogueError); !errors.As(err, &fault) || fault.Line != 3 || fault.Entry != "usage_x" {
		t.Errorf("%#v is no CatalogueError of line 3", err)
	}
}

func TestDefaultCatalogueReadsLikeItsNames(t *testing.T) {
	c := DefaultCatalogue()
	if n := len(c.Entries); n < 60 {
		t.Errorf("%d entries", n)
	}
	subjects := []string{"usage_", "purchase_", "subscription_", "survey_", "ticket_", "contact_", "touchpoint_", "profile_"}
	for _, e := range c.Entries {
		fine := false
		for _, s := range subjects {
			fine = fine || strings.HasPrefix(e.Name, s)
		}
		if !fine {
			t.Errorf("%s begins with none of %q", e.Name, subjects)
		}
		window := e.Measure.Window
		if e.Measure.Of != nil {
			window = e.Measure.Of.Window
		}
		if window > 0 && e.Measure.Form != Ratio && !strings.HasSuffix(e.Name, fmt.Sprintf("_%dd", window)) {
			t.Errorf("%s does not end in its window of %d days", e.Name, window)
		}
	}
}

func TestCatalogueRoundTrip(t *testing.T) {
	want := DefaultCatalogue()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := new(Catalogue)
	if err := json.Unmarshal(b, got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for _, e := range want.Entries {
		if f, _ := got.Entry(e.Name); f.Definition() != e.Definition() {
			t.Errorf("%s: definition %s, was %s", e.Name, f.Definition(), e.Definition())
		}
	}
	if err := json.Unmarshal([]byte(`{"version":1,"entries":[{"name":"usage_x","colour":"red"}]}`), got); err == nil {
		t.Error("an unknown JSON key passed")
	}
}

func TestDefinitionChangesWithTheValuesOnly(t *testing.T) {
	e, _ := DefaultCatalogue().Entry("usage_sessions_count_28d")
	const want = `{"measure":{"source":"usage","form":"count","window":28},"kind":0}`
	if got := e.Definition(); got != want {
		t.Errorf("%s, want %s: artifacts in use would no longer fit", got, want)
	}
	schema := func(e Entry) string { return Schema{{Name: e.Name, Definition: e.Definition()}}.Fingerprint() }
	before := schema(e)
	e.Words, e.Doc = "other words", "other"
	if schema(e) != before {
		t.Error("words changed the fingerprint")
	}
	e.Measure.Window = 29
	if schema(e) == before {
		t.Error("the window did not change the fingerprint")
	}
}

func TestOnlyKeepsTheOrderOfNames(t *testing.T) {
	c := DefaultCatalogue().Only([]string{"purchase_recency_days", "nothing", "usage_recency_days"})
	if d := cmp.Diff([]string{"purchase_recency_days", "usage_recency_days"}, c.Names()); d != "" {
		t.Error(d)
	}
}

// TestContactPressureIsAskedFor: what we did to a customer is no feature of the churn model unless its catalogue says so.
func TestContactPressureIsAskedFor(t *testing.T) {
	s := world{}.store(t)
	cutoff := []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}
	pressure := func(c *Catalogue) (n int) {
		resolved, err := c.Resolve(t.Context(), s, cutoff)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range resolved.Entries {
			if e.Measure.Source == Contacts {
				n++
			}
		}
		return n
	}
	c := DefaultCatalogue()
	if n := pressure(c); n != 0 {
		t.Errorf("%d features of contacts by default", n)
	}
	c.Treatment = true
	if n := pressure(c); n != 11 {
		t.Errorf("%d features of contacts with the flag, want 3 of each class, ignored and recency", n)
	}
	for _, e := range DefaultCatalogue().Entries {
		if e.Treatment != (e.Measure.Source == Contacts) {
			t.Errorf("%s: treatment is %v", e.Name, e.Treatment)
		}
	}
	own, err := ParseCatalogue([]byte("version: 1\ntreatment: true\n" + strings.TrimPrefix(oneEntry("source: contacts, form: count"), "version: 1\n")))
	if err != nil || !own.Treatment {
		t.Errorf("the flag of a file: %v, %v", own, err)
	}
}
