package lifetime

import (
	"context"
	"math"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Convergence tells how a fit by maximum likelihood ended.
type Convergence struct {
	Converged     bool      // GradientNorm ≤ 1e-6
	GradientNorm  float64   // infinity norm of the gradient of the mean log-likelihood, less the penalty at the limits, in the logarithms of the parameters
	Steps         int       // major iterations of the start that was taken
	Starts        int       // how many starting points were tried
	LogLikelihood float64   // of all customers, in the units given
	StandardError []float64 // of each parameter, from the Hessian; nil where that is not positive definite or a parameter is at its limit
	AtLimit       []string  // parameters beyond 3,000 times the mean time or spend, or below 1/3,000 of it: the data hardly tell them from infinity, or from 0
}

// The search runs over the logarithms of the parameters, with times and money in units of their mean.
const (
	gradientGoal = 1e-9 // what the search aims at
	gradientDone = 1e-6 // what counts as converged: where the line search stops for want of digits
	// A penalty e^(2(|θ|-10))/10⁷ holds parameters that the likelihood drives to 0 or to infinity, where it is flat: it is as
	// smooth as the likelihood, so that Newton's method does not zigzag there, and below 10⁻¹³ for parameters in [1/10, 10].
	limitWeight = 1e-7
	limitCentre = 10
	atLimit     = 8    // e^8 = 3,000 times the unit, or 1/3,000 of it: there the data tell nothing but that the parameter is large, or small
	agreement   = 1e-7 // two starts whose mean log-likelihoods differ by less have found the same maximum
)

// likelihood is the mean log-likelihood at the logarithms of the parameters; its gradient goes into grad unless that is nil.
type likelihood func(theta, grad []float64) float64

// search is one maximisation.
type search struct {
	names    []string    // of the parameters
	starts   [][]float64 // logarithms; tried in order until two agree
	value    likelihood
	weight   float64 // customers behind the mean
	maxSteps int
}

// maximise returns the logarithms of the parameters at the highest maximum found. The only error is that of ctx.
func (s search) maximise(ctx context.Context) (theta []float64, c Convergence, err error) {
	best := math.Inf(1)
	for _, start := range s.starts {
		found, value, steps, err := s.descend(ctx, start)
		if err != nil {
			return nil, c, err
		}
		c.Starts++
		agrees := math.Abs(value-best) < agreement
		if theta == nil || value < best-agreement {
			theta, best, c.Steps = found, value, steps
		}
		if agrees {
			break
		}
	}
	grad := make([]float64, len(theta))
	s.loss(theta, grad)
	for _, g := range grad {
		c.GradientNorm = math.Max(c.GradientNorm, math.Abs(g))
	}
	c.LogLikelihood = s.weight * s.value(theta, nil)
	c.Converged = c.GradientNorm <= gradientDone // false for NaN
	for i, v := range theta {
		if math.Abs(v) > atLimit {
			c.AtLimit = append(c.AtLimit, s.names[i])
		}
	}
	if c.Converged && len(c.AtLimit) == 0 {
		c.StandardError = s.standardErrors(theta)
	}
	return theta, c, nil
}

// descend runs Newton's method from one start; where it stops early, what it has reached counts.
func (s search) descend(ctx context.Context, start []float64) (theta []float64, value float64, steps int, err error) {
	problem := optimize.Problem{
		Func: func(x []float64) float64 { return s.loss(x, nil) },
		Grad: func(grad, x []float64) { s.loss(x, grad) },
		Hess: func(h *mat.SymDense, x []float64) { s.hessian(h, x) },
		Status: func() (optimize.Status, error) {
			if err := context.Cause(ctx); err != nil {
				return optimize.Failure, err
			}
			return optimize.NotTerminated, nil
		},
	}
	// How the line search ended does not matter: the gradient decides about convergence.
	found, err := optimize.Minimize(problem, start, &optimize.Settings{
		GradientThreshold: gradientGoal, Converger: optimize.NeverTerminate{}, MajorIterations: s.maxSteps, Concurrent: 1,
	}, &optimize.Newton{})
	if stopped := context.Cause(ctx); stopped != nil {
		return nil, 0, 0, stopped
	}
	if err != nil && found == nil { // not even a start
		return start, math.Inf(1), 0, nil
	}
	return found.X, found.F, found.MajorIterations, nil
}

// loss is what is minimised: the negative mean log-likelihood with the penalty at the limits.
func (s search) loss(theta, grad []float64) float64 {
	value := -s.value(theta, grad)
	for i, v := range theta {
		if grad != nil {
			grad[i] = -grad[i]
		}
		penalty := limitWeight * math.Exp(2*(math.Abs(v)-limitCentre))
		value += penalty
		if grad != nil {
			grad[i] += math.Copysign(2*penalty, v)
		}
	}
	if math.IsNaN(value) {
		return math.Inf(1) // a step too far: the line search comes back
	}
	return value
}

// hessian of the loss, by central differences of the exact gradient.
func (s search) hessian(h *mat.SymDense, theta []float64) {
	n := len(theta)
	jacobian := mat.NewDense(n, n, nil)
	fd.Jacobian(jacobian, func(grad, x []float64) { s.loss(x, grad) }, theta, &fd.JacobianSettings{Formula: fd.Central})
	for i := range n {
		for j := i; j < n; j++ {
			h.SetSym(i, j, (jacobian.At(i, j)+jacobian.At(j, i))/2)
		}
	}
}

// standardErrors are those of the parameters themselves, by the delta method from those of their logarithms.
func (s search) standardErrors(theta []float64) []float64 {
	n := len(theta)
	h := mat.NewSymDense(n, nil)
	s.hessian(h, theta)
	var factor mat.Cholesky
	if !factor.Factorize(h) || factor.Cond() > 1e12 { // beyond it the differences leave no digit of the inverse
		return nil
	}
	var inverse mat.SymDense
	if err := factor.InverseTo(&inverse); err != nil {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Exp(theta[i]) * math.Sqrt(inverse.At(i, i)/s.weight)
	}
	return out
}
