package boost

import (
	"math"
	"math/bits"
)

// sums is Σ gradient, and Σ hessian with the number of rows in its low bits: two integers, so that adding is exact, in any
// order and by any number of threads, and a histogram cell costs two additions.
type sums struct {
	grad int64
	hess int64 // hessian · hessUnit << rowBits | rows
}

func (a *sums) add(b sums) {
	a.grad += b.grad
	a.hess += b.hess
}

func (a sums) minus(b sums) sums { return sums{a.grad - b.grad, a.hess - b.hess} }

// scale is the fixed point of one training set: powers of two so large that the sum over all rows still fits.
// With 1 M rows of weight 1 the units are 2⁻⁴² and 2⁻²⁴, far below the noise of a sum.
type scale struct {
	gradUnit, hessUnit float64 // value of one step
	rowBits            int
	rowMask            int64
}

func newScale(rows int, maxWeight float64) scale {
	_, top := math.Frexp(float64(rows) * maxWeight) // Σ|g| and 4 Σh are below 2^top
	rowBits := bits.Len(uint(rows))
	return scale{
		gradUnit: math.Ldexp(1, top-62),
		hessUnit: math.Ldexp(1, top-2-(62-rowBits)),
		rowBits:  rowBits,
		rowMask:  1<<rowBits - 1,
	}
}

func (s *scale) pack(grad, hess float64) sums {
	return sums{int64(math.RoundToEven(grad / s.gradUnit)), int64(math.RoundToEven(hess/s.hessUnit))<<s.rowBits | 1}
}

func (s *scale) grad(a sums) float64 { return float64(a.grad) * s.gradUnit }
func (s *scale) hess(a sums) float64 { return float64(a.hess>>s.rowBits) * s.hessUnit }
func (s *scale) rows(a sums) int     { return int(a.hess & s.rowMask) }

// baseMargin is the log-odds of the weighted base rate; w may be nil. Summed in fixed point: the order does not matter.
func baseMargin(y, w []float64, maxWeight float64) float64 {
	if w == nil {
		ones := 0.0
		for _, v := range y {
			ones += v
		}
		return math.Log(ones / (float64(len(y)) - ones))
	}
	_, top := math.Frexp(float64(len(y)) * maxWeight)
	unit := math.Ldexp(1, top-62)
	var all, ones int64
	for i, v := range w {
		k := max(1, int64(math.RoundToEven(v/unit)))
		all += k
		if y[i] == 1 {
			ones += k
		}
	}
	return math.Log(float64(ones) / float64(all-ones))
}

// gradients fills out with the gradient and hessian of each row at its margin.
func (b *booster) gradients() {
	const block = 1 << 13
	n := len(b.y)
	parallel((n+block-1)/block, func(k int) {
		for i := k * block; i < min(n, (k+1)*block); i++ {
			p := 1 / (1 + math.Exp(-b.margin[i]))
			w := 1.0
			if b.weight != nil {
				w = b.weight[i]
			}
			b.gh[i] = b.pack(w*(p-b.y[i]), w*p*(1-p))
		}
	})
}
