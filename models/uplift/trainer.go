package uplift

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/models"
)

// Method is how an effect is learned.
type Method string

// The methods.
const (
	TLearner     Method = "t"
	DoublyRobust Method = "dr"
	Beside       Method = "beside" // wants Rows.Baseline; has no base
)

// Trainer holds the choices of a learner; comparable, no data.
type Trainer struct {
	Method Method
	Base   Base // "" for Beside
	Folds  int  // of customers, of the doubly robust learner's cross-fitting; 0 means 5
}

// Trainers are the learners that need no baseline, the simpler before the others.
var Trainers = []Trainer{
	{Method: TLearner, Base: Linear},
	{Method: TLearner, Base: Boost},
	{Method: DoublyRobust, Base: Linear},
	{Method: DoublyRobust, Base: Boost},
}

// Name is the learner's: t_linear, t_boost, dr_linear, dr_boost, beside.
func (t Trainer) Name() string {
	if t.Base == "" {
		return string(t.Method)
	}
	return string(t.Method) + "_" + string(t.Base)
}

// LeastEvents is how many rows of the rarer outcome each arm must have for anything to be learned.
const LeastEvents = 30

// TooFewError says that an arm has too few rows of the rarer outcome.
type TooFewError struct{ Treated, Control int }

func (e *TooFewError) Error() string {
	return fmt.Sprintf("uplift: %d treated rows and %d rows left alone have the rarer outcome: at least %d of each are needed", e.Treated, e.Control, LeastEvents)
}

// Events are the rows of the rarer outcome of each arm.
func (r *Rows) Events() (treated, control int) {
	var n [2][2]int
	for i, y := range r.Y {
		n[int(indicator(r.Treated[i]))][int(y)]++
	}
	return min(n[1][0], n[1][1]), min(n[0][0], n[0][1])
}

