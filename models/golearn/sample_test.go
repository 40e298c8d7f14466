package golearn

import (
	"math"
	"math/rand/v2"
	"testing"

	"retain/models/modelstest"
)

func TestSampleKeepsTheRare(t *testing.T) {
	d := modelstest.Data(9, 5000)
	for i := range d.Y {
		d.Y[i] = 0
		if i%20 == 0 { // 250 churners
			d.Y[i] = 1
		}
	}
	s := newSample(d, 1000, 3)
	var rows, weight [2]float64
	for k, i := range s.rows {
		rows[int(d.Y[i])]++
		weight[int(d.Y[i])] += s.weight[k]
	}
	if rows != [2]float64{800, 200} {
		t.Errorf("rows by class %v, want 800 and 200", rows)
	}
	if math.Abs(weight[1]-50) > 1e-9 || math.Abs(weight[0]-950) > 1e-9 || math.Abs(s.rate-.05) > 1e-12 {
		t.Errorf("weights by class %v at a rate of %v, want 950 and 50 at .05", weight, s.rate)
	}
	if all := newSample(d, 5000, 3); len(all.rows) != 5000 || all.weight[17] != 1 {
		t.Errorf("%d rows of 5,000, weight %v", len(all.rows), all.weight[17])
	}
}

func TestPoisson(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, mean := range []float64{1, .25} {
		var seen [11]float64
		const n = 200_000
		for range n {
			seen[poisson(rng.Uint64(), mean)] += 1. / n
		}
		for k, p := 0, math.Exp(-mean); k < 6; k++ {
			if math.Abs(seen[k]-p) > .004 {
				t.Errorf("mean %v: %d comes with share %v, want %v", mean, k, seen[k], p)
			}
			p *= mean / float64(k+1)
		}
	}
	if poisson(math.MaxUint64, 1) > 10 {
		t.Error("more than ten")
	}
}
