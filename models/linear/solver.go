package linear

import (
	"context"
	"fmt"
	"math"
	"sync"

	"gonum.org/v1/gonum/floats"

	"retain/features"
	"retain/models"
)

const (
	fitTolerance = 1e-9 // greatest violated optimality condition of the final fit
	enough       = 1e-6 // and what will do when rounding, over many rows, lets it fall no further
	cvTolerance  = 1e-4 // and of the fits that only choose the penalty
	maxSteps     = 500
	patience     = 4 // slow steps below enough
	maxSweeps    = 1000
	slow         = .5      // a step that leaves more than this share of the violation asks for a new Hessian
	stripes      = 8       // of the rows: the sums are theirs, added in order, so they do not depend on the number of threads
	worthThreads = 1 << 20 // multiplications
	// The Hessian only steers, so a sample of the rows will do (Roosta-Khorasani & Mahoney 2019, "Sub-sampled Newton methods").
	panel     = 16   // rows of the Hessian that are summed at a time: with a thousand columns, 128 kB
	minSample = 4096 // rows
	perColumn = 20   // sampled rows per derived column
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

// pass is what one walk over the rows tells of the mean log loss at some coefficients.
type pass struct {
	loss     float64
	gradient []float64
	weight   float64 // of the rows
}

// walk sums loss and gradient at b over the rows and writes their margins.
func (s *solver) walk(rows []int32, b []float64) pass {
	parts := make([]pass, stripes)
	s.eachStripe(rows, len(b), func(k int, rows []int32) { parts[k] = s.walkStripe(rows, b) })
	out := pass{gradient: make([]float64, len(b))}
	for _, p := range parts {
		out.loss += p.loss
		out.weight += p.weight
		for j, v := range p.gradient {
			out.gradient[j] += v
		}
	}
	out.loss /= out.weight
	for j := range out.gradient {
		out.gradient[j] /= out.weight
	}
	return out
}

// eachStripe does the stripes of the rows one by one or, if the work is worth the threads, all at once. cost is that of a row.
func (s *solver) eachStripe(rows []int32, cost int, do func(k int, rows []int32)) {
	var wg sync.WaitGroup
	for k := range stripes {
		own := rows[len(rows)*k/stripes : len(rows)*(k+1)/stripes]
		if len(rows)*cost < worthThreads {
			do(k, own)
			continue
		}
		wg.Go(func() { do(k, own) })
	}
	wg.Wait()
}

func (s *solver) walkStripe(rows []int32, b []float64) pass {
	p := pass{gradient: make([]float64, len(b))}
	scratch := make([]float64, len(b))
	for _, i := range rows {
		z := s.z.row(scratch, int(i))
		m := floats.Dot(z, b)
		w, y := weightOf(s.w, int(i)), s.y[i]
		p.loss += w * logLoss(m, y)
		p.weight += w
		floats.AddScaled(p.gradient, w*(models.Sigmoid(m)-y), z)
	}
	return p
}

// hessian is that of the mean log loss at b, q×q, over every so many-th of the rows: finer times as many as the smallest sample.
func (s *solver) hessian(rows []int32, b []float64, finer int) []float64 {
	q := len(b)
	if step := len(rows) / (finer * max(minSample, perColumn*q)); step > 1 {
		sample := make([]int32, 0, len(rows)/step+1)
		for k := 0; k < len(rows); k += step {
			sample = append(sample, rows[k])
		}
		rows = sample
	}
	parts := make([][]float64, stripes)
	weights := make([]float64, stripes)
	s.eachStripe(rows, q*q, func(k int, rows []int32) { parts[k], weights[k] = s.hessianStripe(rows, b) })
	h, weight := parts[0], weights[0]
	for k := 1; k < stripes; k++ {
		weight += weights[k]
		for j, v := range parts[k] {
			h[j] += v
		}
	}
	for j := range q {
		for l := j; l < q; l++ {
			h[j*q+l] /= weight
			h[l*q+j] = h[j*q+l]
		}
	}
	return h
}

// hessianStripe sums the upper triangle, panel by panel: a panel stays in the cache while all rows go by, where the whole would not.
func (s *solver) hessianStripe(rows []int32, b []float64) (h []float64, weight float64) {
	q := len(b)
	h = make([]float64, q*q)
	scratch := make([]float64, q)
	curvature := make([]float64, len(rows))
	for k, i := range rows {
		p := models.Sigmoid(floats.Dot(s.z.row(scratch, int(i)), b))
		w := weightOf(s.w, int(i))
		weight += w
		curvature[k] = w * p * (1 - p)
	}
	for from := 0; from < q; from += panel {
		to := min(from+panel, q)
		for k, i := range rows {
			z := s.z.row(scratch, int(i))
			for j := from; j < to; j++ {
				floats.AddScaled(h[j*q+j:(j+1)*q], curvature[k]*z[j], z[j:])
			}
		}
	}
	return h, weight
}

// logLoss is log(1+e^m) - y·m.
func logLoss(m, y float64) float64 {
	if m > 0 {
		return m - y*m + math.Log1p(math.Exp(-m))
	}
	return -y*m + math.Log1p(math.Exp(m))
}

// solve returns the coefficients (intercept first) at the penalty λ, α, from the given start. hessian steers the first steps; nil,
// or one that serves badly, is replaced by that of the rows.
func (s *solver) solve(ctx context.Context, rows []int32, start, hessian []float64, p penalty, tolerance float64) ([]float64, error) {
	b := start
	at := s.walk(rows, b)
	worst := p.violation(at.gradient, b)
	stalled, finer := 0, 1
	for step := 0; worst >= tolerance && stalled < patience; step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if step == maxSteps {
			return nil, fmt.Errorf("no convergence: optimality conditions violated by %.2g after %d steps", worst, step)
		}
		if hessian == nil {
			hessian = s.hessian(rows, b, finer)
		}
		// A tenth of the violation is all that an approximate model is worth solving to.
		target := p.descend(b, at.gradient, hessian, worst/10)
		f := at.loss + p.of(b)
		size := 1.0
		for ; size > 1e-6; size /= 4 {
			trial := make([]float64, len(b))
			for j := range b {
				trial[j] = b[j] + size*(target[j]-b[j])
			}
			if then := s.walk(rows, trial); then.loss+p.of(trial) <= f*(1+1e-14) {
				b, at = trial, then
				break
			}
		}
		left := p.violation(at.gradient, b)
		if size < 1 || left > slow*worst {
			if size <= 1e-6 && left < cvTolerance {
				return b, nil // rounding: nothing goes further down
			}
			hessian = nil
			finer = min(4*finer, len(rows)) // a coarse sample may be what slows the descent
			if left < enough {
				stalled++
			}
		}
		worst = left
	}
	return b, nil
}

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
	l1, l2 := p.lambda*p.alpha, p.lambda*(1-p.alpha)
	worst := math.Abs(g[0])
	for j := 1; j < len(b); j++ {
		v := g[j] + l2*b[j]
		switch {
		case b[j] > 0:
			v += l1
		case b[j] < 0:
			v -= l1
		default:
			v = max(math.Abs(v)-l1, 0)
		}
		worst = max(worst, math.Abs(v))
	}
	return worst
}

// descend minimises the quadratic model g'd + d'Hd/2 plus the penalty of b+d by cyclic coordinate descent, until no coordinate's
// condition was off by more than the tolerance in a sweep, and returns b+d.
func (p penalty) descend(b, g, h []float64, tolerance float64) []float64 {
	q := len(b)
	out := append([]float64(nil), b...)
	slope := append([]float64(nil), g...)
	l1, l2 := p.lambda*p.alpha, p.lambda*(1-p.alpha)
	for range maxSweeps {
		moved := 0.0
		for j := range q {
			curve := h[j*q+j] + flat
			v := 0.0
			if j == 0 {
				v = out[0] - slope[0]/curve
			} else if u := curve*out[j] - slope[j]; u > l1 {
				v = (u - l1) / (curve + l2)
			} else if u < -l1 {
				v = (u + l1) / (curve + l2)
			}
			if d := v - out[j]; d != 0 {
				out[j] = v
				floats.AddScaled(slope, d, h[j*q:(j+1)*q])
				moved = max(moved, math.Abs(d)*(curve+l2))
			}
		}
		if moved < tolerance {
			break
		}
	}
	return out
}

// flat is added to every curvature, so that a column which the sampled rows hold constant does not divide by zero.
const flat = 1e-9
