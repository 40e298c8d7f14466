package metrics

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The goldens of metrics.md §5, at a customer value of 200, an offer of 10 and a contact of 1.
func TestEMPCGoldens(t *testing.T) {
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0, 0, 0}
	terms := DefaultProfitTerms()
	for _, c := range []struct {
		name  string
		score []float64
		want  float64
	}{
		{"a fair ranking", []float64{.9, .8, .7, .6, .55, .5, .4, .3, .2, .1}, 19.1084},
		{"all equal", make([]float64, 10), 15.8066},
		{"perfect", y, 22.4}, // .4 · (.3 · 190 - 1)
	} {
		near(t, c.name, Rank(c.score).EMPC(y, terms), c.want, 5e-5)
	}
	near(t, "one class", Rank(y).EMPC(make([]float64, 10), terms), math.NaN(), 0)
	// An offer that costs more than a customer is worth earns nothing at any γ.
	near(t, "dear offer", Rank(y).EMPC(y, ProfitTerms{CustomerValue: 20, Offer: 30, Contact: 1}), 0, 0)
}

// bruteEMPC integrates the best profit over γ by Simpson's rule, with each group of equal scores as a threshold.
func bruteEMPC(score, y []float64, t ProfitTerms) float64 {
	n := float64(len(y))
	const steps = 4000
	density := func(g float64) float64 { return math.Pow(g, 5) * math.Pow(1-g, 13) * 19 * 18 * 17 * 16 * 15 * 14 / 120 } // 19!/(5! 13!)
	type point struct{ pos, neg float64 }
	points := []point{{}}
	for _, threshold := range score {
		var p point
		for i, s := range score {
			if s >= threshold {
				p.pos += y[i]
				p.neg += 1 - y[i]
			}
		}
		points = append(points, p)
	}
	total := 0.
	for k := range steps + 1 {
		g := float64(k) / steps
		best := 0.
		for _, p := range points {
			best = max(best, (g*(t.CustomerValue-t.Offer)-t.Contact)*p.pos/n-(t.Offer+t.Contact)*p.neg/n)
		}
		weight := 2.
		switch {
		case k == 0 || k == steps:
			weight = 1
		case k%2 == 1:
			weight = 4
		}
		total += weight * best * density(g)
	}
	return total / (3 * steps)
}

func TestEMPCProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 15).Draw(t, "n")
		score, y, up := make([]float64, n), make([]float64, n), make([]float64, n)
		for i := range score {
			score[i] = float64(rapid.IntRange(0, 6).Draw(t, "score"))
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
			up[i] = math.Exp(score[i])
		}
		y[0], y[1] = 0, 1
		terms := ProfitTerms{
			CustomerValue: rapid.Float64Range(5, 500).Draw(t, "value"),
			Offer:         rapid.Float64Range(0, 20).Draw(t, "offer"),
			Contact:       rapid.Float64Range(0, 5).Draw(t, "contact"),
		}
		got := Rank(score).EMPC(y, terms)
		if want := bruteEMPC(score, y, terms); math.Abs(got-want) > 1e-5*max(1, want) {
			t.Fatalf("%v, by integration %v", got, want)
		}
		if Rank(up).EMPC(y, terms) != got {
			t.Fatal("changes under a monotone map")
		}
		slices.Reverse(score)
		slices.Reverse(y)
		if turned := Rank(score).EMPC(y, terms); turned != got {
			t.Fatalf("%v with the rows turned round, %v before", turned, got)
		}
	})
}

func TestProfitByHand(t *testing.T) {
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0, 0, 0}
	score := []float64{.9, .8, .7, .6, .55, .5, .4, .3, .2, .1}
	terms := DefaultProfitTerms()
	// A churner among those contacted earns .3 · 190 - 1 = 56, anybody else costs 11.
	for k, want := range []float64{0, 56, 45, 101, 157, 146, 135, 191, 180, 169, 158} {
		near(t, "profit", Rank(score).ProfitAt(y, k, terms), want, 1e-9)
	}
	// Equal scores share: half of {churner, other}.
	near(t, "tie", Rank([]float64{1, 1}).ProfitAt([]float64{1, 0}, 1, terms), (56-11)/2., 1e-9)

	customers := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	held := []Held{{Customer: customers, Y: y, Margin: score, P: score}}
	curve := PoolAll([]Entrant{{"x", held}}, Pooling{Seed: 1, Curves: true, Profit: &terms})[0].Pooled.Profit
	if curve.Best.Rows != 7 || curve.Best.Profit != 191 || math.Abs(float64(curve.Best.Share)-.601) > 1e-12 {
		t.Errorf("best %+v, want 191 from 7 rows at .601: the least share whose ⌈share · 10⌉ is 7", curve.Best)
	}
	near(t, "empc", float64(curve.EMPC), 19.1084, 5e-5)
	if last := curve.Points[len(curve.Points)-1]; last.Rows != 10 || last.Profit != 158 || last.Share != 1 {
		t.Errorf("all contacted: %+v", last)
	}
	loss := ProfitTerms{CustomerValue: 12, Offer: 10, Contact: 1}
	if best := PoolAll([]Entrant{{"x", held}}, Pooling{Seed: 1, Curves: true, Profit: &loss})[0].Pooled.Profit.Best; best != (ProfitPoint{}) {
		t.Errorf("contacting anybody loses money, yet the best is %+v", best)
	}
}
