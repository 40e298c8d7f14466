package metrics

import "math"

// gainShares are where gains and profit are told, in thousandths: each hundredth up to a tenth, then each twentieth.
var gainShares = func() []int {
	var out []int
	for s := 0; s < 100; s += 10 {
		out = append(out, s)
	}
	for s := 100; s <= 1000; s += 50 {
		out = append(out, s)
	}
	return out
}()

// GainPoint is what the k = ⌈share · n⌉ rows of highest score of each test cutoff hold, equal scores shared as in [Ranking.TruePositives]. Recall,
// precision and lift are means of the cutoffs weighted by their positives, as the top-decile lift is; a cutoff with one class is left out.
type GainPoint struct {
	Share             Figure   `json:"share"`     // in [0, 1]
	Rows              int      `json:"rows"`      // Σk over the cutoffs
	Recall            Figure   `json:"recall"`    // share of the positives that is among them
	Precision         Figure   `json:"precision"` // share of positives among them; null at share 0
	Lift              Figure   `json:"lift"`      // precision over the base rate of the cutoff; null at share 0
	RecallInterval    Interval `json:"recall_interval"`
	PrecisionInterval Interval `json:"precision_interval"`
	LiftInterval      Interval `json:"lift_interval"`
}

// RecallAt is the share of the positives that is among the k rows of highest score, in [0, 1], by the tie rule of [Ranking.TruePositives];
// NaN without positives. k is in [0, n].
func (r Ranking) RecallAt(y []float64, k int) float64 {
	return r.TruePositives(y, k) / float64(Positives(y))
}

// PrecisionAt is the share of positives among the k rows of highest score, in [0, 1], by the tie rule of [Ranking.TruePositives]; NaN if k is 0.
func (r Ranking) PrecisionAt(y []float64, k int) float64 {
	return r.TruePositives(y, k) / float64(k)
}

// LiftAt is [Ranking.PrecisionAt] over the share of positives of all rows, ≥ 0; NaN if there is one class only or k is 0.
func (r Ranking) LiftAt(y []float64, k int) float64 {
	pos := Positives(y)
	if pos == len(y) {
		return math.NaN()
	}
	return r.PrecisionAt(y, k) / (float64(pos) / float64(len(y)))
}

// Tenths is the lift of each tenth of the ranking, highest scores first: the tenth's own share of the positives over its share of the rows. Points are
// those of a family; nil if a tenth is not among them.
func Tenths(points []GainPoint) []Figure {
	at := make(map[int]GainPoint)
	for _, p := range points {
		at[int(math.Round(1000*float64(p.Share)))] = p
	}
	all, ok := at[1000]
	if !ok {
		return nil
	}
	var out []Figure
	for s := 100; s <= 1000; s += 100 {
		low, there := at[s-100]
		high, here := at[s]
		if !there || !here {
			return nil
		}
		out = append(out, (high.Recall-low.Recall)/(Figure(high.Rows-low.Rows)/Figure(all.Rows)))
	}
	return out
}
