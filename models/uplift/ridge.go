package uplift

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// ridge is a Bayesian linear regression ψ = a + Σ_j b_j z_j + ε/√w. The columns come in groups: those of a group share the prior b_j ~ N(0, σ²/λ_g), a is
// free. Each combination of λ on a grid counts by its marginal likelihood (MacKay 1992, Bayesian interpolation), so that columns which tell nothing of the
// effect are shrunk to nothing. The variance of the mixture holds noise, shrinkage and what is not known of the λ: averaged over the rows its intervals cover
// about as often as they say (Nychka 1988, Bayesian confidence intervals for smoothing splines).
type ridge struct {
	centre []float64 // weighted mean of each column
	scale  []float64 // its weighted standard deviation, 1 where there is none
	coef   []float64 // of (z - centre)/scale
	base   float64   // mean of ψ: the estimate where all columns are at their centres
	cov    []float64 // p×p, row by row: posterior covariance of coef
	varA   float64   // of base
}

// penalties are the λ tried, per unit of Σw: from a column that explains as much as it can to one that explains nothing.
var penalties = func() []float64 {
	var out []float64
	for k := -4; k <= 20; k += 2 {
		out = append(out, math.Ldexp(1, k)*1e-3)
	}
	return out
}()

// gramRows is how many rows are added to the Gram matrix at once.
const gramRows = 512

// fitRidge learns ψ from n = len(psi) rows of p columns with weights w. fill writes the columns of a row, and group[j] is the group 0 … groups-1 of column j.
// Columns are put to unit spread before the prior is laid on them. Memory is p², not n·p.
func fitRidge(p int, fill func(i int, z []float64), psi, w []float64, group []int, groups int) (*ridge, error) {
	n := len(psi)
	r := &ridge{centre: make([]float64, p), scale: make([]float64, p)}
	z := make([]float64, p)
	total, mean := 0., 0.
	for i, v := range w {
		fill(i, z)
		total += v
		mean += v * psi[i]
		for j := range p {
			r.centre[j] += v * z[j]
		}
	}
	mean /= total
	for j := range r.centre {
		r.centre[j] /= total
	}
	gram, moment, square := blas64.Symmetric{N: p, Stride: p, Data: make([]float64, p*p), Uplo: blas.Upper}, make([]float64, p), 0.
	block := make([]float64, 0, gramRows*p)
	flush := func() {
		if rows := len(block) / p; rows > 0 {
			blas64.Syrk(blas.Trans, 1, blas64.General{Rows: rows, Cols: p, Stride: p, Data: block}, 1, gram)
		}
		block = block[:0]
	}
	for i, v := range w {
		fill(i, z)
		s, d := math.Sqrt(v), psi[i]-mean
		square += v * d * d
		for j := range p {
			c := z[j] - r.centre[j]
			block = append(block, s*c)
			moment[j] += v * d * c
		}
		if len(block) == cap(block) {
			flush()
		}
	}
	flush()
	for j := range p {
		if r.scale[j] = math.Sqrt(gram.Data[j*p+j] / total); r.scale[j] < leastSpread*1e-3 {
			r.scale[j] = 1
		}
	}
	for i := range p {
		moment[i] /= r.scale[i]
		for j := i; j < p; j++ {
			gram.Data[i*p+j] /= r.scale[i] * r.scale[j]
		}
	}
	// Every combination of penalties has a posterior, and a weight by its marginal likelihood.
	var all []*posterior
	choice := make([]int, groups)
	for more := true; more; {
		lambda := make([]float64, groups)
		for g, k := range choice {
			lambda[g] = penalties[k] * total
		}
		q, err := posteriorOf(gram.Data, moment, square, n, lambda, group)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
		more = false
		for g := range choice { // the next of all combinations
			if choice[g]++; choice[g] < len(penalties) {
				more = true
				break
			}
			choice[g] = 0
		}
	}
	r.base = mean
	r.mix(all, total)
	return r, nil
}

// leastShare is the weight below which a combination of penalties is left out of the mixture.
const leastShare = 1e-3

// mix takes the mean and the covariance of the mixture of posteriors.
func (r *ridge) mix(all []*posterior, total float64) {
	p := len(r.centre)
	best := math.Inf(1)
	for _, q := range all {
		best = min(best, q.loss)
	}
	sum := 0.
	for _, q := range all {
		if q.share = math.Exp((best - q.loss) / 2); q.share < leastShare {
			q.share = 0
		}
		sum += q.share
	}
	r.coef, r.cov = make([]float64, p), make([]float64, p*p)
	for _, q := range all {
		q.share /= sum
		r.varA += q.share * q.noise / total
		for j, b := range q.coef {
			r.coef[j] += q.share * b
		}
	}
	for _, q := range all {
		if q.share > 0 {
			q.addCov(r.cov, r.coef)
		}
	}
}

// posterior is the regression at given penalties.
type posterior struct {
	chol  mat.Cholesky
	coef  []float64
	noise float64 // σ²
	loss  float64 // -2 log marginal likelihood, but for a constant
	share float64 // of the mixture
}

func posteriorOf(gram, moment []float64, square float64, n int, lambda []float64, group []int) (*posterior, error) {
	p := len(moment)
	q := &posterior{coef: make([]float64, p)}
	a := mat.NewSymDense(p, append([]float64(nil), gram...))
	prior := 0.
	for j, g := range group {
		a.SetSym(j, j, a.At(j, j)+lambda[g])
		prior += math.Log(lambda[g])
	}
	if !q.chol.Factorize(a) {
		return nil, errors.New("uplift: the final stage's columns cannot be told apart")
	}
	coef := mat.NewVecDense(p, q.coef)
	if err := q.chol.SolveVecTo(coef, mat.NewVecDense(p, moment)); err != nil {
		return nil, err
	}
	rest := square - mat.Dot(coef, mat.NewVecDense(p, moment))
	q.noise = rest / float64(n-1)
	q.loss = float64(n-1)*math.Log(q.noise) + q.chol.LogDet() - prior
	return q, nil
}

// addCov adds what the posterior has of the mixture's covariance, row by row: its own and that of its mean about the mixture's.
func (q *posterior) addCov(cov, mean []float64) {
	p := len(q.coef)
	var inverse mat.SymDense
	_ = q.chol.InverseTo(&inverse) // its error is about the condition only, which the penalty bounds
	for i := range p {
		for j := range p {
			cov[i*p+j] += q.share * (q.noise*inverse.At(i, j) + (q.coef[i]-mean[i])*(q.coef[j]-mean[j]))
		}
	}
}

// at is the estimate for a row of columns, and its standard error. z is written over.
func (r *ridge) at(z []float64) (mean, se float64) {
	p := len(r.coef)
	mean, variance := r.base, r.varA
	for j, b := range r.coef {
		z[j] = (z[j] - r.centre[j]) / r.scale[j]
		mean += b * z[j]
	}
	for i, d := range z {
		s := 0.
		for j, c := range r.cov[i*p : (i+1)*p] {
			s += c * z[j]
		}
		variance += d * s
	}
	return mean, math.Sqrt(max(variance, 0))
}
