package survival

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestCurveByHand(t *testing.T) {
	// At 2 three are at risk (the late one is not yet), at 5 three.
	lives := []Life{{0, 2, true}, {0, 5, true}, {0, 6, false}, {3, 7, false}}
	c, err := KaplanMeier{MinAtRisk: 1}.Fit(lives)
	if err != nil {
		t.Fatal(err)
	}
	if c.Customers != 4 || c.Left != 2 || c.From != 0 || c.Until != 7 || len(c.Steps) != 2 {
		t.Fatalf("%+v", c)
	}
	near(t, "S(2)", c.At(2).Survival, 2./3)
	near(t, "S(4.9)", c.At(4.9).Survival, 2./3)
	near(t, "S(5)", c.At(5).Survival, 4./9)
	for at, want := range map[float64]int{0: 3, 2: 2, 3: 3, 7: 0} {
		if got := c.At(at).AtRisk; got != want {
			t.Errorf("%d at risk just after %v, want %d", got, at, want)
		}
	}
	if s := c.At(7.1).Survival; !math.IsNaN(s) {
		t.Errorf("a curve beyond what was observed: %v", s)
	}
	median, _, _ := c.Median()
	near(t, "median", median, 5)
	mean, _ := c.Mean(6)
	near(t, "mean", mean, 2+3*2./3+1*4./9)
}

func TestWhereACurveBegins(t *testing.T) {
	var lives []Life
	for i := range 10 {
		lives = append(lives, Life{Entry: float64(100 + i), Exit: 200, Left: i < 5})
	}
	lives = append(lives, Life{0, 50, true}) // alone at risk: S would be 0 from here on
	c, err := KaplanMeier{}.Fit(lives)
	if err != nil {
		t.Fatal(err)
	}
	if c.From != 109 || len(c.Steps) != 1 || c.Steps[0].Survival != .5 || c.Left != 6 {
		t.Errorf("from %v, steps %+v", c.From, c.Steps)
	}
	if p := c.At(100); !math.IsNaN(p.Survival) || p.AtRisk != 1 {
		t.Errorf("before its begin: %+v", p)
	}
	if _, err := (KaplanMeier{MinAtRisk: 11}).Fit(lives); !errors.Is(err, ErrTooFew) {
		t.Errorf("ten are not eleven: %v", err)
	}
	// Nobody is seen between 20 and 30: what comes after tells nothing of those before.
	c, err = KaplanMeier{MinAtRisk: 1}.Fit([]Life{{0, 10, true}, {0, 20, false}, {30, 40, true}})
	if err != nil || c.Until != 20 || len(c.Steps) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestLivesThatCannotBe(t *testing.T) {
	for name, l := range map[string]Life{
		"no time": {5, 5, true}, "backwards": {5, 4, true}, "before the begin": {-1, 4, true}, "unknown": {math.NaN(), 4, true}, "endless": {0, math.Inf(1), false},
	} {
		var wrong *LifeError
		if _, err := (KaplanMeier{}).Fit([]Life{{0, 1, true}, l}); !errors.As(err, &wrong) || wrong.Row != 1 {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := CompareGroups([]Life{{0, 1, true}, l}); !errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Brute force: the risk set of each exit counted one by one.
func TestCurveAgainstCounting(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		lives := make([]Life, 1+rng.IntN(40))
		for i := range lives {
			entry := float64(rng.IntN(10))
			lives[i] = Life{entry, entry + 1 + float64(rng.IntN(12)), rng.IntN(2) == 0}
		}
		c, err := KaplanMeier{MinAtRisk: 3}.Fit(lives)
		if errors.Is(err, ErrTooFew) {
			for at := range 30 {
				if n := countAtRisk(lives, float64(at)+.5); n >= 3 {
					t.Fatalf("%d at risk at %d.5", n, at)
				}
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := 1.
		for at := c.From + 1; at <= c.Until; at++ {
			n, d := countAtRisk(lives, at), 0
			for _, l := range lives {
				if l.Left && l.Exit == at {
					d++
				}
			}
			if d > 0 {
				s *= 1 - float64(d)/float64(n)
			}
			near(t, "S", c.At(at).Survival, s)
		}
		if n := countAtRisk(lives, c.From+.5); n < 3 {
			t.Fatalf("it begins with %d at risk", n)
		}
		if c.From > 0 && countAtRisk(lives, c.From-.5) >= 3 {
			t.Fatal("it could begin earlier")
		}
	}
}

func countAtRisk(lives []Life, t float64) (n int) {
	for _, l := range lives {
		if l.Entry < t && t <= l.Exit {
			n++
		}
	}
	return n
}

func TestGroupsThatCannotBeCompared(t *testing.T) {
	one := []Life{{0, 1, true}, {0, 2, false}}
	for name, groups := range map[string][][]Life{
		"none": nil, "one": {one}, "one and nobody": {one, nil}, "nobody leaves": {{{0, 1, false}}, {{0, 2, false}}}, "never together": {one, {{10, 12, true}, {10, 13, false}}},
	} {
		got, err := CompareGroups(groups...)
		if err != nil || !math.IsNaN(got.Statistic) || !math.IsNaN(got.P) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
