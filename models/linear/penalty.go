package linear

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// penalty is λ (α‖w‖₁ + (1-α)/2 ‖w‖²) on all coefficients but the first, the intercept.
type penalty struct{ lambda, alpha float64 }

func (p penalty) of(b []float64) float64 {
	l1, l2 := 0.0, 0.0
	for _, v := range b[1:] {
		l1 += math.Abs(v)
		l2 += v * v
	}
	return p.lambda * (p.alpha*l1 + (1-p.alpha)/2*l2)
}

// violation is the least subgradient of the objective in the maximum norm; g is the gradient of the loss at b. At the minimum it is 0.
func (p penalty) violation(g, b []float64) float64 {
	worst := 0.0
	for j := range b {
		worst = max(worst, p.violationOf(j, g, b))
	}
	return worst
}

// violationOf is the least |subgradient| of the objective in coordinate j.
func (p penalty) violationOf(j int, g, b []float64) float64 {
	if j == 0 {
		return math.Abs(g[0])
	}
	l1 := p.lambda * p.alpha
	v := g[j] + p.lambda*(1-p.alpha)*b[j]
	switch {
	case b[j] > 0:
		return math.Abs(v + l1)
	case b[j] < 0:
		return math.Abs(v - l1)
	default:
		return max(math.Abs(v)-l1, 0)
	}
}

// descend minimises the quadratic model g'd + d'Hd/2 plus the penalty of b+d over the coordinates of the steering Hessian by cyclic coordinate
// descent, until no coordinate's condition was off by more than the tolerance in a sweep, and returns b+d.
func (p penalty) descend(b, g []float64, s *steering, tolerance float64) []float64 {
	m := len(s.terms)
	out, slope := make([]float64, m), make([]float64, m)
	for k, j := range s.terms {
		out[k], slope[k] = b[j], g[j]
	}
	l1, l2 := p.lambda*p.alpha, p.lambda*(1-p.alpha)
	for range maxSweeps {
		moved := 0.0
		for k, j := range s.terms {
			h := s.h[k]
			curve := h[k] + flat
			v := 0.0
			if j == 0 {
				v = out[k] - slope[k]/curve
			} else if u := curve*out[k] - slope[k]; u > l1 {
				v = (u - l1) / (curve + l2)
			} else if u < -l1 {
				v = (u + l1) / (curve + l2)
			}
			if d := v - out[k]; d != 0 {
				out[k] = v
				floats.AddScaled(slope, d, h)
				moved = max(moved, math.Abs(d)*(curve+l2))
			}
		}
		if moved < tolerance {
			break
		}
	}
	whole := append([]float64(nil), b...)
	for k, j := range s.terms {
		whole[j] = out[k]
	}
	return whole
}

// flat is added to every curvature, so that a column which the sampled rows hold constant does not divide by zero.
const flat = 1e-9
