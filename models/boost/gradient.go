package boost

import (
	"math"
	"math/bits"
)

// sums is Σ gradient in the upper half of a word and Σ hessian in the lower, both in whole steps of the scale: one addition a
// histogram cell, exact in any order and by any number of threads. A hessian is never negative, so that the lower half never
// borrows from the upper.
type sums = int64

const hessMask = 1<<32 - 1

func gradSteps(a sums) int64 { return a >> 32 }
func hessSteps(a sums) int64 { return a & hessMask }

// scale is the step of gradients and hessians in one training set: such that no sum over all rows leaves its half of the word.
// A million rows of weight 1 leave 11 bits to each gradient, a thousand 21 (Shi et al., "Quantized training of gradient boosting
// decision trees", NeurIPS 2022, need no more than 5).
type scale struct {
	gradStep, hessStep float64 // value of one step
	gradRate, hessRate float64 // steps to 1
}

// maxRows leaves 4 bits to each gradient.
const maxRows = 1 << 27

func newScale(rows int, maxWeight float64) scale {
	most := float64(uint64(1) << (31 - bits.Len(uint(rows))))
	return scale{gradStep: maxWeight / most, hessStep: maxWeight / 4 / most, gradRate: most / maxWeight, hessRate: most * 4 / maxWeight}
}

func (s *scale) grad(a sums) float64 { return float64(gradSteps(a)) * s.gradStep }
func (s *scale) hess(a sums) float64 { return float64(hessSteps(a)) * s.hessStep }

// quantise packs a gradient and a hessian. Each is rounded down or up by chance, so that its mean is exact; the upper and lower half of
// draw decide.
func (s *scale) quantise(grad, hess float64, draw uint64) sums {
	const unit = 1. / (1 << 32)
	const above = 1 << 32 // truncation is rounding down only above 0
	g := int64(float64(grad*s.gradRate)+float64(draw>>32)*unit+above) - above
	h := int64(float64(hess*s.hessRate) + float64(draw&hessMask)*unit)
	return g<<32 + h
}

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

// gradients fills in the gradients and hessians of some rows at their margins. The draws follow from the seed and each row's key.
func (b *booster) gradients(seed uint64, rows []uint32) {
	for _, r := range rows {
		w := 1.0
		if b.weight != nil {
			w = b.weight[r]
		}
		p := sigmoid(b.margin[r])
		b.rows.setGradient(r, b.quantise(w*(p-b.y[r]), w*p*(1-p), mix(seed, b.keys.of(int(r)))))
	}
}
