package actions

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// monteCarlo is the oracle of Propensities: it draws as the definition says.
func monteCarlo(arms []Arm, n int, seed uint64) (nothing float64, of []float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	of = make([]float64, len(arms))
	for range n {
		best, most := -1, 0.0
		for k, a := range arms {
			if r := a.Mean + a.SD*rng.NormFloat64(); r > most {
				best, most = k, r
			}
		}
		if best < 0 {
			nothing++
		} else {
			of[best]++
		}
	}
	floor := min(.01, .05/float64(len(arms)))
	keep := 1 - float64(len(arms))*floor
	for k := range of {
		of[k] = keep*of[k]/float64(n) + floor
	}
	return keep * nothing / float64(n), of
}

func TestPropensities(t *testing.T) {
	const draws = 200_000
	for _, c := range []struct {
		name string
		arms []Arm
		tol  float64
	}{
		{"one arm", []Arm{{1, 1}}, .004},
		{"two equal arms", []Arm{{1, 1}, {1, 1}}, .004},
		{"better and worse", []Arm{{3, 1}, {1, 1}}, .004},
		{"all below nothing", []Arm{{-2, 1}, {-3, 1}}, .004},
		{"different spread", []Arm{{50, 40}, {20, 5}, {-10, 30}}, .004},
		{"six as in a run", []Arm{{171, 114}, {114, 57}, {68, 68}, {11, 11}, {5, 12}, {-9, 80}}, .004},
		{"one beyond reach", []Arm{{100, 5}, {10, 5}}, .004},
		{"a narrow arm among wide ones", []Arm{{10, 100}, {40, 3}, {10, 100}}, .01},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := make([]float64, len(c.arms))
			nothing := Propensities(dst, c.arms)
			wantNothing, want := monteCarlo(c.arms, draws, 7)
			if math.Abs(nothing-wantNothing) > c.tol {
				t.Errorf("nothing %.4f, drawn %.4f", nothing, wantNothing)
			}
			for k := range dst {
				if math.Abs(dst[k]-want[k]) > c.tol {
					t.Errorf("arm %d: %.4f, drawn %.4f", k, dst[k], want[k])
				}
			}
		})
	}
}

// integrated is π by the trapezoidal rule on 8,000 points, Φ by math.Erfc.
func integrated(arms []Arm) (nothing float64, of []float64) {
	cdf := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	high := 0.0
	nothing = 1
	for _, a := range arms {
		high = max(high, a.Mean+9*a.SD)
		nothing *= cdf(-a.Mean / a.SD)
	}
	of = make([]float64, len(arms))
	const points = 8_000
	for i := range points + 1 {
		z := high * float64(i) / points
		weight := high / points
		if i == 0 || i == points {
			weight /= 2
		}
		for k, a := range arms {
			d := (z - a.Mean) / a.SD
			f := math.Exp(-d*d/2) / (a.SD * math.Sqrt(2*math.Pi))
			for j, b := range arms {
				if j != k && f > 0 {
					f *= cdf((z - b.Mean) / b.SD)
				}
			}
			of[k] += weight * f
		}
	}
	return nothing, of
}

func TestPropensitiesAgainstIntegration(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 1))
	var worst float64
	for _, c := range []struct {
		arms   int
		spread float64 // the widest sd over the narrowest
		tol    float64
	}{{1, 1, 1e-6}, {2, 2, 1e-6}, {6, 3, 1e-5}, {19, 3, 1e-5}, {6, 12, 2e-3}, {10, 30, 5e-3}} {
		for range 4 {
			arms := make([]Arm, c.arms)
			for k := range arms {
				arms[k] = Arm{120*rng.Float64() - 40, 20 * math.Pow(c.spread, rng.Float64())}
			}
			got := make([]float64, len(arms))
			nothing := Propensities(got, arms)
			wantNothing, want := integrated(arms)
			floor := min(floorMax, floorSum/float64(c.arms))
			keep := 1 - float64(c.arms)*floor
			worst = math.Abs(nothing - keep*wantNothing)
			for k := range want {
				worst = max(worst, math.Abs(got[k]-keep*want[k]-floor))
			}
			if worst > c.tol+4e-5 { // arms beyond reach are left out: P < 4e-5
				t.Errorf("%d arms, sd up to %v times as wide: off by %.1e", c.arms, c.spread, worst)
			}
		}
	}
}

func TestPropensitiesSumToOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for range 2000 {
		arms := make([]Arm, rng.IntN(20))
		for k := range arms {
			arms[k] = Arm{200*rng.Float64() - 80, 100 * rng.Float64() * float64(rng.IntN(2))} // half of them certain
		}
		dst := make([]float64, len(arms))
		sum := Propensities(dst, arms)
		floor := min(.01, .05/float64(len(arms)))
		for k, p := range dst {
			if p < floor-1e-12 || p > 1 || math.IsNaN(p) {
				t.Fatalf("%v: arm %d has %v, below its floor %v", arms, k, p, floor)
			}
			sum += p
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Fatalf("%v: the sum is %v", arms, sum)
		}
	}
}

func TestCertain(t *testing.T) {
	dst := make([]float64, 3)
	if none := certain(dst, []Arm{{-1, 1}, {2, 1}, {2, 1}}); none != 0 || dst[0] != 0 || dst[1] != 1 || dst[2] != 0 {
		t.Errorf("nothing %v, arms %v; the first of the greatest is chosen", none, dst)
	}
	if none := certain(dst, []Arm{{-1, 1}, {0, 9}, {-2, 1}}); none != 1 {
		t.Errorf("nothing above 0: %v", none)
	}
}

// Over many customers who are alike, the shares of what is chosen are the propensities, the control group included.
func TestChoiceFrequencies(t *testing.T) {
	e := shipped(t)
	c := e.Catalogue
	open := uint64(0)
	for _, id := range []string{DoNothing, "save_call", "discount", "check_in", "survey"} {
		open |= 1 << c.Index(id)
	}
	const n = 100_000
	chosen := make([]float64, len(c.Actions))
	p := make([]float64, len(c.Actions))
	for k := range n {
		id := fmt.Sprintf("customer %d", k)
		i := c.Choose(p, Turn{Open: open, Value: 2000, Pressure: .5, Share: .2, Held: HeldOut(id, now, .2), Explore: true, Draw: Draw("run", id)})
		chosen[i]++
	}
	var sum float64
	for i, want := range p {
		sum += want
		if se := math.Sqrt(want * (1 - want) / n); math.Abs(chosen[i]/n-want) > 4*se {
			t.Errorf("%s: chosen %.4f, propensity %.4f ± %.4f", c.Actions[i].ID, chosen[i]/n, want, se)
		}
		if open&(1<<i) == 0 && want != 0 {
			t.Errorf("%s is not open and has %v", c.Actions[i].ID, want)
		}
	}
	if math.Abs(sum-1) > 1e-9 {
		t.Errorf("propensities sum to %v", sum)
	}
}

func TestChoose(t *testing.T) {
	c := shipped(t).Catalogue
	mask := func(ids ...string) (m uint64) {
		for _, id := range append(ids, DoNothing) {
			m |= 1 << c.Index(id)
		}
		return m
	}
	for _, x := range []struct {
		name string
		turn Turn
		want string
		p    float64
	}{
		{"nothing is possible", Turn{Open: mask(), Value: 100, Share: .2, Explore: true, Draw: .99}, DoNothing, 1},
		{"an open ticket comes first", Turn{Open: mask("answer_ticket", "save_call"), Value: 9000, Share: .2, Explore: true, Draw: .5}, "answer_ticket", 1},
		{"also for a worthless customer", Turn{Open: mask("answer_ticket"), Value: 0, Share: .2, Explore: true}, "answer_ticket", 1},
		{"also for the control group", Turn{Open: mask("answer_ticket", "save_call"), Value: 9000, Share: .2, Held: true, Explore: true}, "answer_ticket", 1},
		{"the control group is left in peace", Turn{Open: mask("save_call", "discount"), Value: 9000, Share: .2, Held: true}, DoNothing, .2},
		{"the plan", Turn{Open: mask("save_call", "survey"), Value: 2000, Share: .2}, "save_call", .8},
		{"costs above what is won", Turn{Open: mask("save_call", "support_call"), Value: 100, Share: .2}, DoNothing, 1},
		{"without money the greatest effect", Turn{Open: mask("survey", "save_call"), Value: math.NaN(), Share: .05}, "save_call", .95},
	} {
		p := make([]float64, len(c.Actions))
		i := c.Choose(p, x.turn)
		if c.Actions[i].ID != x.want || math.Abs(p[i]-x.p) > 1e-12 {
			t.Errorf("%s: %s with %v, want %s with %v", x.name, c.Actions[i].ID, p[i], x.want, x.p)
		}
	}
}

func BenchmarkPropensities(b *testing.B) {
	arms := []Arm{{171, 114}, {114, 57}, {68, 68}, {11, 11}, {5, 12}, {-9, 80}}
	dst := make([]float64, len(arms))
	for b.Loop() {
		Propensities(dst, arms)
	}
}
