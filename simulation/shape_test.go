package simulation

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// areaUnderROC is the AUC by midranks.
func areaUnderROC(risk, left []float64) float64 {
	order := make([]int, len(risk))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(risk[a], risk[b]) })
	var positives, ranks float64
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && risk[order[j]] == risk[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			positives += left[k]
			ranks += left[k] * float64(i+j+1) / 2
		}
		i = j
	}
	return (ranks - positives*(positives+1)/2) / (positives * (float64(len(order)) - positives))
}

// The ranges that simulation.md holds the world to, at 20,000 customers and a horizon of 91 days, for each month apart.
func TestHeldRanges(t *testing.T) {
	const customers, days = 20_000, 540
	w := mustNew(t, Options{Customers: customers, Days: days, Seed: 1})
	for _, day := range []int{114, 237, 328, 418} { // over a year: the base rate moves with the season
		got := gather(customers, func(index int, c *Customer, into *cases) {
			w.Live(index, c)
			truth, ok := w.Truth(c, day, Label{HorizonDays: 91})
			left, known := w.Left(c, day, Label{HorizonDays: 91})
			if ok && known {
				into.add(truth.Risk, left)
			}
		})
		rate, risk := 0., 0.
		for i := range got.left {
			rate, risk = rate+got.left[i], risk+got.risk[i]
		}
		n := float64(len(got.left))
		rate, risk = rate/n, risk/n
		area := areaUnderROC(got.risk, got.left)
		t.Logf("day %d: %d customers, base rate %.4f, mean risk %.4f, AUC of the truth %.4f", day, len(got.left), rate, risk, area)
		if rate < .07 || rate > .11 {
			t.Errorf("day %d: base rate %.4f is not in [.07, .11]", day, rate)
		}
		if area < .82 || area > .87 {
			t.Errorf("day %d: AUC of the truth %.4f is not in [.82, .87]", day, area)
		}
		// The history goes on after the cutoff, the truth asks what happens if it does not: they differ by little.
		if math.Abs(rate/risk-1) > .1 {
			t.Errorf("day %d: observed over expected is %.3f", day, rate/risk)
		}
	}
}

// log h by hand, from simulation.md.
func TestHazard(t *testing.T) {
	for _, c := range []struct {
		name     string
		t        traits
		s        state
		weeks    float64
		season   float64
		pressure float64
		want     float64
	}{
		{"base", traits{}, state{}, 1e9, 0, 0, -5},
		{"engagement", traits{}, state{engagement: 2}, 1e9, 0, 0, -8},
		{"pain", traits{}, state{pain: 1.5}, 1e9, 0, 0, -5 + 1.05},
		{"much pain", traits{}, state{pain: 9}, 1e9, 0, 0, -5 + 2.1},
		{"price", traits{}, state{price: 1}, 1e9, 0, 0, -5 + .6},
		{"price, sensitive", traits{sensitive: true}, state{price: 1}, 1e9, 0, 0, -5 + 1.08},
		{"frailty", traits{frailty: .4}, state{}, 1e9, 0, 0, -4.6},
		{"new", traits{}, state{}, 0, 0, 0, -4.1},
		{"eight weeks", traits{}, state{}, 8, 0, 0, -5 + .9/math.E},
		{"January", traits{}, state{}, 1e9, 1, 0, -4.8},
		{"renews by itself", traits{autoRenew: true}, state{}, 1e9, 0, 0, -5.35},
		{"annual", traits{annual: true}, state{}, 1e9, 0, 0, -5 + math.Log(2.2)},
		{"little pressure", traits{}, state{}, 1e9, 0, 2, -5},
		{"pressure", traits{}, state{}, 1e9, 0, 4, -5 + .28},
	} {
		if got := c.t.logHazard(&c.s, c.weeks, c.season) + strain(c.pressure); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: log h = %.4f, want %.4f", c.name, got, c.want)
		}
	}
}

// Engagement without decline is an AR(1) around .25 with a standard deviation of .38/√(1-.81) = .872; a seventh of all weeks are in decline.
func TestEngagement(t *testing.T) {
	w := mustNew(t, Options{Customers: 1, Days: 28, Seed: 2})
	r := w.stream(0, forEngagement, 0)
	var n, declining, sum, square, m float64
	s := begin(r)
	calm := 0
	for range 400_000 {
		s.step(r)
		n++
		if s.declining {
			declining++
			calm = 0
			continue
		}
		if calm++; calm > 80 { // what a decline has left is gone
			m, sum, square = m+1, sum+s.engagement, square+s.engagement*s.engagement
		}
	}
	near(t, "weeks in decline", declining/n, .010/.070, .01)
	near(t, "mean engagement", sum/m, .25, .03)
	near(t, "spread of engagement", math.Sqrt(square/m-sum*sum/m/m), .38/math.Sqrt(1-.81), .03)
}

func TestDraws(t *testing.T) {
	w := mustNew(t, Options{Customers: 1, Days: 28, Seed: 2})
	r := w.stream(0, forUsage, 0)
	const n = 200_000
	for _, mean := range []float64{.05, 2, 29, 60} {
		var sum, square float64
		for range n {
			x := float64(poisson(r, mean))
			sum, square = sum+x, square+x*x
		}
		near(t, "mean of a Poisson", sum/n/mean, 1, .03)
		near(t, "variance of a Poisson", (square/n-sum*sum/n/n)/mean, 1, .05)
	}
	var sum, square float64
	for range n {
		x := gamma(r, usageShape)
		sum, square = sum+x, square+x*x
	}
	near(t, "mean of a gamma", sum/n, usageShape, .02)
	near(t, "variance of a gamma", square/n-sum*sum/n/n, usageShape, .05)
	if poisson(r, 0) != 0 {
		t.Error("a Poisson of mean 0 is not 0")
	}
}
