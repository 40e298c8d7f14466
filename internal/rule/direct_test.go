package rule

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// person is a row with a fact of every kind.
type person struct {
	name, stage string
	risk        float64
	tickets     int64
	loyal       any // bool or nil
	texts       map[string]string
	columns     *Columns
}

func personal(t testing.TB) *Language[person] {
	t.Helper()
	l, err := NewLanguage([]Fact[person]{
		{"name", Text, func(p *person) any {
			if p.name == "" {
				return nil
			}
			return p.name
		}},
		{"stage", MaybeText, func(p *person) any {
			if p.stage == "" {
				return nil
			}
			return p.stage
		}},
		{"risk", Number, func(p *person) any { return Known(p.risk) }},
		{"tickets", Whole, func(p *person) any { return p.tickets }},
		{"loyal", Truth, func(p *person) any { return p.loyal }},
		{"attributes", Texts, func(p *person) any { return p.texts }},
	}, []Feature{{"x", false}, {"y", false}, {"level", true}, {"none", false}}, func(p *person) (*Columns, int) { return p.columns, 1 })
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// drawn is a random condition, as users may write it.
func drawn(t *rapid.T, depth int) string {
	pick := func(of ...string) string { return rapid.SampledFrom(of).Draw(t, "pick") }
	if depth > 0 {
		switch rapid.IntRange(0, 4).Draw(t, "shape") {
		case 0:
			return "(" + drawn(t, depth-1) + " && " + drawn(t, depth-1) + ")"
		case 1:
			return "(" + drawn(t, depth-1) + " || " + drawn(t, depth-1) + ")"
		case 2:
			return "!" + drawn(t, depth-1)
		}
	}
	number := func() string {
		return pick("f.x", "f.y", "f.none", "risk", "tickets", "1", "0.5", "-2", "(f.x + f.y)", "(f.x * 2.0 - risk)", "-f.y", "tickets * 2", "f.x / f.y")
	}
	text := func() string { return pick("name", `"a"`, `"b"`, "f.level", `attributes["tier"]`) }
	switch rapid.IntRange(0, 7).Draw(t, "leaf") {
	case 0:
		return "has(f." + pick("x", "y", "level", "none") + ")"
	case 1:
		return text() + pick(" == ", " != ") + text()
	case 2:
		return text() + ` in ["a", "c"]`
	case 3:
		return "stage" + pick(" == ", " != ") + pick(`"a"`, "null")
	case 4:
		return pick(`"tier" in attributes`, "loyal", "true", `name.startsWith("a")`, `stage in ["a", "b"]`)
	default:
		return "(" + number() + pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + number() + ")"
	}
}

// What Go says of a rule is what CEL says of it, to the word.
func TestDirectIsCEL(t *testing.T) {
	l := personal(t)
	var inGo, all int
	rapid.Check(t, func(t *rapid.T) {
		source := drawn(t, 3)
		r, fault := l.Compile(source)
		if fault != "" {
			return // such as a whole number times a double
		}
		all++
		if r.direct == nil {
			return
		}
		inGo++
		value := rapid.SampledFrom([]float32{0, 1, -2, .5, float32(math.NaN())})
		p := &person{name: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "name"), stage: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "stage"),
			risk: float64(value.Draw(t, "risk")), tickets: rapid.Int64Range(-2, 2).Draw(t, "tickets"), loyal: rapid.SampledFrom([]any{nil, true, false}).Draw(t, "loyal")}
		if rapid.Bool().Draw(t, "attributes") {
			p.texts = map[string]string{"tier": rapid.SampledFrom([]string{"a", "gold"}).Draw(t, "tier")}
		}
		if rapid.Bool().Draw(t, "features") {
			level := float32(math.NaN())
			if rapid.Bool().Draw(t, "levelled") {
				level = 1
			}
			p.columns = &Columns{X: [][]float32{{9, value.Draw(t, "x")}, {9, value.Draw(t, "y")}, {0, level}, nil}, Levels: [][]string{nil, nil, {"a", "c"}, nil}}
		}
		want, wantLacks := r.interpret(p)
		if ok, lacks := r.Holds(p); ok != want || lacks != wantLacks {
			t.Fatalf("%s of %+v: %v %q, CEL says %v %q", source, p, ok, lacks, want, wantLacks)
		}
	})
	if inGo*2 < all {
		t.Errorf("%d of %d rules run in Go", inGo, all)
	}
}

func TestDirectLeavesTheRestToCEL(t *testing.T) {
	l := personal(t)
	for source, want := range map[string]bool{
		`risk > 0.5 && f.x < 3.0`:           true,
		`stage in ["a", "b"]`:               true,
		`f.x + f.y > 1.0`:                   true,
		`f.x / f.y > 1.0`:                   false, // may be no number
		`tickets * 2 > 3`:                   false, // may overflow
		`tickets > 9007199254740993`:        false, // is no float64
		`name.startsWith("a")`:              false,
		`risk > 0.5 ? loyal : tickets == 1`: false,
	} {
		r, fault := l.Compile(source)
		if fault != "" {
			t.Errorf("%s: %s", source, fault)
		} else if (r.direct != nil) != want {
			t.Errorf("%s: in Go %v", source, r.direct != nil)
		}
	}
}
