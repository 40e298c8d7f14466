package lead

import (
	"math"
	"strings"
	"testing"

	"retain/features"
)

func TestDefaultHolds(t *testing.T) {
	p := Default()
	if len(p.Kinds) < 10 || p.Grades[0].Name != "A" {
		t.Errorf("%+v", p)
	}
	for _, e := range p.Features().Entries {
		if !strings.HasPrefix(e.Name, "lead_") || e.Measure.Source != features.Touchpoints {
			t.Errorf("entry %+v", e)
		}
	}
}

// By hand: half life 10 days, a form of 20 days ago and one of today are 12·(¼ + 1) = 15 points of 50.
func TestScore(t *testing.T) {
	p := &Points{HalfLifeDays: 10, Kinds: map[string]float64{"form": 12, "unsubscribe": -40, "visit": 2}, Silence: Silence{AfterDays: 30, Points: -10}, Full: 50,
		Grades: []Grade{{"A", 50}, {"B", 20}, {"C", 0}}}
	nan := float32(math.NaN())
	x := &features.Matrix{X: [][]float32{ // form, unsubscribe, visit, recency
		{1.25, 1.25, 1.25, nan, 9, 0},
		{0, .5, 0, nan, 0, 0},
		{0, 0, 5, nan, 0, 0},
		{0, 0, 31, nan, 1, 31},
	}}
	want := []int{30, 0, 30, 0, 100, 0} // 15; 15-20; 15+10-10; nothing known; capped; silent
	for i, got := range p.Score(x) {
		if got != want[i] {
			t.Errorf("row %d: %d, want %d", i, got, want[i])
		}
	}
	for score, want := range map[int]int{100: 0, 50: 0, 49: 1, 20: 1, 19: 2, 0: 2} {
		if got := p.Grade(score); got != want {
			t.Errorf("grade of %d: %d, want %d", score, got, want)
		}
	}
}

func TestParseTellsEveryProblem(t *testing.T) {
	_, err := Parse([]byte("half_life_days: 0\nkinds: {visit: 5000}\nfull: -1\nsilence: {after_days: -1, points: 5}\ngrades: [{name: A, from: 10}, {name: A, from: 20}]\n"))
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"half_life_days", "kinds, \"visit\"", "full:", "silence:", "there twice"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	for text, part := range map[string]string{"points: 3": "points", "{}\n---\n{}": "more than one document", "grades: [{name: A, from: 10}]": "takes all the rest"} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v lacks %q", text, err, part)
		}
	}
}

func TestTally(t *testing.T) {
	p := Default()
	tally := NewTally(p)
	for i := range 148 { // Newcombe (1998): 15 of 148 is [.0624, .1605]
		tally.Add(80, i < 15)
		tally.Add(0, i < 74)
	}
	classes := tally.Classes([]int{3, 0, 2, 1})
	a, b, d := classes[0], classes[1], classes[3]
	if a.Leads != 3 || a.Measured != 148 || a.Converted != 15 || math.Abs(*a.Low-.0624) > 1e-4 || math.Abs(*a.High-.1605) > 1e-4 {
		t.Errorf("A: %+v", a)
	}
	if b.Rate != nil || b.Low != nil {
		t.Errorf("B: %+v, though nobody had it", b)
	}
	if d.From != 0 || *d.Rate != .5 {
		t.Errorf("D: %+v", d)
	}
	if pairs := Misweighted(classes); len(pairs) != 1 || pairs[0] != [2]string{"A", "D"} {
		t.Errorf("misweighted %v", pairs)
	}
}
