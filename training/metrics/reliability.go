package metrics

import (
	"math"
	"math/rand/v2"
	"slices"

	"retain/models"
)

const (
	eceBins    = 10
	bandDraws  = 1000
	bandLevel  = .95
	newtonStep = 50   // limit of iterations; two parameters converge in under ten
	slopeFlat  = 1e-9 // below this variance of the logits the slope is undefined
)

// massBins assigns each probability to one of ten bins of equal mass: ⌊10·rank/n⌋ with ranks from the lowest, 0. Equal
// probabilities share the bin of their middle rank, so that a constant probability is one bin whatever the order of rows.
func massBins(p []float64) []uint8 {
	n := len(p)
	bins := make([]uint8, n)
	r := Rank(p)
	lo := int32(0)
	for _, hi := range r.ends {
		middle := float64(n-1) - float64(lo+hi-1)/2 // rank from the lowest, r.order runs from the highest
		b := uint8(min(float64(eceBins-1), math.Floor(eceBins*middle/float64(n))))
		for _, i := range r.order[lo:hi] {
			bins[i] = b
		}
		lo = hi
	}
	return bins
}

// ECE is the expected calibration error: over ten bins of equal mass, Σ n_b/n · |mean p - mean y|; NaN without rows.
// Naeini, Cooper & Hauskrecht (2015).
func ECE(p, y []float64) float64 {
	return eceOf(massBins(p), p, y)
}

func eceOf(bins []uint8, p, y []float64) float64 {
	if len(p) == 0 {
		return math.NaN()
	}
	var gap [eceBins]float64
	for i, b := range bins {
		gap[b] += p[i] - y[i]
	}
	total := 0.
	for _, g := range gap {
		total += math.Abs(g)
	}
	return total / float64(len(p))
}

// ECENoiseBand is the 95 % quantile of the ECE that perfectly calibrated probabilities would show on as many rows: over 1,000
// draws y ~ Bernoulli(p), seeded. An ECE below it says nothing against the calibration. NaN without rows.
func ECENoiseBand(p []float64, seed uint64) float64 {
	if len(p) == 0 {
		return math.NaN()
	}
	bins := massBins(p)
	rng := rand.New(rand.NewPCG(seed, 0x6563652062616e64)) // "ece band"
	var expected [eceBins]float64
	for i, b := range bins {
		expected[b] += p[i]
	}
	draws := make([]float64, bandDraws)
	for k := range draws {
		var hits [eceBins]float64
		for i, b := range bins {
			if rng.Float64() < p[i] {
				hits[b]++
			}
		}
		for b := range hits {
			draws[k] += math.Abs(hits[b] - expected[b])
		}
		draws[k] /= float64(len(p))
	}
	slices.Sort(draws)
	return quantile(draws, bandLevel)
}

// quantile interpolates linearly between the order statistics of sorted values (Hyndman & Fan's type 7).
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	lo := int(at)
	hi := min(lo+1, len(sorted)-1)
	return sorted[lo] + (at-float64(lo))*(sorted[hi]-sorted[lo])
}

// Reliability is the proof of calibration of pooled test rows. Intervals are 95 % percentile intervals of the customer bootstrap; they
// omit shocks common to all customers when the label windows of the cutoffs overlap.
type Reliability struct {
	ECE              Figure    `json:"ece"`
	NoiseBand        Figure    `json:"ece_noise_band"`    // ECE of perfect calibration, 95 % quantile
	ObservedExpected Figure    `json:"observed_expected"` // Σy / Σp
	OEInterval       [2]Figure `json:"observed_expected_interval"`
	Slope            Figure    `json:"slope"` // of the logit of p in a logistic regression of y; 1 is perfect
	SlopeInterval    [2]Figure `json:"slope_interval"`
	Intercept        Figure    `json:"intercept"` // of the same regression; 0 is perfect
	Pass             bool      `json:"pass"`      // see Prove
}

// Prove computes the Reliability of n probabilities p with labels y, grouped as in b, whose rows they are.
// Pass: ECE ≤ max(noise band, .1 · base rate), and observed/expected in [.9, 1.1] or its interval holds 1, and the slope in
// [.8, 1.25] or its interval holds 1.
func Prove(p, y []float64, b *Bootstrap) Reliability {
	proof, _ := prove(p, y, b)
	return proof
}

// prove is Prove with the interval of the log loss, which costs little beside the others.
func prove(p, y []float64, b *Bootstrap) (out Reliability, logLoss [2]Figure) {
	intercept, slope := CalibrationLine(p, y)
	out = Reliability{
		ECE:              Figure(ECE(p, y)),
		NoiseBand:        Figure(ECENoiseBand(p, b.Seed)),
		ObservedExpected: Figure(Sum(y) / Sum(p)),
		Slope:            Figure(slope),
		Intercept:        Figure(intercept),
	}
	intervals := b.Intervals(b.ratio(y, p), b.slope(p, y, intercept, slope), b.mean(RowLosses(p, y)))
	out.OEInterval, out.SlopeInterval, logLoss = intervals[0], intervals[1], intervals[2]
	base := Sum(y) / float64(len(y))
	out.Pass = float64(out.ECE) <= max(float64(out.NoiseBand), .1*base) &&
		within(out.ObservedExpected, .9, 1.1, out.OEInterval) &&
		(math.IsNaN(slope) || within(out.Slope, .8, 1.25, out.SlopeInterval)) // a constant probability has no slope to fail by
	return out, logLoss
}

// within says whether v lies in [lo, hi] or its interval holds 1.
func within(v Figure, lo, hi Figure, interval [2]Figure) bool {
	return v >= lo && v <= hi || interval[0] <= 1 && interval[1] >= 1
}

func Sum(x []float64) float64 {
	s := 0.
	for _, v := range x {
		s += v
	}
	return s
}

func Logit(p float64) float64 {
	p = min(max(p, minProbability), 1-minProbability)
	return math.Log(p) - math.Log1p(-p)
}

// CalibrationLine fits y ~ σ(intercept + slope · logit p) by Newton's method (Cox 1958). Both are NaN with one class only or if the
// probabilities are all equal, or if y is separated by p so that the slope grows without bound.
func CalibrationLine(p, y []float64) (intercept, slope float64) {
	pos := Positives(y)
	if pos == 0 || pos == len(y) {
		return math.NaN(), math.NaN()
	}
	z := make([]float64, len(p))
	var mean, square float64
	for i := range p {
		z[i] = Logit(p[i])
		mean += z[i]
		square += z[i] * z[i]
	}
	mean /= float64(len(z))
	if square/float64(len(z))-mean*mean < slopeFlat {
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

// slope is the statistic of the calibration slope, each draw by one Newton step from the full fit, which is exact to first order and needs the
// sums of each customer only.
func (b *Bootstrap) slope(p, y []float64, intercept, slope float64) func(w []float64) float64 {
	if math.IsNaN(slope) {
		return func([]float64) float64 { return math.NaN() }
	}
	parts := make([]line, b.Groups())
	for i := range y {
		parts[b.Group[i]].add(Logit(p[i]), y[i], intercept, slope)
	}
	return func(w []float64) float64 {
		var l line
		for g, v := range w {
			if v == 0 {
				continue
			}
			l.ga += v * parts[g].ga
			l.gb += v * parts[g].gb
			l.haa += v * parts[g].haa
			l.hab += v * parts[g].hab
			l.hbb += v * parts[g].hbb
		}
		_, db, ok := l.step()
		if !ok {
			return math.NaN()
		}
		return slope + db
	}
}
