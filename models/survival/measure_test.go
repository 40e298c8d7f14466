package survival

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestMeasureByHand(t *testing.T) {
	p := NewPeriods(60, 0)
	l := &Landmarks{Exit: []float64{10, 40, math.Inf(1), math.Inf(1)}, Seen: []float64{60, 60, 60, 30}, Customer: make([]string, 4), Cutoff: make([]time.Time, 4)}
	survivors := make([]Survivor, 4)
	var err error
	for i, churn := range []float64{.5, .2, .1, .3} { // S*(30) = 1 - churn, S*(60) = (1 - churn)²
		if survivors[i], err = NewSurvivor(p, []float64{.1, .1}, 30, churn); err != nil {
			t.Fatal(err)
		}
	}
	table, err := NewTable(p, l) // 1 of 4, 1 of 2
	if err != nil {
		t.Fatal(err)
	}
	m, err := Measure(p, survivors, l, table)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Periods) != 2 || m.Periods[0].Rows != 4 || m.Periods[1].Rows != 3 || m.Periods[0].Left != 1 || m.Periods[1].Left != 1 {
		t.Fatalf("%+v", m)
	}
	near(t, "expected 1", m.Periods[0].Expected, .5+.2+.1+.3)
	near(t, "expected 2", m.Periods[1].Expected, .5*.5+.8*.2+.9*.1)
	first := (.5*.5 + .2*.2 + .1*.1 + .3*.3) / 4
	second := (.25*.25 + .64*.64 + (1-.81)*(1-.81)) / 3
	near(t, "Brier 1", m.Periods[0].Brier, first)
	near(t, "Brier 2", m.Periods[1].Brier, second)
	near(t, "reference 1", m.Periods[0].Reference, (.75*.75+3*.25*.25)/4)
	near(t, "reference 2", m.Periods[1].Reference, (2*.375*.375+.625*.625)/3)
	near(t, "integrated", m.Integrated, (first+second)/2)
	near(t, "concordance", m.Concordance, 1) // 10 before 30+, 40, 60+; 40 before 60+; risks .75, .51 (seen to 30), .36, .19
}

// Brute force over all pairs.
func TestConcordanceAgainstPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		lives, risk := make([]Life, 30), make([]float64, 30)
		for i := range lives {
			lives[i] = Life{Exit: float64(1 + rng.IntN(8)), Left: rng.IntN(2) == 0}
			risk[i] = float64(rng.IntN(5))
		}
		var pairs, agreed float64
		for i, a := range lives {
			for j, b := range lives {
				if i == j || !a.Left || !(a.Exit < b.Exit || a.Exit == b.Exit && !b.Left) {
					continue
				}
				pairs++
				switch {
				case risk[i] > risk[j]:
					agreed++
				case risk[i] == risk[j]:
					agreed += .5
				}
			}
		}
		near(t, "concordance", Concordance(lives, risk), agreed/pairs)
	}
	if c := Concordance([]Life{{0, 1, false}}, []float64{1}); !math.IsNaN(c) {
		t.Errorf("without a pair: %v", c)
	}
}
