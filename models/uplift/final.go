package uplift

import (
	"math"

	"retain/features"
)

var nan = math.NaN()

// final is the last regression of the doubly robust learner: of ψ on v, on v·z for each term z, and on μ₁ - μ₀, which brings in what the arms' models know
// of interactions. The last one has a prior of its own.
type final struct {
	terms []term
	ridge *ridge
}

// columns is their number: v, the terms', and the difference of the arms.
func (f *final) columns() int { return len(f.terms) + 2 }

// fill writes the columns of row i into z.
func (f *final) fill(z []float64, x *features.Matrix, i int, treated, control float64) {
	mean := (treated + control) / 2
	v := mean * (1 - mean)
	z[0] = v
	for k := range f.terms {
		t := &f.terms[k]
		z[1+k] = v * t.standard(x.X[t.feature][i])
	}
	z[1+len(f.terms)] = treated - control
}

// leastVariance bounds the weight of customers whose outcome is all but certain.
const leastVariance = .005

// fitFinal learns the last regression. A row weighs e(1-e)/v, the inverse of about the variance of its ψ: the noise of an outcome is v, and the propensity
// divides it.
func fitFinal(x *features.Matrix, psi, e []float64, mu means) (*final, error) {
	n := len(psi)
	f := &final{terms: termsOf(x)}
	p := f.columns()
	w := make([]float64, n)
	for i := range n {
		mean := (mu.treated[i] + mu.control[i]) / 2
		w[i] = e[i] * (1 - e[i]) / max(mean*(1-mean), leastVariance)
	}
	group := make([]int, p)
	group[p-1] = 1
	var err error
	f.ridge, err = fitRidge(p, func(i int, z []float64) { f.fill(z, x, i, mu.treated[i], mu.control[i]) }, psi, w, group, 2)
	return f, err
}
