package metrics

import (
	"math"

	"retain/models"
)

const (
	newtonStep = 50   // limit of iterations; two parameters converge in under ten
	slopeFlat  = 1e-9 // below this variance of the logits the slope is undefined
)

// Logit is the log-odds of p, which is kept within [1e-15, 1-1e-15].
func Logit(p float64) float64 {
	p = min(max(p, minProbability), 1-minProbability)
	return math.Log(p) - math.Log1p(-p)
}

// CalibrationLine fits y ~ σ(intercept + slope · logit p) by Newton's method (Cox 1958). 0 and 1 are perfect; a slope below 1 tells of probabilities
// that are too far apart. Both are NaN with one class only or if the probabilities are all equal, or if y is separated by p so that the slope grows
// without bound.
func CalibrationLine(p, y []float64) (intercept, slope float64) {
	z := make([]float64, len(p))
	for i := range p {
		z[i] = Logit(p[i])
	}
	return fitLine(z, y)
}

func fitLine(z, y []float64) (intercept, slope float64) {
	pos := Positives(y)
	if pos == 0 || pos == len(y) {
		return math.NaN(), math.NaN()
	}
	var mean, square float64
	for _, v := range z {
		mean += v
	}
	mean /= float64(len(z))
	for _, v := range z {
		square += (v - mean) * (v - mean)
	}
	if square/float64(len(z)) < slopeFlat {
		return math.NaN(), math.NaN()
	}
	intercept, slope = 0, 1
	for range newtonStep {
		var g line
		for i := range z {
			g.add(z[i], y[i], intercept, slope)
		}
		da, db, ok := g.step()
		if !ok {
			return math.NaN(), math.NaN()
		}
		intercept, slope = intercept+da, slope+db
		if math.Abs(da)+math.Abs(db) < 1e-10 {
			return intercept, slope
		}
	}
	return math.NaN(), math.NaN()
}

// line gathers gradient and curvature of the log likelihood of a logistic regression on one variable.
type line struct{ ga, gb, haa, hab, hbb float64 }

func (l *line) add(z, y, intercept, slope float64) {
	q := models.Sigmoid(intercept + slope*z)
	v := q * (1 - q)
	l.ga += y - q
	l.gb += (y - q) * z
	l.haa += v
	l.hab += v * z
	l.hbb += v * z * z
}

// step is Newton's; not ok when the curvature is singular, as under separation.
func (l *line) step() (da, db float64, ok bool) {
	det := l.haa*l.hbb - l.hab*l.hab
	if !(det > 1e-12*l.haa*l.hbb) || math.IsInf(det, 0) {
		return 0, 0, false
	}
	return (l.hbb*l.ga - l.hab*l.gb) / det, (l.haa*l.gb - l.hab*l.ga) / det, true
}
