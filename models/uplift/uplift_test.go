package uplift

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/mat"

	"retain/features"
	"retain/models"
	"retain/simulation"
)

// made is an experiment whose effect on each customer is known: a logistic outcome whose log-odds the action moves by a + b·x₀ + c·[plan = 1].
type made struct {
	*Rows
	effect []float64
}

// makeRows makes n rows. e gives the propensity by x₁, on which the outcome depends, too; nil = one half for all, not logged.
func makeRows(n int, seed uint64, a, b, c float64, e func(x float64) float64) made {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := &features.Matrix{Schema: features.Schema{{Name: "x0"}, {Name: "x1"}, {Name: "x2"}, {Name: "plan", Kind: features.Categorical, Levels: []string{"basic", "pro"}}}, X: make([][]float32, 4)}
	m := made{Rows: &Rows{X: x}}
	for i := range n {
		v := [3]float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}
		plan := rng.IntN(2)
		p := .5
		if e != nil {
			p = e(v[1])
			m.Propensity = append(m.Propensity, p)
		}
		treated := rng.Float64() < p
		base := -.5 + .6*v[0] + .8*v[1]
		moved := base + a + b*v[0] + c*float64(plan)
		m.effect = append(m.effect, models.Sigmoid(moved)-models.Sigmoid(base))
		chance := models.Sigmoid(base)
		if treated {
			chance = models.Sigmoid(moved)
		}
		m.Y = append(m.Y, indicator(rng.Float64() < chance))
		m.Treated = append(m.Treated, treated)
		m.Customer = append(m.Customer, strconv.Itoa(i))
		for j, u := range v {
			x.X[j] = append(x.X[j], float32(u))
		}
		if i%7 == 0 {
			x.X[2][i] = float32(math.NaN())
		}
		x.X[3] = append(x.X[3], float32(plan))
	}
	return m
}

