package lifecycle_test

import (
	"strings"
	"testing"

	"retain/features"
	"retain/features/lifecycle"
)

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string // "line: words", in order
	}{
		{"everything at once", `name: My Rules
namen: x
terms:
  status: "true"
  good: f.usage_recency_days < 3 && better
  better: f.no_such_feature > 1
  good: "true"
stages:
  - {name: first, rule: "true"}
  - {name: second}
  - {name: Third, rule: "1 + 1"}
  - {name: second, rule: good}
  - {name: fourth, rule: "1 + 1", colour: red}
exits:
  - {name: gone}
`, []string{
			`1: name: "My Rules"`, "2: unknown key namen", "4, status: the name stands for a fact", "7, good: the name is taken in line 5", "9, first: the first stage has no rule",
			"10, second: rule: say who", `11, Third: the name "Third"`, "12, second: the name is taken in line 10", "13: unknown key colour", "15, gone: rule: say who",
		}},
		{"rules", `name: x
terms:
  a: b
  b: f.no_such_feature > 1
stages:
  - {name: first}
  - {name: second, rule: 1 + 1}
  - {name: third, rule: age > 3}
exits: [{name: out, rule: 'former == "x" &&'}]
`, []string{"3, a: rule: it names b; a term may name those above", "4, b: rule: column 2: no feature no_such_feature", "7, second: rule: the rule is a int", "8, third: rule: column 1: undeclared reference to 'age'; there are status, status_code, former, former_days, a, b, f", "9, out: rule: column"}},
		{"one stage", "name: x\nstages: [{name: a}]\n", []string{"1: stages: list two or more"}},
		{"no list", "name: x\nstages: {a: b}\nterms: []\n", []string{"2: stages: want a list", "3: terms: want names"}},
		{"twice the same", "name: x\nstages:\n  - {name: a}\n  - {name: a, rule: 'true'}\n", []string{"4, a: the name is taken in line 3"}},
		{"no such former stage", "name: x\nstages:\n  - {name: a}\n  - {name: b, rule: 'former == \"c\" || former in [\"a\", \"b\"] || former == null'}\n", []string{`4, b: rule: former is compared with "c", which is no stage of these rules: a, b`}},
		{"empty", "", []string{"lifecycle: want name:"}},
		{"two documents", "name: x\n---\nname: y\n", []string{"2: a second document"}},
		{"no YAML", "name: [", []string{"lifecycle: line 1"}},
		{"too many", "name: x\nstages:\n" + strings.Repeat("  - {name: a}\n", 30), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := lifecycle.Parse([]byte(c.text), nil)
			if err == nil {
				t.Fatal("no fault found")
			}
			lines := strings.Split(err.Error(), "\n")
			if c.want != nil && len(lines) != len(c.want) {
				t.Fatalf("%d faults, want %d:\n%s", len(lines), len(c.want), err)
			}
			for k, want := range c.want {
				if !strings.Contains(strings.TrimPrefix(lines[k], "lifecycle line "), want) {
					t.Errorf("fault %d: want %q in\n%s", k+1, want, lines[k])
				}
			}
		})
	}
}

func TestVersion(t *testing.T) {
	version := func(text string, known *features.Catalogue) string {
		t.Helper()
		r, err := lifecycle.Parse([]byte(text), known)
		if err != nil {
			t.Fatal(err)
		}
		return r.Version
	}
	text := "name: a\nterms: {t: f.usage_recency_days < 3}\nstages: [{name: x}, {name: y, rule: t}]\n"
	first := version(text, nil)
	if version(strings.Replace(text, "name: a", "name: b", 1), nil) != first || version(strings.Replace(text, "{name: x}", "{name: x, title: X}", 1), nil) != first {
		t.Error("a name or a title makes another version")
	}
	for _, other := range []string{strings.Replace(text, "< 3", "< 4", 1), strings.Replace(text, "name: y", "name: z", 1), strings.Replace(text, "rule: t", "rule: '!t'", 1)} {
		if version(other, nil) == first {
			t.Errorf("the same version: %s", other)
		}
	}
	mine := &features.Catalogue{Version: 1, Entries: []features.Entry{{Name: "usage_recency_days", Unit: features.UnitDays, Measure: features.Measure{Source: features.Usage, Form: features.DaysSinceLast, Window: 90}}}}
	if version(text, mine) == first {
		t.Error("another feature of the same name does not make another version")
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range lifecycle.Presets {
		text, err := lifecycle.Preset(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("name: x\nstages: [1, {name: 3}]\nterms: {a: [b]}\nexits: 4"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := lifecycle.Parse(text, nil)
		if err != nil {
			return
		}
		if s, err := lifecycle.Decode(r.Set.Document()); err != nil || len(s.Names()) != len(r.Set.Names()) {
			t.Error(err)
		}
		if place := r.Stage(&lifecycle.Customer{}); r.Name(place) == "" {
			t.Error("no stage")
		}
	})
}
