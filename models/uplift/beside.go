package uplift

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"

	"retain/features"
)

// beside is what both arms tell beside a baseline: with b a customer's probability as it was known before the decision and v = b(1-b),
//
//	(y - b)/v = g·z + t τ·z + ε,  ε ~ N(0, 1/v),
//
// a step of Fisher scoring of a logistic regression with the baseline as offset. z are 1, the baseline's log-odds and the terms; g is where the baseline is
// wrong, τ the effect on the log-odds. The constants are all but free; the others have a prior N(0, sd²), with one sd for g and one for τ. Each combination
// of the two on a grid counts by its marginal likelihood. τ of the groups named beforehand has a prior of its own, and a wide one: who named them had a reason.
// Its mean is to the side that was expected, if any was.
type beside struct {
	terms         []term
	centre, scale float64   // of the baseline's log-odds
	wrong         []float64 // g
	coef          []float64 // τ
	cov           []float64 // p×p, row by row: posterior covariance of τ
}

// freeDeviation is the prior sd of the constants, on the log-odds: an odds ratio of 7 is within two of them.
const freeDeviation = 1

// deviations are the sd tried for the coefficients of terms of unit spread.
var deviations = []float64{.01, .02, .04, .08, .16, .32}

// groupDeviation is the prior sd of τ between who belongs to a group and who does not: an odds ratio of 2.7 is within two of them. Averaged over narrower ones,
// too, less was found in every world that was tried.
const groupDeviation = .5

// leastBaseline keeps the log-odds of a baseline finite.
const leastBaseline = 1e-4

func within(b float64) float64 { return min(max(b, leastBaseline), 1-leastBaseline) }

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// columns is the number of z.
func (b *beside) columns() int { return len(b.terms) + 2 }

// fill writes z of row i.
func (b *beside) fill(z []float64, x *features.Matrix, i int, baseline float64) {
	z[0] = 1
	z[1] = (logit(within(baseline)) - b.centre) / b.scale
	for k := range b.terms {
		t := &b.terms[k]
		z[2+k] = t.standard(x.X[t.feature][i])
	}
}

// fitBeside learns from rows with baselines. Memory is p², not n·p.
func fitBeside(r *Rows) (*beside, error) {
	if err := checkBaseline(r.Baseline, r.Len()); err != nil {
		return nil, err
	}
	b := &beside{terms: besideTerms(r), scale: 1}
	n := float64(r.Len())
	square := 0.
	for _, v := range r.Baseline {
		b.centre += logit(within(v)) / n
	}
	for _, v := range r.Baseline {
		d := logit(within(v)) - b.centre
		square += d * d / n
	}
	if sd := math.Sqrt(square); sd > leastSpread {
		b.scale = sd
	}
	gram, moment := b.gram(r)
	var all []*besidePosterior
	best := math.Inf(1)
	for _, wrong := range deviations {
		for _, effect := range deviations {
			q, err := besideOf(gram, moment, b.prior(wrong, effect, r.Groups))
			if err != nil {
				return nil, err
			}
			all = append(all, q)
			best = min(best, q.loss)
		}
	}
	b.mix(all, best)
	return b, nil
}

// gaussian is a prior of independent coefficients.
type gaussian struct{ mean, sd []float64 }

// prior is that of the coefficients of g and τ: of the features', and of τ of the groups, which are the last columns.
func (b *beside) prior(wrong, effect float64, groups []Group) gaussian {
	p := b.columns()
	out := gaussian{mean: make([]float64, 2*p), sd: make([]float64, 2*p)}
	first := 2*p - len(groups)
	for j := range out.sd {
		switch {
		case j%p == 0:
			out.sd[j] = freeDeviation
		case j < p:
			out.sd[j] = wrong
		case j < first:
			out.sd[j] = effect
		default:
			out.mean[j], out.sd[j] = groups[j-first].expectation(), groupDeviation
		}
	}
	return out
}

// gram is Σ v c cᵀ (upper half) and Σ v c rest over the rows, c the columns z and t·z.
func (b *beside) gram(r *Rows) (blas64.Symmetric, []float64) {
	p := b.columns()
	gram := blas64.Symmetric{N: 2 * p, Stride: 2 * p, Data: make([]float64, 4*p*p), Uplo: blas.Upper}
	moment := make([]float64, 2*p)
	c := make([]float64, 2*p)
	block := make([]float64, 0, gramRows*2*p)
	flush := func() {
		if rows := len(block) / (2 * p); rows > 0 {
			blas64.Syrk(blas.Trans, 1, blas64.General{Rows: rows, Cols: 2 * p, Stride: 2 * p, Data: block}, 1, gram)
		}
		block = block[:0]
	}
	for i, y := range r.Y {
		base := within(r.Baseline[i])
		b.fill(c[:p], r.X, i, base)
		clear(c[p:])
		if r.Treated[i] {
			copy(c[p:], c[:p])
		}
		s := math.Sqrt(base * (1 - base))
		for j, v := range c {
			moment[j] += v * (y - base)
			block = append(block, s*v)
		}
		if len(block) == cap(block) {
			flush()
		}
	}
	flush()
	return gram, moment
}