func fit(t *testing.T, trainer Trainer, r *Rows) (*Model, *Estimates) {
	t.Helper()
	m, err := trainer.Fit(t.Context(), r, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e, err := m.Estimate(r.X, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m, e
}

func TestPseudoOutcomeByHand(t *testing.T) {
	// Treated, stayed: .7 - .4 + (1 - .2)(1 - .7)/(.2·.8) = .3 + .3/.2 = 1.8. Left alone, stayed: .3 + (0 - .2)(1 - .4)/.16 = .3 - .75.
	for _, c := range []struct {
		y       float64
		treated bool
		want    float64
	}{{1, true, 1.8}, {0, true, .3 - .7/.2}, {1, false, -.45}, {0, false, .3 + .4/.8}} {
		if got := pseudo(c.y, c.treated, .2, .7, .4); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("pseudo(%v, %v): %v, want %v", c.y, c.treated, got, c.want)
		}
	}
	if Clip(.001) != .02 || Clip(.999) != .98 || Clip(.5) != .5 {
		t.Error("propensities are not clipped to [.02, .98]")
	}
}

// With one column all is a formula. The weights of the penalties are those of the normal density of d with covariance W⁻¹ + zz'/λ, written out.
func TestRidgeByHand(t *testing.T) {
	z, psi, w := []float64{1, 2, 3, 6}, []float64{2, 1, 4, 9}, []float64{1, 2, 1, 1}
	r, err := fitRidge(1, func(i int, row []float64) { row[0] = z[i] }, psi, w, []int{0}, 1)
	if err != nil {
		t.Fatal(err)
	}
	// Weighted means 14/5 and 17/5; centred z: -1.8, -.8, .2, 3.2; d: -1.4, -2.4, .6, 5.6; Σwz² = 3.24+1.28+.04+10.24 = 14.8; Σwzd = 2.52+3.84+.12+17.92 = 24.4.
	scale := math.Sqrt(14.8 / 5)
	centred, d := []float64{-1.8 / scale, -.8 / scale, .2 / scale, 3.2 / scale}, mat.NewVecDense(4, []float64{-1.4, -2.4, .6, 5.6})
	var shares, coefs, noises, lambdas []float64
	sum := 0.
	for _, penalty := range penalties {
		lambda := penalty * 5
		v := mat.NewSymDense(4, nil)
		for i := range 4 {
			for j := range 4 {
				c := centred[i] * centred[j] / lambda
				if i == j {
					c += 1 / w[i]
				}
				v.SetSym(i, j, c)
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(v) {
			t.Fatal("covariance")
		}
		var solved mat.VecDense
		if err := chol.SolveVecTo(&solved, d); err != nil {
			t.Fatal(err)
		}
		rest := mat.Dot(d, &solved)
		share := math.Exp(-chol.LogDet()/2) * math.Pow(rest, -1.5) // three degrees of freedom: the mean is free
		sum += share
		shares, coefs, noises, lambdas = append(shares, share), append(coefs, 24.4/scale/(5+lambda)), append(noises, rest/3), append(lambdas, lambda)
	}
	coef, variance, varA := 0., 0., 0.
	for k, s := range shares {
		coef += s / sum * coefs[k]
		varA += s / sum * noises[k] / 5
	}
	for k, s := range shares {
		variance += s / sum * (noises[k]/(5+lambdas[k]) + (coefs[k]-coef)*(coefs[k]-coef))
	}
	mean, se := r.at([]float64{6})
	x := 3.2 / scale
	// Combinations of less than a thousandth are left out.
	if math.Abs(mean-(3.4+coef*x)) > .01 || math.Abs(se-math.Sqrt(varA+x*x*variance)) > .01 {
		t.Errorf("at 6: %v ± %v, want %v ± %v", mean, se, 3.4+coef*x, math.Sqrt(varA+x*x*variance))
	}
}

// A column of noise is shrunk to nothing, and the estimate is the mean.
func TestRidgeShrinksNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const n, p = 2000, 20
	z, psi := make([]float64, n*p), make([]float64, n)
	for i := range psi {
		psi[i] = .1 + rng.NormFloat64()
		for j := range p {
			z[i*p+j] = rng.NormFloat64()
		}
	}
	r, err := fitRidge(p, func(i int, row []float64) { copy(row, z[i*p:]) }, psi, slices.Repeat([]float64{1}, n), make([]int, p), 1)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.
	for i := range n {
		mean, _ := r.at(slices.Clone(z[i*p : (i+1)*p]))
		worst = max(worst, math.Abs(mean-r.base))
	}
	if worst > .06 {
		t.Errorf("an estimate is %v from the mean", worst)
	}
}

// The 95 % intervals must hold the truth of most customers, whether the effects differ or there is none. Over more worlds they hold it for .90 to .93 of the
// customers where effects differ widely, for .81 to .97 where they hardly do, and for all where there is none.
func TestIntervalsCover(t *testing.T) {
	for name, c := range map[string][3]float64{"mixed": {.3, .5, -.6}, "none": {0, 0, 0}} {
		const worlds = 4
		covered, width := 0., 0.
		for seed := range uint64(worlds) {
			m := makeRows(4000, seed, c[0], c[1], c[2], nil)
			_, e := fit(t, Trainer{Method: DoublyRobust, Base: Linear}, m.Rows)
			for i, v := range e.Effect {
				if math.Abs(v-m.effect[i]) <= 1.96*e.SE[i] {
					covered += 1. / 4000 / worlds
				}
				width += e.SE[i] / 4000 / worlds
			}
		}
		if covered < .85 || width > .04 {
			t.Errorf("%s: %.3f covered, mean standard error %.4f", name, covered, width)
		}
	}
}

// Where the policy treats those who would stay anyway, the plain difference of the arms is far off and the doubly robust estimate is not.
func TestLoggedPropensitiesUndoTheChoice(t *testing.T) {
	m := makeRows(8000, 4, .4, 0, 0, func(x float64) float64 { return min(max(models.Sigmoid(1.5*x), .05), .95) })
	_, e := fit(t, Trainer{Method: DoublyRobust, Base: Linear}, m.Rows)
	var rate, n [2]float64
	truth, mean := 0., 0.
	for i, y := range m.Y {
		a := int(indicator(m.Treated[i]))
		rate[a] += y
		n[a]++
		truth += m.effect[i] / 8000
		mean += e.Effect[i] / 8000
	}
	if naive := rate[1]/n[1] - rate[0]/n[0]; naive < truth+.15 {
		t.Fatalf("the naive estimate is %.3f, the truth %.3f: nothing to undo", naive, truth)
	}
	if math.Abs(mean-truth) > .04 {
		t.Errorf("mean effect %.3f, truth %.3f", mean, truth)
	}
}

func TestSameBytesOnAnyThreads(t *testing.T) {
	m := makeRows(1500, 2, .3, .5, 0, nil)
	for _, trainer := range Trainers {
		a, ea := fit(t, trainer, m.Rows)
		before := runtime.GOMAXPROCS(1)
		b, eb := fit(t, trainer, m.Rows)
		runtime.GOMAXPROCS(before)
		x, errX := a.MarshalBinary()
		y, errY := b.MarshalBinary()
		if errX != nil || errY != nil || !slices.Equal(x, y) || !slices.Equal(ea.Effect, eb.Effect) {
			t.Errorf("%s depends on the number of threads", trainer.Name())
		}
		back, err := Decode(x, m.X.Schema)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.Estimate(m.X, nil)
		if err != nil || !slices.Equal(again.Effect, ea.Effect) || !slices.Equal(again.Control, ea.Control) || back.Name() != trainer.Name() {
			t.Errorf("%s: the decoded model says something else (%v)", trainer.Name(), err)
		}
		if trainer.Method == DoublyRobust && !slices.Equal(again.SE, ea.SE) {
			t.Errorf("%s: other standard errors", trainer.Name())
		}
	}
}

func TestDamagedBytes(t *testing.T) {
	m := makeRows(800, 2, .3, .5, 0, nil)
	model, _ := fit(t, Trainer{Method: DoublyRobust, Base: Linear}, m.Rows)
	bundle := &Bundle{Parts: []Part{{"save_call", 120, model}, {"discount", 40, model}}}
	blob, err := bundle.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeBundle(blob, m.X.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := back.Of("discount"); !ok || p.Events != 40 {
		t.Errorf("part %+v, %v", p, ok)
	}
	if _, ok := back.Of("email"); ok {
		t.Error("a part of nothing")
	}
	for k := 0; k < len(blob); k += 11 {
		damaged := slices.Clone(blob)
		damaged[k] ^= 0x40
		if _, err := DecodeBundle(damaged, m.X.Schema); err == nil {
			t.Errorf("byte %d damaged: no error", k)
		}
		if _, err := DecodeBundle(blob[:k], m.X.Schema); err == nil {
			t.Errorf("cut at %d: no error", k)
		}
	}
	if _, err := DecodeBundle(blob, m.X.Schema[:2]); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other features: %v", err)
	}
	if _, err := model.Estimate(&features.Matrix{Schema: m.X.Schema[:2], X: m.X.X[:2]}, nil); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other features: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	trainer := Trainer{Method: DoublyRobust, Base: Linear}
	rng := func() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }
	certain := makeRows(400, 1, 0, 0, 0, func(float64) float64 { return .5 })
	certain.Propensity[7] = 1
	if _, err := trainer.Fit(t.Context(), certain.Rows, rng()); !errors.Is(err, ErrNotRandomised) {
		t.Errorf("a certain treatment: %v", err)
	}
	if _, err := trainer.Fit(t.Context(), &Rows{}, rng()); !errors.Is(err, ErrNotRandomised) {
		t.Errorf("no row: %v", err)
	}
	one := makeRows(400, 1, 0, 0, 0, nil)
	for i := range one.Treated {
		one.Treated[i] = true
	}
	if _, err := trainer.Fit(t.Context(), one.Rows, rng()); !errors.Is(err, ErrOneArm) {
		t.Errorf("one arm: %v", err)
	}
	var few *TooFewError
	if _, err := trainer.Fit(t.Context(), makeRows(60, 1, 0, 0, 0, nil).Rows, rng()); !errors.As(err, &few) {
		t.Errorf("few rows: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := trainer.Fit(ctx, makeRows(400, 1, 0, 0, 0, nil).Rows, rng()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// In the known world the learned order must beat chance and the order by risk; the figures at 40,000 customers are those of BenchmarkKnownWorld.
func TestKnownWorld(t *testing.T) {
	const action = 1 // save_call
	x := newExperiment(t, 6000, 1, simulation.MixedEffects)
	e := outOfFold(t, Trainer{Method: DoublyRobust, Base: Linear}, x.draw(action, even, 1), 1)
	risk := make([]float64, len(e.Control))
	for i, p := range e.Control {
		risk[i] = 1 - p
	}
	oracle := gain(x.effects[action], x.effects[action])
	learned, byRisk := gain(inOrder(e.Effect), x.effects[action])/oracle, gain(inOrder(risk), x.effects[action])/oracle
	if learned < .35 || learned < byRisk {
		t.Errorf("%.2f of the oracle's gain, by risk %.2f", learned, byRisk)
	}
}