// Fit learns from r and keeps none of it. One number is drawn from rng, and everything random follows from it and from the customers: the same inputs and rng
// state give the same Model bit for bit on one thread and on many.
// Errors: ErrNotRandomised, ErrOneArm, ErrNoBaseline, *TooFewError, models.ErrNotFinite, ctx.Err(), or what is wrong with r or t.
func (t Trainer) Fit(ctx context.Context, r *Rows, rng *rand.Rand) (*Model, error) {
	if t.Folds == 0 {
		t.Folds = 5
	}
	if t.Method != TLearner && t.Method != DoublyRobust && t.Method != Beside || (t.Method == Beside) != (t.Base == "") || t.Folds < 2 || t.Folds > 100 {
		return nil, fmt.Errorf("uplift: no method %q on %q with %d folds", string(t.Method), string(t.Base), t.Folds)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if treated, control := r.Events(); min(treated, control) < LeastEvents {
		return nil, &TooFewError{treated, control}
	}
	seed := rng.Uint64()
	if t.Method == Beside {
		b, err := fitBeside(r)
		if err != nil {
			return nil, err
		}
		return &Model{method: Beside, schema: r.X.Schema, groups: r.Groups, fingerprint: r.X.Schema.Fingerprint(), beside: b}, nil
	}
	e := r.propensities()
	m := &Model{method: t.Method, base: t.Base, schema: r.X.Schema, groups: r.Groups, fingerprint: r.X.Schema.Fingerprint()}
	if t.Method == TLearner {
		a, err := fitArms(ctx, t.Base, r, e, rand.New(rand.NewPCG(seed, 0)))
		if err != nil {
			return nil, fmt.Errorf("fit %s: %w", t.Name(), err)
		}
		m.arms = []arms{a}
		return m, nil
	}
	psi, outOfFold, err := t.crossFit(ctx, r, e, m, seed)
	if err != nil {
		return nil, fmt.Errorf("fit %s: %w", t.Name(), err)
	}
	if m.final, err = fitFinal(r.X, psi, e, outOfFold); err != nil {
		return nil, fmt.Errorf("fit %s: %w", t.Name(), err)
	}
	return m, nil
}

// means are both arms' probabilities of the wanted outcome per row.
type means struct{ treated, control []float64 }

// crossFit fits the arms without each fold into m, and gives the pseudo-outcomes and the means of each row by the models that have not seen its customer.
func (t Trainer) crossFit(ctx context.Context, r *Rows, e []float64, m *Model, seed uint64) (psi []float64, out means, err error) {
	n := r.Len()
	fold := make([]int, n)
	for i, c := range r.Customer {
		fold[i] = int(features.KeyedHash(seed, "uplift folds", c) % uint64(t.Folds))
	}
	m.arms = make([]arms, t.Folds)
	out = means{make([]float64, n), make([]float64, n)}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k := range t.Folds {
		group.Go(func() error {
			var train, held []int
			for i, f := range fold {
				if f == k {
					held = append(held, i)
				} else {
					train = append(train, i)
				}
			}
			a, err := fitArms(inner, t.Base, r.Take(train), pick(e, train), rand.New(rand.NewPCG(seed, uint64(k+1))))
			if err != nil {
				return err
			}
			m.arms[k] = a
			treated, control, err := a.means(r.X.Take(held))
			if err != nil {
				return err
			}
			for k, i := range held {
				out.treated[i], out.control[i] = treated[k], control[k]
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, out, err
	}
	psi = make([]float64, n)
	for i, y := range r.Y {
		psi[i] = pseudo(y, r.Treated[i], e[i], out.treated[i], out.control[i])
	}
	return psi, out, nil
}

// pseudo is ψ = μ₁ - μ₀ + (t - e)(y - μ_t)/(e(1 - e)).
func pseudo(y float64, treated bool, e, mu1, mu0 float64) float64 {
	if treated {
		return mu1 - mu0 + (y-mu1)/e
	}
	return mu1 - mu0 - (y-mu0)/(1-e)
}

// Model tells the effect of an action on each customer. It is immutable and safe for concurrent use.
type Model struct {
	method      Method
	base        Base
	schema      features.Schema
	groups      []Group
	fingerprint string
	arms        []arms  // of the T-learner one, of the doubly robust learner one per fold, whose means count
	final       *final  // of the doubly robust learner
	beside      *beside // of Beside
}

// Name is the learner's, as Trainer.Name.
func (m *Model) Name() string { return Trainer{Method: m.method, Base: m.base}.Name() }

// Schema is the features that the model was fitted on, and the columns of its groups.
func (m *Model) Schema() features.Schema { return m.schema }

// Estimates are what a model says of n rows.
type Estimates struct {
	Effect  []float64 // P(Y = 1 | action) - P(Y = 1 | nothing), in [-1, 1]
	SE      []float64 // standard error of Effect: a posterior standard deviation; NaN of a T-learner, which knows none
	Control []float64 // P(Y = 1 | nothing), in [0, 1]

	// Of Beside alone; Lean is nil of the others.
	Average, AverageSE float64   // mean of Effect over the n rows, with its standard error
	Lean               []float64 // by how much Effect moves where Average moves by 1
}

// Estimate gives the effect for each row of x. baseline is as Rows.Baseline, for those rows; only Beside reads it. Errors: models.ErrFeatureMismatch,
// models.ErrNotFinite, ErrNoBaseline.
func (m *Model) Estimate(x *features.Matrix, baseline []float64) (*Estimates, error) {
	if err := models.CheckMatrix(m.fingerprint, x); err != nil {
		return nil, err
	}
	n := x.Rows()
	if m.beside != nil {
		if err := checkBaseline(baseline, n); err != nil {
			return nil, err
		}
		out := &Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: make([]float64, n)}
		m.beside.estimate(out, x, baseline)
		return out, nil
	}
	mu := means{make([]float64, n), make([]float64, n)}
	for _, a := range m.arms {
		treated, control, err := a.means(x)
		if err != nil {
			return nil, err
		}
		for i := range n {
			mu.treated[i] += treated[i] / float64(len(m.arms))
			mu.control[i] += control[i] / float64(len(m.arms))
		}
	}
	out := &Estimates{Effect: make([]float64, n), SE: make([]float64, n), Control: mu.control}
	if m.final == nil {
		for i := range n {
			out.Effect[i], out.SE[i] = mu.treated[i]-mu.control[i], nan
		}
		return out, nil
	}
	z := make([]float64, m.final.columns())
	for i := range n {
		m.final.fill(z, x, i, mu.treated[i], mu.control[i])
		out.Effect[i], out.SE[i] = m.final.ridge.at(z)
		out.Effect[i] = min(max(out.Effect[i], -1), 1)
	}
	return out, nil
}
