package actions

import (
	"context"
	"math"

	"gonum.org/v1/gonum/mat"
)

// dual is the Lagrangian dual of an allocation, smoothed: with temperature τ, max(0, x₁, x₂, …) becomes
// τ log(1 + Σ exp(x/τ)), which is convex, smooth and at most τ log(k+1) greater. Newton's method finds its minimum as τ falls.
type dual struct {
	offers *Offers
	limits *Limits
	places []int // dimension of an action's μ; -1 = it has no limit
	action []int // of a dimension; -1 = the budget, which comes last
	x      []float64
	unit   []float64 // of a dimension: 1, and for the budget 1 over the mean cost, so that steps are of one size
	scale  float64   // mean worth of the best offer of those who have a good one
}

// Continuation: temperatures as shares of the scale. The first ones look at a sample of the customers only.
var (
	coarse = []float64{1, .25, 1. / 16, 1. / 64}
	fine   = []float64{1. / 64, 1. / 256, 1. / 1024, 1. / 4096}
)

const (
	dualSample = 32_768 // customers of the coarse stages
	dualSteps  = 40     // at most, per temperature
	dualHalves = 20     // of a step that does not descend
	dualTight  = .001   // demand may differ by this share of the supply at the end of a stage,
	dualLoose  = 1e-6   // and by this share of one customer's
	dualStep   = 5      // in temperatures: the longest step
	dualNear   = 25     // in temperatures: what is farther from the best does not count, exp(-25) = 1e-11
)

func newDual(o *Offers, l *Limits) *dual {
	d := &dual{offers: o, limits: l, places: make([]int, len(l.Capacity))}
	for a, n := range l.Capacity {
		d.places[a] = -1
		if n >= 0 {
			d.places[a] = len(d.action)
			d.action = append(d.action, a)
			d.unit = append(d.unit, 1)
		}
	}
	var worth, cost float64
	var good int
	for i := range o.Customers() {
		best, at := float32(0), -1
		for k := o.At[i]; k < o.At[i+1]; k++ {
			if o.Worth[k] > best {
				best, at = o.Worth[k], int(k)
			}
		}
		if at >= 0 {
			worth, cost, good = worth+float64(best), cost+l.Cost[o.Action[at]], good+1
		}
	}
	if good > 0 {
		d.scale = worth / float64(good)
	}
	if !math.IsInf(l.Budget, 1) && cost > 0 {
		d.action = append(d.action, -1)
		d.unit = append(d.unit, float64(good)/cost)
	}
	d.x = make([]float64, len(d.action))
	return d
}

// budgeted tells whether the last dimension is the budget's.
func (d *dual) budgeted() bool { return len(d.action) > 0 && d.action[len(d.action)-1] < 0 }

// prices are those of a point.
func (d *dual) prices(x []float64) Prices {
	p := Prices{Capacity: make([]float64, len(d.places))}
	for j, a := range d.action {
		if a < 0 {
			p.Budget = x[j]
		} else {
			p.Capacity[a] = x[j]
		}
	}
	return p
}

// tolls are the prices of doing each action once.
func (d *dual) tolls(x []float64) []float64 {
	p := d.prices(x)
	tolls := make([]float64, len(d.places))
	for a := range tolls {
		tolls[a] = p.Of(d.limits, a)
	}
	return tolls
}

// supply is what there is of a dimension.
func (d *dual) supply(j int) float64 {
	if a := d.action[j]; a >= 0 {
		return float64(d.limits.Capacity[a])
	}
	return d.limits.Budget
}

// slope is the smoothed dual at a point: its value, gradient and curvature.
type slope struct {
	value float64
	g     []float64
	h     []float64 // lower triangle, row by row
}

func newSlope(n int) *slope { return &slope{g: make([]float64, n), h: make([]float64, n*(n+1)/2)} }

func (s *slope) add(o *slope) {
	s.value += o.value
	for j, v := range o.g {
		s.g[j] += v
	}
	for j, v := range o.h {
		s.h[j] += v
	}
}

