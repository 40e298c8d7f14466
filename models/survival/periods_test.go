package survival

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestNewPeriods(t *testing.T) {
	for _, c := range []struct {
		name   string
		reach  float64
		silent int
		want   []float64
	}{
		{"an event", 95, 0, []float64{30, 60, 90}},
		{"to the day", 90, 0, []float64{30, 60, 90}},
		{"too short", 29.9, 0, nil},
		{"silence first", 200, 90, []float64{90, 120, 150, 180}},
		{"a silence that is no month", 160, 91, []float64{91, 121, 151}},
		{"too short a silence", 80, 90, nil},
	} {
		if d := cmp.Diff(c.want, NewPeriods(c.reach, c.silent).Ends); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
	if n := len(NewPeriods(1e6, 0).Ends); n != maxPeriods {
		t.Errorf("%d periods", n)
	}
}

func TestSurvivorByHand(t *testing.T) {
	p := Periods{Ends: []float64{30, 60, 90}}
	s, err := NewSurvivor(p, []float64{.1, .2, .3}, 60, .5)
	if err != nil {
		t.Fatal(err)
	}
	power := math.Log(.5) / math.Log(.9*.8) // metrics.md §6
	near(t, "S*(30)", s.At(30), math.Pow(.9, power))
	near(t, "S*(45)", s.At(45), math.Pow(.9*math.Sqrt(.8), power))
	near(t, "S*(H)", s.At(60), .5)
	near(t, "S*(90)", s.At(90), math.Pow(.9*.8*.7, power))
	near(t, "median", s.Median(), 60)
	if s.At(0) != 1 || !math.IsNaN(s.At(90.1)) || !math.IsNaN(s.At(-1)) {
		t.Errorf("at the ends: %v, %v, %v", s.At(0), s.At(90.1), s.At(-1))
	}
	silent, err := NewSurvivor(Periods{Ends: []float64{90, 120}, Silent: true}, []float64{.3, .1}, 90, .4)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "before a silence can be complete", silent.At(89.9), 1)
	near(t, "when the first is", silent.At(90), .6)
	near(t, "later", silent.At(120), math.Pow(.7*.9, math.Log(.6)/math.Log(.7)))
	flat, err := NewSurvivor(p, []float64{0, 0, 0}, 60, .5)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "hazards of nothing", flat.At(90), math.Pow(.5, 1.5))
	if certain, err := NewSurvivor(p, []float64{0, 1, 0}, 60, .2); err != nil || math.Abs(certain.At(60)-.8) > 1e-12 {
		t.Errorf("a period that all left in: %v, %v", certain.At(60), err)
	}
}

func TestSurvivorsThatCannotBe(t *testing.T) {
	p := Periods{Ends: []float64{30, 60}}
	for name, c := range map[string]struct {
		p              Periods
		h              []float64
		horizon, churn float64
	}{
		"hazards for other periods": {p, []float64{.1}, 30, .1}, "horizon beyond": {p, []float64{.1, .1}, 61, .1}, "no horizon": {p, []float64{.1, .1}, 0, .1},
		"certain churn": {p, []float64{.1, .1}, 30, 1}, "unknown churn": {p, []float64{.1, .1}, 30, math.NaN()}, "unknown hazard": {p, []float64{math.NaN(), .1}, 30, .1},
		"no periods": {Periods{}, nil, 30, .1},
	} {
		if _, err := NewSurvivor(c.p, c.h, c.horizon, c.churn); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSurvivorProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "periods")
		p := NewPeriods(1e4, rapid.SampledFrom([]int{0, 45, 90}).Draw(t, "silent"))
		p.Ends = p.Ends[:n]
		h := rapid.SliceOfN(rapid.Float64Range(1e-4, 1), n, n).Draw(t, "hazards")
		horizon := rapid.Float64Range(1, p.Ends[n-1]).Draw(t, "horizon")
		if p.Silent {
			horizon = p.Ends[0]
		}
		churn := rapid.Float64Range(.001, .99).Draw(t, "churn")
		s, err := NewSurvivor(p, h, horizon, churn)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.At(horizon); math.Abs(got-(1-churn)) > 1e-6 {
			t.Fatalf("S*(H) = %v, 1 - p = %v", got, 1-churn)
		}
		before := 1.
		for at := 0.; at <= p.Ends[n-1]; at += 7.5 {
			v := s.At(at)
			if !(v >= 0 && v <= before+1e-12) {
				t.Fatalf("S*(%v) = %v after %v", at, v, before)
			}
			before = v
		}
		if m := s.Median(); !math.IsNaN(m) && !p.Silent && math.Abs(s.At(m)-.5) > 1e-6 {
			t.Fatalf("S*(median %v) = %v", m, s.At(m))
		} else if math.IsNaN(m) && s.At(p.Ends[n-1]) < .5-1e-9 {
			t.Fatalf("no median, and S* ends at %v", s.At(p.Ends[n-1]))
		}
	})
}

// One of ten leaves, then three of nine, then all: by hand. Half a period counts half in logarithms.
func TestChurnOfALifeTable(t *testing.T) {
	table := &Table{Periods: Periods{Ends: []float64{30, 60, 90}}, AtRisk: []int{10, 9, 8}, Left: []int{1, 3, 8}}
	for _, c := range []struct{ horizon, want float64 }{
		{15, 1 - math.Sqrt(.9)}, {30, .1}, {60, 1 - .9*6/9}, {90, 1 - .9*6/9*1e-9}, {0, math.NaN()}, {91, math.NaN()},
	} {
		if got := table.Churn(c.horizon); math.Abs(got-c.want) > 1e-15 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("within %v days: %v, by hand %v", c.horizon, got, c.want)
		}
	}
}

// Whoever leaves with the probability of everyone has the curve of everyone, whatever the horizon.
func TestChurnOfALifeTableIsTheSurvivors(t *testing.T) {
	table := &Table{Periods: Periods{Ends: []float64{30, 60, 90}}, AtRisk: []int{100, 80, 60}, Left: []int{10, 10, 10}}
	for _, horizon := range []float64{10, 30, 45, 90} {
		s, err := NewSurvivor(table.Periods, table.Hazards(), horizon, table.Churn(horizon))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(s.At(30)-.9) > 1e-9 || math.Abs(s.At(90)-.9*70/80*50/60) > 1e-9 {
			t.Errorf("horizon %v: S(30) %v, S(90) %v", horizon, s.At(30), s.At(90))
		}
	}
}
