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
	enough       = 1e-6 // and what will do when rounding, over many rows, lets it fall no further
	cvTolerance  = 1e-4 // and of the fits that only choose the penalty
	maxSteps     = 500
	patience     = 4 // slow steps below enough
	maxSweeps    = 1000
	slow         = .5      // a step that leaves more than this share of the violation asks for a new Hessian
	early        = 3       // steps that are slow because the margins are far from where they go, not because the sample is coarse
	stripes      = 8       // of the rows: the sums are theirs, added in order, so they do not depend on the number of threads
	chunk        = 1024    // rows that go through all columns together: their margins stay in the cache
	worthThreads = 1 << 18 // additions
)

// solver minimises the elastic-net objective over the rows of a design.
type solver struct {
	z *design
	y []float64
	w []float64 // nil = 1; a row of weight 0 is not there
}

func newSolver(z *design, d *features.Dataset) *solver { return &solver{z: z, y: d.Y, w: d.Weight} }

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

// eachStripe does the stripes one by one or, if all the work (in additions) is worth the threads, at once.
func (s *solver) eachStripe(work int, do func(k int)) {
	var wg sync.WaitGroup
	for k := range stripes {
		if work < worthThreads {
			do(k)
			continue
		}
		wg.Go(func() { do(k) })
	}
	wg.Wait()
}

// pass is what one walk over the rows tells of the mean log loss at some coefficients.
type pass struct {
	loss     float64
	gradient []float64
	weight   float64 // of the rows
}

// stripe is a pass over some of the rows.
type stripe struct {
	loss, weight, residual float64
	sums                   []sums // per column
}

// lines are the columns' lines at b; a column without one has nil.
func (s *solver) lines(b []float64) []*line {
	out := make([]*line, len(s.z.columns))
	for j := range s.z.columns {
		if l, ok := s.z.columns[j].line(s.z.terms, b[1:]); ok {
			out[j] = &l
		}
	}
	return out
}

// walk sums loss and gradient at b.
func (s *solver) walk(b []float64) pass {
	lines := s.lines(b)
	parts := make([]stripe, stripes)
	n := s.z.rows
	s.eachStripe(n*len(lines), func(k int) { parts[k] = s.walkStripe(b[0], lines, n*k/stripes, n*(k+1)/stripes) })
	all := parts[0]
	for _, p := range parts[1:] {
		all.loss += p.loss
		all.weight += p.weight
		all.residual += p.residual
		for j := range all.sums {
			for k := range all.sums[j].r {
				all.sums[j].r[k] += p.sums[j].r[k]
			}
			for k := range all.sums[j].t {
				all.sums[j].t[k] += p.sums[j].t[k]
			}
		}
	}
	out := pass{loss: all.loss / all.weight, gradient: make([]float64, len(b)), weight: all.weight}
	out.gradient[0] = all.residual
	for j := range s.z.columns {
		s.z.columns[j].gradient(out.gradient[1:], s.z.terms, all.sums[j])
	}
	for j := range out.gradient {
		out.gradient[j] /= all.weight
	}
	return out
}

func (s *solver) walkStripe(intercept float64, lines []*line, from, to int) stripe {
	p := stripe{sums: make([]sums, len(s.z.columns))}
	for j := range p.sums {
		c := &s.z.columns[j]
		p.sums[j].r = make([]float64, c.buckets)
		if c.t != nil {
			p.sums[j].t = make([]float64, c.buckets)
		}
	}
	scratch := make([]float64, chunk)
	for ; from < to; from += chunk {
		margin := scratch[:min(chunk, to-from)]
		s.chunkMargins(margin, from, intercept, lines)
		for k, m := range margin {
			w, y := weightOf(s.w, from+k), s.y[from+k]
			p.loss += w * logLoss(m, y)
			p.weight += w
			margin[k] = w * (models.Sigmoid(m) - y)
			p.residual += margin[k]
		}
		for j := range s.z.columns {
			s.z.columns[j].sum(p.sums[j], margin, from)
		}
	}
	return p
}

// chunkMargins writes the margins of the rows from the given one on.
func (s *solver) chunkMargins(margin []float64, from int, intercept float64, lines []*line) {
	for k := range margin {
		margin[k] = intercept
	}
	for j, l := range lines {
		if l != nil {
			s.z.columns[j].add(margin, from, *l)
		}
	}
}

// margins are those of all rows at b.
func (s *solver) margins(b []float64) []float64 {
	lines := s.lines(b)
	n := s.z.rows
	out := make([]float64, n)
	s.eachStripe(n*len(lines), func(k int) {
		end := n * (k + 1) / stripes
		for from := n * k / stripes; from < end; from += chunk {
			s.chunkMargins(out[from:min(from+chunk, end)], from, b[0], lines)
		}
	})
	return out
}

// logLoss is log(1+e^m) - y·m.
func logLoss(m, y float64) float64 {
	if m > 0 {
		return m - y*m + math.Log1p(math.Exp(-m))
	}
	return -y*m + math.Log1p(math.Exp(m))
}

// solve returns the coefficients (intercept first) at the penalty λ, α, from the given start.
func (s *solver) solve(ctx context.Context, start []float64, p penalty, tolerance float64) ([]float64, error) {
	b := start
	at := s.walk(b)
	worst := p.violation(at.gradient, b)
	var steer *steering
	stalled, finer := 0, 1
	for step := 0; worst >= tolerance && stalled < patience; step++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if step == maxSteps {
			return nil, fmt.Errorf("no convergence: optimality conditions violated by %.2g after %d steps", worst, step)
		}
		work := p.working(b, at.gradient, steer)
		fresh := steer == nil
		if steer == nil || len(work) > steer.room {
			work = p.working(b, at.gradient, nil)
			steer = s.newSteering(b, len(work), finer)
		}
		steer.extend(work)
		// A tenth of the violation is all that an approximate model is worth solving to.
		aim := p.descend(b, at.gradient, steer, worst/10)
		f := at.loss + p.of(b)
		size := 1.0
		for ; size > 1e-6; size /= 4 {
			trial := make([]float64, len(b))
			for j := range b {
				trial[j] = b[j] + size*(aim[j]-b[j])
			}
			if then := s.walk(trial); then.loss+p.of(trial) <= f*(1+1e-14) {
				b, at = trial, then
				break
			}
		}
		left, inside := p.violation(at.gradient, b), 0.0
		for _, j := range steer.terms {
			inside = max(inside, p.violationOf(int(j), at.gradient, b))
		}
		if size < 1 || inside > slow*worst {
			if size <= 1e-6 && left < cvTolerance {
				return b, nil // rounding: nothing goes further down
			}
			steer = nil
			if fresh && step >= early {
				finer = min(4*finer, s.z.rows) // a coarse sample may be what slows the descent
			}
			if left < enough {
				stalled++
			}
		}
		worst = left
	}
	return b, nil
}
