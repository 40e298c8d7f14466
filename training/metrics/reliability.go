package metrics

import "math"

// Reliability is the proof of calibration of pooled test rows. Intervals are 95 % percentile intervals of the customer bootstrap; they
// omit shocks common to all customers when the label windows of the cutoffs overlap.
type Reliability struct {
	ECE              Figure   `json:"ece"`
	NoiseBand        Figure   `json:"ece_noise_band"`    // ECE of perfect calibration, 95 % quantile
	ObservedExpected Figure   `json:"observed_expected"` // Σy / Σp ≥ 0; 1 is perfect
	OEInterval       Interval `json:"observed_expected_interval"`
	Slope            Figure   `json:"slope"` // of the logit of p in a logistic regression of y; 1 is perfect
	SlopeInterval    Interval `json:"slope_interval"`
	Intercept        Figure   `json:"intercept"` // of the same regression; 0 is perfect
	Pass             bool     `json:"pass"`      // see Prove
}

// Prove computes the Reliability of n probabilities p with labels y, grouped as in b, whose rows they are.
// Pass: ECE ≤ max(noise band, .1 · base rate), and [Reliability.LevelHolds], and [Reliability.SlopeHolds].
func Prove(p, y []float64, b *Bootstrap) Reliability {
	t := newTrial(p, y, massBins(p), b)
	intervals := b.intervals(t.statistic())
	return t.reliability(intervals)
}

// trial is the probabilities and labels of some rows, added up by bag.
type trial struct {
	proof Reliability // without its intervals
	base  float64     // mean of y
	bags  []bagSums
}

// bagSums are the sums over the rows of a bag.
type bagSums struct {
	rows, hits, expected, loss, square float64
	line                               line // at the line fitted on all rows
}

// Figures of the statistic of a trial.
const (
	ofLogLoss = iota
	ofBrier
	ofObservedExpected
	ofSlope
	trialFigures
)

func newTrial(p, y []float64, bins []uint8, b *Bootstrap) *trial {
	z := make([]float64, len(p))
	for i := range p {
		z[i] = Logit(p[i])
	}
	intercept, slope := fitLine(z, y)
	t := &trial{bags: make([]bagSums, b.Bags()), base: Sum(y) / float64(len(y))}
	t.proof = Reliability{
		ECE: Figure(eceOf(bins, p, y)), NoiseBand: Figure(noiseBand(bins, p, b.Seed)),
		ObservedExpected: Figure(Sum(y) / Sum(p)), Slope: Figure(slope), Intercept: Figure(intercept),
	}
	for i := range p {
		s := &t.bags[b.bag[i]]
		s.rows++
		s.hits += y[i]
		s.expected += p[i]
		s.loss += RowLoss(p[i], y[i])
		s.square += (p[i] - y[i]) * (p[i] - y[i])
		s.line.add(z[i], y[i], intercept, slope)
	}
	return t
}

// statistic gives log loss, Brier, observed/expected and slope of a draw. The slope is one Newton step from the fit of all rows, which is exact to first
// order and needs the sums of each bag only.
func (t *trial) statistic() statistic {
	slope := float64(t.proof.Slope)
	return statistic{size: trialFigures, fill: func(w []uint8, _ *scratch, out []Figure) {
		var all bagSums
		for g := range t.bags {
			if w[g] == 0 {
				continue
			}
			v, s := float64(w[g]), &t.bags[g]
			all.rows += v * s.rows
			all.hits += v * s.hits
			all.expected += v * s.expected
			all.loss += v * s.loss
			all.square += v * s.square
			all.line.ga += v * s.line.ga
			all.line.gb += v * s.line.gb
			all.line.haa += v * s.line.haa
			all.line.hab += v * s.line.hab
			all.line.hbb += v * s.line.hbb
		}
		out[ofLogLoss], out[ofBrier] = Figure(all.loss/all.rows), Figure(all.square/all.rows)
		out[ofObservedExpected], out[ofSlope] = Figure(all.hits/all.expected), Figure(math.NaN())
		if _, step, ok := all.line.step(); ok {
			out[ofSlope] = Figure(slope + step)
		}
	}}
}

// reliability is the proof with the intervals of its statistic.
func (t *trial) reliability(intervals []Interval) Reliability {
	out := t.proof
	out.OEInterval, out.SlopeInterval = intervals[ofObservedExpected], intervals[ofSlope]
	out.Pass = float64(out.ECE) <= max(float64(out.NoiseBand), .1*t.base) &&
		out.LevelHolds() && out.SlopeHolds()
	return out
}

// LevelHolds says whether as many were observed as expected: their ratio lies in [.9, 1.1], or its interval holds 1.
func (r Reliability) LevelHolds() bool { return within(r.ObservedExpected, .9, 1.1, r.OEInterval) }

// SlopeHolds says whether the slope lies in [.8, 1.25], or its interval holds 1. A constant probability has none to fail by.
func (r Reliability) SlopeHolds() bool {
	return math.IsNaN(float64(r.Slope)) || within(r.Slope, .8, 1.25, r.SlopeInterval)
}

// within says whether v lies in [lo, hi] or its interval holds 1.
func within(v Figure, lo, hi Figure, interval Interval) bool {
	return v >= lo && v <= hi || interval[0] <= 1 && interval[1] >= 1
}
