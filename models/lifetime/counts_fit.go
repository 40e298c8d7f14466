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
	extra           int // k - x
	rows            []countRow
	weight, repeats float64 // customers and their repeats, in total

	rising, risingSlope             []float64 // [x]: ln Γ(r+x)/Γ(r) and its slope in r
	staying, stayingByA, stayingByB []float64 // [k]: ln B(a,b+k)/B(a,b) and its slopes
	leaving                         []float64 // [k], k ≥ 1: ln B(a+1,b+k-1)/B(a,b+k)
}

func newCountLikelihood(name string, rows []countRow) *countLikelihood {
	l := &countLikelihood{extra: CountModel{Name: name}.draws(0), rows: rows}
	most := 0
	for _, row := range rows {
		l.weight += row.weight
		l.repeats += row.weight * float64(row.x)
		most = max(most, row.x)
	}
	for _, t := range []*[]float64{&l.rising, &l.risingSlope, &l.staying, &l.stayingByA, &l.stayingByB, &l.leaving} {
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
		l.leaving[i+1] = math.Log(a / (b + n))
	}
}

// mean is the mean log-likelihood at θ = ln (r, α, a, b), and its gradient.
func (l *countLikelihood) mean(theta, grad []float64) float64 {
	r, alpha, a, b := math.Exp(theta[0]), math.Exp(theta[1]), math.Exp(theta[2]), math.Exp(theta[3])
	l.fill(r, a, b)
	logAlpha := math.Log(alpha)
	var sum, byR, byAlpha, byA, byB float64
	for _, row := range l.rows {
		x, k := float64(row.x), row.x+l.extra
		// There at T, or gone at t_x: the logarithms of the two terms, of which the smaller is told as a share of the larger.
		waited := math.Log1p(row.t / alpha)
		total, alive, gone, active := -(r+x)*waited-x*logAlpha, 1.0, 0.0, 0.0
		if k > 0 {
			active = math.Log1p(row.tx / alpha)
			left := l.leaving[k] - (r+x)*active - x*logAlpha
			smaller := math.Exp(-math.Abs(total - left))
			larger := 1 / (1 + smaller)
			if total >= left {
				alive, gone = larger, smaller*larger
			} else {
				alive, gone = smaller*larger, larger
			}
			total = math.Max(total, left) + math.Log1p(smaller)
		}
		sum += row.weight * (l.rising[row.x] + l.staying[k] + total)
		if grad == nil {
			continue
		}
		byR += row.weight * (l.risingSlope[row.x] - alive*waited - gone*active)
		byAlpha += row.weight * (alive*(r*row.t/alpha-x)/(alpha+row.t) + gone*(r*row.tx/alpha-x)/(alpha+row.tx))
		byA += row.weight * l.stayingByA[k]
		byB += row.weight * l.stayingByB[k]
		if k > 0 {
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
