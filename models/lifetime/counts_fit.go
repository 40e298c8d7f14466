package lifetime

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
)

// countStarts are logarithms of (r, α, a, b) with the mean age as the unit of time: few and many leave, alike and unlike.
var countStarts = [][]float64{
	{math.Log(.5), math.Log(.3), math.Log(.8), math.Log(2.5)},
	{math.Log(1), math.Log(1), math.Log(.1), math.Log(1)},
	{math.Log(2), math.Log(.5), math.Log(2), math.Log(8)},
	{math.Log(.2), math.Log(.1), math.Log(.3), math.Log(.5)},
}

var countNames = []string{"r", "alpha", "a", "b"}

// fitCounts fits BG/NBD or MBG/NBD. unit is a typical time, above 0.
func fitCounts(ctx context.Context, name string, histories []History, unit float64, maxSteps int) (CountModel, Convergence, error) {
	l := newCountLikelihood(name, countRows(histories, unit))
	theta, c, err := search{countNames, countStarts, l.mean, l.weight, maxSteps}.maximise(ctx)
	if err != nil {
		return CountModel{}, c, err
	}
	// Per unit of time the density of the x purchase times is unit^x times larger.
	c.LogLikelihood -= l.repeats * math.Log(unit)
	if c.StandardError != nil {
		c.StandardError[1] *= unit
	}
	return CountModel{Name: name, R: math.Exp(theta[0]), Alpha: unit * math.Exp(theta[1]), A: math.Exp(theta[2]), B: math.Exp(theta[3])}, c, nil
}

// countLikelihood is that of the rows: of both models
//
//	Γ(r+x)/Γ(r) · α^r · [ B(a,b+k)/B(a,b) (α+T)^-(r+x) + δ B(a+1,b+k-1)/B(a,b) (α+t_x)^-(r+x) ]
//
// with k and δ of CountModel.Alive (Fader, Hardie & Lee 2005, eq. 6; Batislam et al. 2007, eq. 4). The gamma and beta functions only
// come as ratios over whole steps: sums of logarithms, which keep their digits where the functions themselves would not.
type countLikelihood struct {
	model           CountModel // only its draws are used
	rows            []countRow
	weight, repeats float64 // customers and their repeats, in total

	rising, risingSlope             []float64 // [x]: ln Γ(r+x)/Γ(r) and its slope in r
	staying, stayingByA, stayingByB []float64 // [k]: ln B(a,b+k)/B(a,b) and its slopes
}

func newCountLikelihood(name string, rows []countRow) *countLikelihood {
	l := &countLikelihood{model: CountModel{Name: name}, rows: rows}
	most := 0
	for _, row := range rows {
		l.weight += row.weight
		l.repeats += row.weight * float64(row.x)
		most = max(most, row.x)
	}
	for _, t := range []*[]float64{&l.rising, &l.risingSlope, &l.staying, &l.stayingByA, &l.stayingByB} {
		*t = make([]float64, most+2)
	}
	return l
}

// fill computes the tables at these parameters.
func (l *countLikelihood) fill(r, a, b float64) {
	for i := range len(l.rising) - 1 {
		n := float64(i)
		l.rising[i+1] = l.rising[i] + math.Log(r+n)
		l.risingSlope[i+1] = l.risingSlope[i] + 1/(r+n)
		l.staying[i+1] = l.staying[i] - math.Log1p(a/(b+n))
		l.stayingByA[i+1] = l.stayingByA[i] - 1/(a+b+n)
		l.stayingByB[i+1] = l.stayingByB[i] + a/((b+n)*(a+b+n))
	}
}

// mean is the mean log-likelihood at θ = ln (r, α, a, b), and its gradient.
func (l *countLikelihood) mean(theta, grad []float64) float64 {
	r, alpha, a, b := math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2]), math.Exp(theta[3])
	l.fill(r, a, b)
	var sum, byR, byAlpha, byA, byB float64
	for _, row := range l.rows {
		x, k := float64(row.x), l.model.draws(row.x)
		there := -r*math.Log1p(row.t/alpha) - x*math.Log(alpha+row.t)
		total, alive, gone := there, 1.0, 0.0
		if k > 0 {
			left := math.Log(a/(b+float64(k-1))) - r*math.Log1p(row.tx/alpha) - x*math.Log(alpha+row.tx)
			larger := math.Max(there, left)
			total = larger + math.Log(math.Exp(there-larger)+math.Exp(left-larger))
			alive, gone = math.Exp(there-total), math.Exp(left-total)
		}
		sum += row.weight * (l.rising[row.x] + l.staying[k] + total)
		if grad == nil {
			continue
		}
		byR += row.weight * (l.risingSlope[row.x] - alive*math.Log1p(row.t/alpha))
		byAlpha += row.weight * alive * (r*row.t/alpha - x) / (alpha + row.t)
		byA += row.weight * l.stayingByA[k]
		byB += row.weight * l.stayingByB[k]
		if k > 0 {
			byR -= row.weight * gone * math.Log1p(row.tx/alpha)
			byAlpha += row.weight * gone * (r*row.tx/alpha - x) / (alpha + row.tx)
			byA += row.weight * gone / a
			byB -= row.weight * gone / (b + float64(k-1))
		}
	}
	if grad != nil {
		copy(grad, []float64{byR * r, byAlpha * alpha, byA * a, byB * b})
		floats.Scale(1/l.weight, grad)
	}
	return sum / l.weight
}
