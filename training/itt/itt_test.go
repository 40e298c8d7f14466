package itt_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"retain/training/itt"
)

// TestRadius holds the formula against figures worked out by hand for α = .05.
func TestRadius(t *testing.T) {
	// ρ² = (5.991465 + ln 6.991465)/5000 = (5.991465 + 1.944690)/5000 = .001587231. At n = 5000: nρ² = 7.936155,
	// √(2·8.936155/(5000·7.936155)·ln(√8.936155/.05)) = √(.000450403·4.090892) = .0429250.
	if got := (itt.Sequence{}).Radius(5000, 1); math.Abs(got-.0429250) > 2e-6 {
		t.Errorf("radius at 5,000: %.7f", got)
	}
	// Near the number for which it is tuned it is at most 1.6 times the fixed interval, and it is always wider.
	for _, n := range []float64{100, 1000, 5000, 20000, 1e6} {
		ratio := (itt.Sequence{}).Radius(n, 1) / (1.959964 / math.Sqrt(n))
		if ratio < 1.5 || n >= 1000 && n <= 20000 && ratio > 1.85 {
			t.Errorf("at %.0f it is %.2f times the fixed interval", n, ratio)
		}
	}
}

// TestEstimateByHand works out a small table: eight trials, P .4 and .8, a fifth held out.
func TestEstimateByHand(t *testing.T) {
	trials := []itt.Trial{
		{Chosen: true, P: .4, Share: .2, Y: 0}, {Chosen: true, P: .8, Share: .2, Y: 1}, {Chosen: true, P: .8, Share: .2, Y: 0}, {Chosen: true, P: .8, Share: .2, Y: 0},
		{P: .4, Share: .2, Y: 1},                                                   // possible, not assigned: it tells nothing
		{Held: true, P: .4, Share: .2, Y: 0}, {Held: true, P: .8, Share: .2, Y: 1}, // weights 2 and 4
		{Held: true, P: 0, Share: .2, Y: 1}, // it was not possible
	}
	e := itt.Estimate(trials, itt.Sequence{FewestArm: 1})
	// Stay 3/4; control 2/6; SE² = (3·(1/4)² + (3/4)²)/16 + (2·(2/3))²/36 + (4·(1/3))²/36 = .046875 + .098765 = .145640.
	for name, pair := range map[string][2]float64{"stay": {float64(e.Stay), .75}, "control": {float64(e.ControlStay), 1. / 3}, "effect": {float64(e.Effect), 5. / 12},
		"se": {float64(e.SE), math.Sqrt(.046875 + 2*(16./9)/36)}, "control size": {e.ControlSize, 36. / 20}} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
	if e.Trials != 7 || e.Assigned != 4 || e.Control != 2 {
		t.Errorf("%+v", e)
	}
	if few := itt.Estimate(trials, itt.Sequence{}); !math.IsNaN(float64(few.Low)) || math.IsNaN(float64(few.Effect)) {
		t.Errorf("six in the arms have an interval: %+v", few)
	}
}

// world draws quarters in which the riskier a customer is the more often he gets the action: a naive comparison is wrong.
func world(rng *rand.Rand, n int, effect float64) (trials []itt.Trial) {
	const share = .1
	for range n {
		risk := .05 + .3*rng.Float64()*rng.Float64()
		p := (1 - share) * min(.9, 3*risk) // the policy looks at risk
		t := itt.Trial{Share: share, P: p, Held: rng.Float64() < share}
		t.Chosen = !t.Held && rng.Float64() < p/(1-share)
		if t.Chosen {
			risk -= effect
		}
		if rng.Float64() < risk {
			t.Y = 1
		}
		trials = append(trials, t)
	}
	return trials
}

// TestCoverageUnderPeeking looks every 500 customers, sixteen times, and counts the worlds in which the effect ever falls out of the interval.
// The fixed 95 % interval loses it in about a quarter of them.
func TestCoverageUnderPeeking(t *testing.T) {
	const worlds, size, every = 400, 8_000, 500
	for name, effect := range map[string]float64{"no effect": 0, "an effect": .03} {
		missed, fixed := 0, 0
		for seed := range worlds {
			all := world(rand.New(rand.NewPCG(uint64(seed), 7)), size, effect)
			out, outFixed := false, false
			for n := every; n <= size; n += every {
				e := itt.Estimate(all[:n], itt.Sequence{})
				if math.IsNaN(float64(e.Low)) {
					continue
				}
				out = out || float64(e.Low) > effect || float64(e.High) < effect
				outFixed = outFixed || math.Abs(float64(e.Effect)-effect) > 1.959964*float64(e.SE)
			}
			missed += b2i(out)
			fixed += b2i(outFixed)
		}
		t.Logf("%s: missed in %d of %d worlds, by the fixed interval in %d", name, missed, worlds, fixed)
		if missed > worlds/20 {
			t.Errorf("%s: missed in %d of %d worlds, want at most 5 %%", name, missed, worlds)
		}
		if fixed < worlds/6 {
			t.Errorf("%s: the fixed interval is missed in %d of %d worlds only: the test peeks too little", name, fixed, worlds)
		}
	}
}

// TestUnbiased: the mean over worlds is the effect, where assigned against not assigned is far from it.
func TestUnbiased(t *testing.T) {
	const worlds, effect = 200, .03
	var sum, square, naive float64
	for seed := range worlds {
		all := world(rand.New(rand.NewPCG(uint64(seed), 11)), 3000, effect)
		e := float64(itt.Estimate(all, itt.Sequence{}).Effect)
		sum, square = sum+e, square+e*e
		var n, y [2]float64
		for _, x := range all {
			n[b2i(x.Chosen)]++
			y[b2i(x.Chosen)] += x.Y
		}
		naive += y[0]/n[0] - y[1]/n[1]
	}
	mean := sum / worlds
	se := math.Sqrt((square/worlds - mean*mean) / worlds)
	if math.Abs(mean-effect) > 3*se {
		t.Errorf("mean %.4f ± %.4f, want %.2f", mean, se, effect)
	}
	if n := naive / worlds; math.Abs(n-effect) < .01 {
		t.Errorf("the naive figure %.4f is no worse: the worlds have no confounding", n)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