// besidePosterior is the posterior at given deviations.
type besidePosterior struct {
	chol mat.Cholesky
	coef []float64
	loss float64 // -2 log marginal likelihood, but for a constant
}

func besideOf(gram blas64.Symmetric, moment []float64, prior gaussian) (*besidePosterior, error) {
	n := len(moment)
	a := mat.NewSymDense(n, append([]float64(nil), gram.Data...))
	m := mat.NewVecDense(n, append([]float64(nil), moment...))
	density := 0. // 2 log prior density of all coefficients at 0, but for a constant
	for j, s := range prior.sd {
		weight := 1 / (s * s)
		a.SetSym(j, j, a.At(j, j)+weight)
		m.SetVec(j, m.AtVec(j)+weight*prior.mean[j])
		density -= 2*math.Log(s) + weight*prior.mean[j]*prior.mean[j]
	}
	q := &besidePosterior{coef: make([]float64, n)}
	if !q.chol.Factorize(a) {
		return nil, errors.New("uplift: the columns beside the baseline cannot be told apart")
	}
	coef := mat.NewVecDense(n, q.coef)
	if err := q.chol.SolveVecTo(coef, m); err != nil {
		return nil, err
	}
	q.loss = q.chol.LogDet() - density - mat.Dot(coef, m)
	return q, nil
}

// mix takes the mean of g and τ and the covariance of τ over the mixture of posteriors.
func (b *beside) mix(all []*besidePosterior, best float64) {
	p := b.columns()
	share, sum := make([]float64, len(all)), 0.
	for k, q := range all {
		if share[k] = math.Exp((best - q.loss) / 2); share[k] < leastShare {
			share[k] = 0
		}
		sum += share[k]
	}
	b.wrong, b.coef, b.cov = make([]float64, p), make([]float64, p), make([]float64, p*p)
	for k, q := range all {
		share[k] /= sum
		for j := range p {
			b.wrong[j] += share[k] * q.coef[j]
			b.coef[j] += share[k] * q.coef[p+j]
		}
	}
	for k, q := range all {
		if share[k] == 0 {
			continue
		}
		var inverse mat.SymDense
		_ = q.chol.InverseTo(&inverse) // its error is about the condition only, which the prior bounds
		for i := range p {
			for j := range p {
				b.cov[i*p+j] += share[k] * (inverse.At(p+i, p+j) + (q.coef[p+i]-b.coef[i])*(q.coef[p+j]-b.coef[j]))
			}
		}
	}
}

// estimate fills in the effects on the rows of x, and what the average of them has to do with each.
func (b *beside) estimate(out *Estimates, x *features.Matrix, baseline []float64) {
	n, p := x.Rows(), b.columns()
	z, average := make([]float64, p), make([]float64, p) // average: mean of v·z
	for i := range n {
		base := within(baseline[i])
		b.fill(z, x, i, base)
		for j, v := range z {
			average[j] += base * (1 - base) * v / float64(n)
		}
	}
	toward, variance := make([]float64, p), 0. // covariance of τ with the average effect
	for i := range p {
		toward[i] = dot(b.cov[i*p:(i+1)*p], average)
		variance += average[i] * toward[i]
	}
	out.Average, out.AverageSE, out.Lean = dot(b.coef, average), math.Sqrt(max(variance, 0)), make([]float64, n)
	for i := range n {
		base := within(baseline[i])
		v := base * (1 - base)
		b.fill(z, x, i, base)
		square := 0.
		for i, c := range z {
			square += c * dot(b.cov[i*p:(i+1)*p], z)
		}
		out.Effect[i], out.SE[i] = v*dot(b.coef, z), v*math.Sqrt(max(square, 0))
		out.Control[i] = min(max(base+v*dot(b.wrong, z), 0), 1)
		if variance > 0 {
			out.Lean[i] = v * dot(z, toward) / variance
		}
	}
}

func dot(a, b []float64) float64 {
	s := 0.
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
