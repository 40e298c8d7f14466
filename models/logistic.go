package models

import "math"

// Sigmoid is 1/(1+e^-m), without overflow for any finite m.
func Sigmoid(m float64) float64 {
	if m >= 0 {
		return 1 / (1 + math.Exp(-m))
	}
	e := math.Exp(m)
	return e / (1 + e)
}

// logit is the log-odds of p in (0, 1).
func logit(p float64) float64 { return math.Log(p) - math.Log1p(-p) }

// logLoss is the negative log-likelihood of the target t in [0, 1] under the margin m: log(1+e^m) - t·m.
func logLoss(m, t float64) float64 {
	if m > 0 {
		return m - t*m + math.Log1p(math.Exp(-m))
	}
	return -t*m + math.Log1p(math.Exp(m))
}

// fitLine minimises the weighted mean log loss of σ(a + b·x) against the targets t in [0, 1], plus ridge/2·b², by Newton steps
// halved until the objective falls (Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs"). x, t and w are equally long.
func fitLine(x, t, w []float64, ridge float64) (a, b float64) {
	var weight, mean float64
	for i := range x {
		weight += w[i]
		mean += w[i] * t[i]
	}
	mean /= weight
	// Half a row of the other class keeps the start finite where all targets are equal.
	mean = min(max(mean, .5/(weight+1)), 1-.5/(weight+1))
	a = logit(mean)
	objective := func(a, b float64) float64 {
		f := 0.0
		for i := range x {
			f += w[i] * logLoss(a+b*x[i], t[i])
		}
		return f/weight + ridge/2*b*b
	}
	const (
		iterations = 100
		tolerance  = 1e-10 // on the gradient of the mean loss: far below anything a probability shows
		minStep    = 1e-10
		hessian    = 1e-12 // added to the diagonal, so that a constant x has a solution
	)
	f := objective(a, b)
	for range iterations {
		ga, gb, haa, hab, hbb := 0.0, 0.0, hessian, 0.0, hessian
		for i := range x {
			p := Sigmoid(a + b*x[i])
			r := w[i] * (p - t[i]) / weight
			h := w[i] * p * (1 - p) / weight
			ga += r
			gb += r * x[i]
			haa += h
			hab += h * x[i]
			hbb += h * x[i] * x[i]
		}
		gb += ridge * b
		hbb += ridge
		if math.Abs(ga) < tolerance && math.Abs(gb) < tolerance {
			break
		}
		det := haa*hbb - hab*hab
		da, db := -(hbb*ga-hab*gb)/det, -(haa*gb-hab*ga)/det
		slope := ga*da + gb*db
		step := 1.0
		for ; step >= minStep; step /= 2 {
			if next := objective(a+step*da, b+step*db); next < f+1e-4*step*slope {
				a, b, f = a+step*da, b+step*db, next
				break
			}
		}
		if step < minStep {
			break
		}
	}
	return a, b
}