// minimise lowers the dual from price 0 on.
func (d *dual) minimise(ctx context.Context) error {
	n := d.offers.Customers()
	if len(d.x) == 0 || d.scale == 0 || d.slack() {
		return nil
	}
	stride := max(1, n/dualSample)
	stages := fine
	if stride > 1 {
		for _, share := range coarse {
			if err := d.descend(ctx, share*d.scale, stride); err != nil {
				return err
			}
		}
	} else {
		stages = append(append([]float64{}, coarse...), fine[1:]...)
	}
	for _, share := range stages {
		if err := d.descend(ctx, share*d.scale, 1); err != nil {
			return err
		}
	}
	return nil
}

// slack tells whether the limits bind nobody: all may have their best offer for nothing.
func (d *dual) slack() bool {
	_, used, spent := d.take(d.x)
	for a, n := range d.limits.Capacity {
		if n >= 0 && used[a] > n {
			return false
		}
	}
	return spent <= d.limits.Budget
}

// take is U at prices x, and what everyone who takes his best offer then uses and spends.
func (d *dual) take(x []float64) (bound float64, used []int, spent float64) {
	tolls, o := d.tolls(x), d.offers
	count := (o.Customers() + blockSize - 1) / blockSize
	bounds, uses := make([]float64, count), make([][]int, count)
	blocks(o.Customers(), func(b, lo, hi int) {
		uses[b] = make([]int, len(tolls))
		for i := lo; i < hi; i++ {
			if k, worth := best(o, tolls, i); k >= 0 {
				bounds[b] += worth
				uses[b][o.Action[k]]++
			}
		}
	})
	used = make([]int, len(tolls))
	for b := range bounds {
		bound += bounds[b]
		for a, n := range uses[b] {
			used[a] += n
		}
	}
	for j, v := range x {
		if v > 0 {
			bound += v * d.supply(j)
		}
	}
	for a, n := range used {
		spent += float64(n) * d.limits.Cost[a]
	}
	return bound, used, spent
}

// best is the place of customer i's offer of the greatest worth above its toll, the first among equals; -1 when none is above 0.
func best(o *Offers, tolls []float64, i int) (place int, worth float64) {
	place = -1
	for k := o.At[i]; k < o.At[i+1]; k++ {
		if v := float64(o.Worth[k]) - tolls[o.Action[k]]; v > worth {
			place, worth = int(k), v
		}
	}
	return place, worth
}

// descend minimises at one temperature over every stride-th customer by projected Newton steps, damped so that none is longer than a
// few temperatures.
func (d *dual) descend(ctx context.Context, tau float64, stride int) error {
	dim := len(d.x)
	at := d.smooth(d.x, tau, stride)
	next := make([]float64, dim)
	for range dualSteps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if d.settled(at, stride) {
			return nil
		}
		step := d.newton(at, tau)
		if step == nil {
			return nil
		}
		moved := false
		for size, half := 1.0, 0; half < dualHalves; size, half = size/2, half+1 {
			for j := range next {
				next[j] = max(0, d.x[j]+size*step[j])
			}
			if to := d.smooth(next, tau, stride); to.value < at.value {
				at, moved = to, true
				copy(d.x, next)
				break
			}
		}
		if !moved {
			return nil
		}
	}
	return nil
}

// settled tells whether demand meets supply, or stays below it at price 0.
func (d *dual) settled(at *slope, stride int) bool {
	for j, g := range at.g {
		if g > 0 && d.x[j] == 0 {
			continue
		}
		unit := float64(stride)
		if d.action[j] < 0 {
			unit /= d.unit[j]
		}
		if math.Abs(g) > dualTight*d.supply(j)+dualLoose*unit {
			return false
		}
	}
	return true
}

// newton is the step to the minimum of the quadratic model over the prices that are not held at 0.
func (d *dual) newton(at *slope, tau float64) []float64 {
	var free []int
	for j, g := range at.g {
		if d.x[j] > 0 || g < 0 {
			free = append(free, j)
		}
	}
	if len(free) == 0 {
		return nil
	}
	h, g := mat.NewSymDense(len(free), nil), mat.NewVecDense(len(free), nil)
	for r, j := range free {
		for c, k := range free[:r+1] {
			h.SetSym(r, c, at.h[j*(j+1)/2+k])
		}
		// the ridge keeps a step on a flat stretch within dualStep temperatures, and vanishes with the gradient
		ridge := math.Abs(at.g[j])/(dualStep*tau*d.unit[j]) + 1e-12/(tau*d.unit[j]*d.unit[j])
		h.SetSym(r, r, h.At(r, r)*(1+1e-9)+ridge)
		g.SetVec(r, -at.g[j])
	}
	var chol mat.Cholesky
	var solved mat.VecDense
	step := make([]float64, len(d.x))
	if chol.Factorize(h) && chol.SolveVecTo(&solved, g) == nil {
		for r, j := range free {
			step[j] = solved.AtVec(r)
		}
		return step
	}
	for r, j := range free { // curvature lost to rounding: each price for itself
		step[j] = g.AtVec(r) / h.At(r, r)
	}
	return step
}

