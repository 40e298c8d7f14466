package uplift

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"retain/features"
	"retain/models"
)

// withBaseline is makeRows with the true probability of the rows left alone, moved by some log-odds per row.
func withBaseline(m made, wrong func(i int) float64) made {
	m.Baseline = make([]float64, m.Len())
	for i := range m.Baseline {
		m.Baseline[i] = models.Sigmoid(-.5 + .6*float64(m.X.X[0][i]) + .8*float64(m.X.X[1][i]) + wrong(i))
	}
	return m
}

func right(int) float64 { return 0 }

func fitWithBaseline(t *testing.T, r *Rows) (*Model, *Estimates) {
	t.Helper()
	m, err := Trainer{Method: Beside}.Fit(t.Context(), r, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Estimate(r.X, r.Baseline)
	if err != nil {
		t.Fatal(err)
	}
	return m, e
}

// The posterior, and the weights of the deviations, are those of the normal distribution of (y - b)/v with covariance 1/v + C diag(sd²) Cᵀ, written out
// over all rows.
func TestBesideAgainstTheNormalDistribution(t *testing.T) {
	m := withBaseline(makeRows(160, 7, .6, .5, 0, nil), func(int) float64 { return .3 })
	m.X = &features.Matrix{Schema: m.X.Schema[:2], X: m.X.X[:2]}
	_, got := fitWithBaseline(t, m.Rows)

	n := m.Len()
	b := &beside{terms: termsOf(m.X), scale: 1}
	logs := make([]float64, n)
	for i, v := range m.Baseline {
		logs[i] = logit(v)
		b.centre += logs[i] / float64(n)
	}
	square := 0.
	for _, v := range logs {
		square += (v - b.centre) * (v - b.centre) / float64(n)
	}
	b.scale = math.Sqrt(square)
	p := b.columns()
	z := mat.NewDense(n, p, nil)
	c := mat.NewDense(n, 2*p, nil)
	d := mat.NewVecDense(n, nil)
	for i, y := range m.Y {
		v := m.Baseline[i] * (1 - m.Baseline[i])
		b.fill(z.RawRowView(i), m.X, i, m.Baseline[i])
		copy(c.RawRowView(i), z.RawRowView(i))
		if m.Treated[i] {
			copy(c.RawRowView(i)[p:], z.RawRowView(i))
		}
		d.SetVec(i, (y-m.Baseline[i])/v)
	}
	var shares []float64
	var means []*mat.VecDense
	var covs []*mat.Dense
	best := math.Inf(-1)
	for _, wrong := range deviations {
		for _, effect := range deviations {
			prior := mat.NewDiagDense(2*p, nil)
			for j := range 2 * p {
				sd := wrong
				if j >= p {
					sd = effect
				}
				if j%p == 0 {
					sd = 1
				}
				prior.SetDiag(j, sd*sd)
			}
			var ct, full mat.Dense
			ct.Mul(prior, c.T())
			full.Mul(c, &ct)
			cov := mat.NewSymDense(n, nil)
			for i := range n {
				for j := i; j < n; j++ {
					v := full.At(i, j)
					if i == j {
						v += 1 / (m.Baseline[i] * (1 - m.Baseline[i]))
					}
					cov.SetSym(i, j, v)
				}
			}
			var chol mat.Cholesky
			if !chol.Factorize(cov) {
				t.Fatal("covariance")
			}
			var solved mat.VecDense
			if err := chol.SolveVecTo(&solved, d); err != nil {
				t.Fatal(err)
			}
			share := -(chol.LogDet() + mat.Dot(d, &solved)) / 2
			best = max(best, share)
			mean := mat.NewVecDense(2*p, nil)
			mean.MulVec(&ct, &solved)
			var inner, post mat.Dense
			if err := chol.SolveTo(&inner, ct.T()); err != nil {
				t.Fatal(err)
			}
			post.Mul(&ct, &inner)
			post.Sub(prior, &post)
			shares, means, covs = append(shares, share), append(means, mean), append(covs, &post)
		}
	}
	sum := 0.
	for k := range shares {
		shares[k] = math.Exp(shares[k] - best)
		sum += shares[k]
	}
	for i := range 20 {
		v := m.Baseline[i] * (1 - m.Baseline[i])
		row := z.RowView(i).(*mat.VecDense)
		first, second := 0., 0.
		for k, s := range shares {
			tau := mat.Dot(row, means[k].SliceVec(p, 2*p))
			first += s / sum * tau
			second += s / sum * (tau*tau + mat.Inner(row, covs[k].Slice(p, 2*p, p, 2*p), row))
		}
		// Combinations of less than a thousandth are left out.
		if want, se := v*first, v*math.Sqrt(second-first*first); math.Abs(got.Effect[i]-want) > 1e-3 || math.Abs(got.SE[i]-se) > 1e-3 {
			t.Errorf("row %d: %.5f ± %.5f, want %.5f ± %.5f", i, got.Effect[i], got.SE[i], want, se)
		}
	}
}

// The intervals must hold most effects, where the baseline is right and where it is off by half a unit of log-odds, by more in one of two groups: the
// rows left alone tell. With a right one the standard errors must be well below those of the doubly robust learner.
func TestBesideCovers(t *testing.T) {
	const worlds = 4
	for name, c := range map[string]struct {
		effect [3]float64
		wrong  func(x *features.Matrix) func(i int) float64
	}{
		"right baseline": {[3]float64{.3, .5, -.6}, func(*features.Matrix) func(int) float64 { return right }},
		"wrong baseline": {[3]float64{.3, .5, -.6}, func(x *features.Matrix) func(int) float64 {
			return func(i int) float64 { return .5 + .4*float64(x.X[3][i]) }
		}},
		"no effect": {[3]float64{}, func(*features.Matrix) func(int) float64 { return right }},
	} {
		covered, width, robust, control := 0., 0., 0., 0.
		for seed := range uint64(worlds) {
			m := makeRows(4000, seed, c.effect[0], c.effect[1], c.effect[2], nil)
			m = withBaseline(m, c.wrong(m.X))
			_, e := fitWithBaseline(t, m.Rows)
			for i, v := range e.Effect {
				if math.Abs(v-m.effect[i]) <= 1.96*e.SE[i] {
					covered += 1. / 4000 / worlds
				}
				width += e.SE[i] / 4000 / worlds
				control += (e.Control[i] - models.Sigmoid(-.5+.6*float64(m.X.X[0][i])+.8*float64(m.X.X[1][i]))) / 4000 / worlds
			}
			if name == "right baseline" {
				_, dr := fit(t, Trainer{Method: DoublyRobust, Base: Linear}, m.Rows)
				for _, se := range dr.SE {
					robust += se / 4000 / worlds
				}
			}
		}
		t.Logf("%s: %.3f covered, mean standard error %.4f (doubly robust %.4f), control off by %.4f", name, covered, width, robust, control)
		if covered < .8 || width > .04 || math.Abs(control) > .02 {
			t.Errorf("%s: %.3f covered, mean standard error %.4f, control off by %.4f", name, covered, width, control)
		}
		if robust > 0 && width > robust {
			t.Errorf("%s: standard error %.4f, doubly robust %.4f", name, width, robust)
		}
	}
}

// Two customers, by hand: effects .1 ± .1 and 0 ± .1 that have a correlation of .5 have an average of .05 with a variance of (.01 + .01 + .01)/4 = .0075;
// the covariance of each with it is .0075, so that each moves as the average does. A belief of 0 with that variance halves the average.
func TestSettleByHand(t *testing.T) {
	e := &Estimates{Effect: []float64{.1, 0}, SE: []float64{.1, .1}, Average: .05, AverageSE: math.Sqrt(.0075), Lean: []float64{1, 1}}
	if !e.Settle(0, math.Sqrt(.0075)) {
		t.Fatal("not settled")
	}
	want := math.Sqrt(.01 - .00375)
	for i, effect := range []float64{.075, -.025} {
		if math.Abs(e.Effect[i]-effect) > 1e-12 || math.Abs(e.SE[i]-want) > 1e-12 {
			t.Errorf("customer %d: %v ± %v, want %v ± %v", i, e.Effect[i], e.SE[i], effect, want)
		}
	}
	if math.Abs(e.Average-.025) > 1e-12 || math.Abs(e.AverageSE-math.Sqrt(.00375)) > 1e-12 {
		t.Errorf("average %v ± %v", e.Average, e.AverageSE)
	}
	if (&Estimates{Effect: []float64{.1}, SE: []float64{.1}}).Settle(0, .1) {
		t.Error("settled without knowing what the average tells")
	}
}

// A belief that is all but certain becomes the average, whatever was learned; one that says nothing leaves all as it was.
func TestSettleAtItsLimits(t *testing.T) {
	m := withBaseline(makeRows(3000, 3, .3, .5, -.6, nil), right)
	_, e := fitWithBaseline(t, m.Rows)
	before := slices.Clone(e.Effect)
	e.Settle(.5, 1e6)
	for i, v := range before {
		if math.Abs(e.Effect[i]-v) > 1e-6 {
			t.Fatalf("row %d moved from %v to %v", i, v, e.Effect[i])
		}
	}
	e.Settle(.02, 1e-9)
	mean := 0.
	for _, v := range e.Effect {
		mean += v / float64(len(e.Effect))
	}
	if math.Abs(mean-.02) > 1e-6 || math.Abs(e.Average-.02) > 1e-6 {
		t.Errorf("the mean is %v, the average %v", mean, e.Average)
	}
}

func TestBesideRoundTrip(t *testing.T) {
	m := withBaseline(makeRows(800, 2, .3, .5, 0, nil), right)
	a, ea := fitWithBaseline(t, m.Rows)
	before := runtime.GOMAXPROCS(1)
	b, _ := fitWithBaseline(t, m.Rows)
	runtime.GOMAXPROCS(before)
	x, errX := a.MarshalBinary()
	y, errY := b.MarshalBinary()
	if errX != nil || errY != nil || !slices.Equal(x, y) {
		t.Error("depends on the number of threads")
	}
	back, err := Decode(x, m.X.Schema)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Estimate(m.X, m.Baseline)
	if err != nil || back.Name() != "beside" {
		t.Fatalf("%s: %v", back.Name(), err)
	}
	if !slices.Equal(again.Effect, ea.Effect) || !slices.Equal(again.SE, ea.SE) || !slices.Equal(again.Control, ea.Control) || !slices.Equal(again.Lean, ea.Lean) || again.Average != ea.Average {
		t.Error("the decoded model says something else")
	}
	for k := 0; k < len(x); k += 7 {
		damaged := slices.Clone(x)
		damaged[k] ^= 0x40
		if _, err := Decode(damaged, m.X.Schema); err == nil {
			t.Errorf("byte %d damaged: no error", k)
		}
	}
}

func TestBesideWantsBaselines(t *testing.T) {
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }
	trainer := Trainer{Method: Beside}
	m := makeRows(800, 2, .3, .5, 0, nil)
	if _, err := trainer.Fit(t.Context(), m.Rows, rng()); !errors.Is(err, ErrNoBaseline) {
		t.Errorf("none: %v", err)
	}
	m = withBaseline(m, right)
	model, _ := fitWithBaseline(t, m.Rows)
	if _, err := model.Estimate(m.X, nil); !errors.Is(err, ErrNoBaseline) {
		t.Errorf("none to estimate from: %v", err)
	}
	m.Baseline[3] = math.NaN()
	if _, err := trainer.Fit(t.Context(), m.Rows, rng()); err == nil {
		t.Error("NaN as a baseline")
	}
	if _, err := (Trainer{Method: Beside, Base: Linear}).Fit(t.Context(), m.Rows, rng()); err == nil {
		t.Error("a base that is not used")
	}
	// Certain baselines are no reason to fail.
	m.Baseline[3], m.Baseline[4] = 0, 1
	if _, e := fitWithBaseline(t, m.Rows); !(e.SE[3] >= 0) || !(e.SE[4] >= 0) {
		t.Errorf("certain baselines: ± %v and %v", e.SE[3], e.SE[4])
	}
}
