package metrics

import (
	"math"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// Agresti & Coull (1998) print the score interval of 0 of 10 as (0, .278); 5 of 10 by hand: centre ½, half 1.96/(1+.38415)·√(.025+.0096036) = .26340.
func TestWilson(t *testing.T) {
	for _, c := range []struct{ share, n, low, high float64 }{
		{0, 10, 0, .27753},
		{1, 10, 1 - .27753, 1},
		{.5, 10, .5 - .26340, .5 + .26340},
	} {
		got := Wilson(c.share, c.n)
		near(t, "low", float64(got[0]), c.low, 1e-5)
		near(t, "high", float64(got[1]), c.high, 1e-5)
	}
}

func TestReliabilityTable(t *testing.T) {
	var p, y []float64
	var once, fives []string
	for i := range 1000 {
		p = append(p, float64(i)/1000)
		y = append(y, float64(i/5%2)) // five rows of a customer churn together
		once, fives = append(once, strconv.Itoa(i)), append(fives, strconv.Itoa(i/5))
	}
	bins := ReliabilityTable(p, y, NewBootstrap(1, once))
	if len(bins) != 10 || bins[3].Rows != 100 || bins[3].Lowest != .3 || bins[3].Highest != .399 {
		t.Fatalf("bins %+v", bins)
	}
	near(t, "mean", float64(bins[3].Mean), .3495, 1e-12)
	near(t, "observed", float64(bins[3].Observed), .5, 1e-12)
	want := Wilson(.5, 100)
	near(t, "low", float64(bins[3].ObservedInterval[0]), float64(want[0]), 1e-12)
	// Twenty customers of five rows that agree are twenty rows.
	want = Wilson(.5, 20)
	near(t, "low by customer", float64(ReliabilityTable(p, y, NewBootstrap(1, fives))[3].ObservedInterval[0]), float64(want[0]), 1e-9)

	constant := ReliabilityTable(slices.Repeat([]float64{.2}, 1000), y, NewBootstrap(1, once))
	if len(constant) != 1 || constant[0].Rows != 1000 || constant[0].Lowest != .2 {
		t.Errorf("a constant is one bin, not %+v", constant)
	}
	if got := ReliabilityTable(nil, nil, NewBootstrap(1, nil)); len(got) != 0 {
		t.Errorf("no rows: %+v", got)
	}
}

// The bins hold every row once, rise, and their gaps are the ECE.
func TestReliabilityTableProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		p, y, customer := make([]float64, n), make([]float64, n), make([]string, n)
		for i := range p {
			p[i] = float64(rapid.IntRange(0, 20).Draw(t, "p")) / 20
			y[i] = float64(rapid.IntRange(0, 1).Draw(t, "y"))
			customer[i] = strconv.Itoa(rapid.IntRange(0, n).Draw(t, "customer"))
		}
		rows, ece, last := 0, 0., Figure(-1)
		for _, bin := range ReliabilityTable(p, y, NewBootstrap(1, customer)) {
			rows += bin.Rows
			ece += float64(bin.Rows) / float64(n) * math.Abs(float64(bin.Mean-bin.Observed))
			if bin.Lowest <= last || bin.Highest < bin.Lowest || bin.ObservedInterval[0] > bin.Observed+1e-12 || bin.ObservedInterval[1] < bin.Observed-1e-12 {
				t.Fatalf("bin %+v after %v", bin, last)
			}
			last = bin.Highest
		}
		if rows != n || math.Abs(ece-ECE(p, y)) > 1e-12 {
			t.Fatalf("%d of %d rows, ECE %v of %v", rows, n, ece, ECE(p, y))
		}
	})
}