// smooth is the smoothed dual at prices x over every stride-th customer, each standing for stride.
func (d *dual) smooth(x []float64, tau float64, stride int) *slope {
	o := d.offers
	n := (o.Customers() + stride - 1) / stride
	tolls := d.tolls(x)
	parts := make([]*slope, (n+blockSize-1)/blockSize)
	blocks(n, func(b, lo, hi int) {
		s := newSlope(len(x))
		near := newNearby(d, tau)
		for k := lo; k < hi; k++ {
			near.add(s, tolls, k*stride)
		}
		parts[b] = s
	})
	total := newSlope(len(x))
	for _, part := range parts {
		total.add(part)
	}
	weight := float64(stride)
	total.value *= weight
	for j := range total.g {
		total.g[j] *= weight
	}
	for j := range total.h {
		total.h[j] *= weight / tau
	}
	for j, v := range x {
		total.value += v * d.supply(j)
		total.g[j] += d.supply(j)
	}
	return total
}

// nearby sums up one customer after the other.
type nearby struct {
	d    *dual
	tau  float64
	dims []int
	p, c []float64
}

func newNearby(d *dual, tau float64) *nearby {
	return &nearby{d: d, tau: tau, dims: make([]int, 0, MaxActions), p: make([]float64, 0, MaxActions), c: make([]float64, 0, MaxActions)}
}

// add adds customer i's term to the value, minus his demand to the gradient, and the covariance of his choice to the curvature.
func (y *nearby) add(s *slope, tolls []float64, i int) {
	o, d := y.d.offers, y.d
	top, second := 0.0, math.Inf(-1)
	place := -1
	for k := o.At[i]; k < o.At[i+1]; k++ {
		v := float64(o.Worth[k]) - tolls[o.Action[k]]
		switch {
		case v > top:
			top, second, place = v, top, int(k)
		case v > second:
			second = v
		}
	}
	s.value += top
	last := len(d.x) - 1
	money := d.budgeted()
	if second < top-dualNear*y.tau { // he is sure
		if place >= 0 {
			a := o.Action[place]
			if j := d.places[a]; j >= 0 {
				s.g[j]--
			}
			if money {
				s.g[last] -= d.limits.Cost[a]
			}
		}
		return
	}
	y.dims, y.p, y.c = y.dims[:0], y.p[:0], y.c[:0]
	sum := math.Exp(-top / y.tau)
	for k := o.At[i]; k < o.At[i+1]; k++ {
		a := o.Action[k]
		v := float64(o.Worth[k]) - tolls[a]
		if v < top-dualNear*y.tau {
			continue
		}
		e := math.Exp((v - top) / y.tau)
		sum += e
		y.dims, y.p, y.c = append(y.dims, d.places[a]), append(y.p, e), append(y.c, d.limits.Cost[a])
	}
	s.value += y.tau * math.Log(sum)
	var cost, square float64
	for k, j := range y.dims {
		y.p[k] /= sum
		p := y.p[k]
		cost += p * y.c[k]
		square += p * y.c[k] * y.c[k]
		if j < 0 {
			continue
		}
		s.g[j] -= p
		s.h[j*(j+1)/2+j] += p
		for m := range k + 1 {
			if q := y.dims[m]; q >= 0 {
				hi, lo := max(j, q), min(j, q)
				s.h[hi*(hi+1)/2+lo] -= p * y.p[m]
			}
		}
	}
	if !money {
		return
	}
	s.g[last] -= cost
	row := last * (last + 1) / 2
	for k, j := range y.dims {
		if j >= 0 {
			s.h[row+j] += y.p[k] * (y.c[k] - cost)
		}
	}
	s.h[row+last] += square - cost*cost
}
