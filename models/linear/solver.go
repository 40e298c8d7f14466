package linear

import (
	"context"
	"fmt"
	"math"
	"sync"

	"retain/features"
	"retain/models"
)

const (
	fitTolerance = 1e-9 // greatest violated optimality condition of the final fit
	cvTolerance  = 1e-5 // and of the fits that only choose the penalty
	maxSteps     = 200
	maxSweeps    = 1000
	refreshAt    = .1 // mean |Δmargin| since the Hessian was computed, above which it is computed anew
	stripe       = 2048
	block        = 64
)

// solver minimises the elastic-net objective over subsets of the rows of a design.
type solver struct {
	z *design
	y []float64
	w []float64 // nil = 1
}

func newSolver(z *design, d *features.Dataset) *solver { return &solver{z: z, y: d.Y, w: d.Weight} }

func (s *solver) all() []int32 {
	rows := make([]int32, s.z.rows)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// start is the base rate and nothing else.
func (s *solver) start() []float64 {
	b := make([]float64, len(s.z.terms)+1)
	churned, total := 0.0, 0.0
	for i, y := range s.y {
		churned += weightOf(s.w, i) * y
		total += weightOf(s.w, i)
	}
	b[0] = math.Log(churned) - math.Log(total-churned)
	return b
}

// pass is what one walk over the rows tells at coefficients b.
type pass struct {
	loss     float64   // mean log loss
	gradient []float64 // of it
	hessian  []float64 // of it, q×q, upper triangle; nil unless asked for
	weight   float64
}

// walk sums over stripes of a fixed size in a fixed order, so that the sums do not depend on the number of threads.
func (s *solver) walk(rows []int32, b []float64, curved bool, margin []float64) pass {
	q := len(b)
	count := (len(rows) + stripe - 1) / stripe
	parts := make([]pass, count)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 4)
	for k := range parts {
		lo, hi := k*stripe, min((k+1)*stripe, len(rows))
		gate <- struct{}{}
		wg.Go(func() {
			parts[k] = s.walkStripe(rows[lo:hi], b, curved, margin[lo:hi])
			<-gate
		})
	}
	wg.Wait()
	out := pass{gradient: make([]float64, q)}
	if curved {
		out.hessian = make([]float64, q*q)
	}
	for _, p := range parts {
		out.loss += p.loss
		out.weight += p.weight
		for j, v := range p.gradient {
			out.gradient[j] += v
		}
		for j, v := range p.hessian {
			out.hessian[j] += v
		}
	}
	out.loss /= out.weight
	for j := range out.gradient {
		out.gradient[j] /= out.weight
	}
	for j := range out.hessian {
		out.hessian[j] /= out.weight
	}
	return out
}

func (s *solver) walkStripe(rows []int32, b []float64, curved bool, margin []float64) pass {
	q := len(b)
	p := pass{gradient: make([]float64, q)}
	if curved {
		p.hessian = make([]float64, q*q)
	}
	z := make([]float64, q)
	for k, i := range rows {
		s.z.fill(z, int(i))
		m := 0.0
		for j, v := range z {
			m += v * b[j]
		}
		margin[k] = m
		w, y := weightOf(s.w, int(i)), s.y[i]
		prob := models.Sigmoid(m)
		p.loss += w * logLoss(m, y)
		p.weight += w
		r := w * (prob - y)
		for j, v := range z {
			p.gradient[j] += r * v
		}
		if !curved {
			continue
		}
		h := w * prob * (1 - prob)
		for j, v := range z {
			if v == 0 {
				continue
			}
			f := h * v
			row := p.hessian[j*q : (j+1)*q]
			for l := j; l < q; l++ {
				row[l] += f * z[l]
			}
		}
	}
	return p
}

// logLoss is log(1+e^m) - y·m.
func logLoss(m, y float64) float64 {
	if m > 0 {
		return m - y*m + math.Log1p(math.Exp(-m))
	}
	return -y*m + math.Log1p(math.Exp(m))
}

func penalty(b []float64, lambda, alpha float64) float64 {
	l1, l2 := 0.0, 0.0
	for _, v := range b[1:] {
		l1 += math.Abs(v)
		l2 += v * v
	}
	return lambda * (alpha*l1 + (1-alpha)/2*l2)
}

// solve returns the coefficients (intercept first) at the penalty, from the given start.
func (s *solver) solve(ctx context.Context, rows []int32, start []float64, lambda, alpha, tolerance float64) ([]float64, error) {
	b := append([]float64(nil), start...)
	margin, curvedAt := make([]float64, len(rows)), make([]float64, len(rows))
	var hessian []float64
	at := s.walk(rows, b, false, margin)
	for range maxSteps {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if violation(at.gradient, b, lambda, alpha) < tolerance {
			return b, nil
		}
		if hessian == nil || drift(margin, curvedAt) > refreshAt {
			hessian = s.walk(rows, b, true, curvedAt).hessian
			mirror(hessian, len(b))
		}
		next := descend(b, at.gradient, hessian, lambda, alpha, tolerance)
		f := at.loss + penalty(b, lambda, alpha)
		step := 1.0
		for {
			trial := make([]float64, len(b))
			for j := range b {
				trial[j] = b[j] + step*(next[j]-b[j])
			}
			then := s.walk(rows, trial, false, margin)
			if then.loss+penalty(trial, lambda, alpha) <= f+1e-14*(1+f) {
				b, at = trial, then
				break
			}
			if step /= 4; step < 1e-6 {
				return b, nil // rounding: no step goes further down
			}
			hessian = nil
		}
	}
	return nil, fmt.Errorf("no convergence in %d steps", maxSteps)
}

// violation is the greatest violated optimality condition: the least subgradient in the maximum norm.
func violation(g, b []float64, lambda, alpha float64) float64 {
	worst := math.Abs(g[0])
	for j := 1; j < len(b); j++ {
		v := g[j] + lambda*(1-alpha)*b[j]
		switch {
		case b[j] > 0:
			v += lambda * alpha
		case b[j] < 0:
			v -= lambda * alpha
		default:
			v = max(math.Abs(v)-lambda*alpha, 0)
		}
		worst = max(worst, math.Abs(v))
	}
	return worst
}

// drift is the mean |a - b|.
func drift(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += math.Abs(a[i] - b[i])
	}
	return sum / float64(len(a))
}

func mirror(h []float64, q int) {
	for j := range q {
		for l := j + 1; l < q; l++ {
			h[l*q+j] = h[j*q+l]
		}
	}
}

// descend minimises the quadratic model g'd + d'Hd/2 plus the penalty of b+d by cyclic coordinate descent.
func descend(b, g, h []float64, lambda, alpha, tolerance float64) []float64 {
	q := len(b)
	out := append([]float64(nil), b...)
	slope := append([]float64(nil), g...)
	l1, l2 := lambda*alpha, lambda*(1-alpha)
	for range maxSweeps {
		moved := 0.0
		for j := range q {
			curve := h[j*q+j]
			var v float64
			if j == 0 {
				v = out[0] - slope[0]/(curve+1e-12)
			} else {
				u := curve*out[j] - slope[j]
				switch {
				case u > l1:
					v = (u - l1) / (curve + l2)
				case u < -l1:
					v = (u + l1) / (curve + l2)
				}
			}
			d := v - out[j]
			if d == 0 {
				continue
			}
			out[j] = v
			for l, c := range h[j*q : (j+1)*q] {
				slope[l] += d * c
			}
			moved = max(moved, math.Abs(d)*(curve+l2))
		}
		if moved < tolerance/10 {
			break
		}
	}
	return out
}
