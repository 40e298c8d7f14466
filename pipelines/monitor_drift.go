package pipelines

import (
	"context"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// Drift is the population stability index of a distribution against a reference (metrics.md §5).
type Drift struct {
	Of        string  `json:"of"`        // margin, or churn_probability where the models differ
	PSI       float64 `json:"psi"`       // ≥ 0
	Threshold float64 `json:"threshold"` // beyond which it is drift and not chance
	Drifted   bool    `json:"drifted"`
}

// smallDrift is what a PSI may be whatever the number of rows.
const smallDrift = .2

// drift compares the distribution of the scores with that of the previous run.
func (m *monitor) drift(ctx context.Context) error {
	if m.previous == nil || m.run.Scored == 0 || m.previous.Scored == 0 {
		return nil
	}
	_, margin, probability, err := m.o.DB.Scored(ctx, m.run.RunID)
	if err != nil {
		return err
	}
	_, marginBefore, probabilityBefore, err := m.o.DB.Scored(ctx, m.previous.RunID)
	if err != nil {
		return err
	}
	d := Drift{Of: "churn_probability"}
	if m.run.Artifact == m.previous.Artifact {
		d.Of, probability, probabilityBefore = "margin", margin, marginBefore
	}
	d.PSI, d.Threshold = PSI(probabilityBefore, probability)
	d.Drifted = d.PSI > d.Threshold
	m.report.Drift = &d
	m.check("scores", d.Drifted, "PSI of the %s against the run of %s is %.3f (drift beyond %.3f)", d.Of, m.previous.Cutoff.Format(time.DateOnly), d.PSI, d.Threshold)
	return nil
}

// PSI is Σ (p - q) ln(p/q) over the deciles of the reference and a bin of missing values (NaN), with shares (c + ½)/(n + B/2), and the threshold beyond
// which it counts as drift: max(.2, χ²_{B-1, .999} (1/n + 1/m)). Equal deciles are one bin. Both need a row; else both figures are NaN.
func PSI(reference, current []float64) (psi, threshold float64) {
	if len(reference) == 0 || len(current) == 0 {
		return math.NaN(), math.NaN()
	}
	cuts := deciles(reference)
	bins := len(cuts) + 2 // beyond the last cut, and missing
	p, q := binShares(current, cuts, bins), binShares(reference, cuts, bins)
	for b := range bins {
		psi += (p[b] - q[b]) * math.Log(p[b]/q[b])
	}
	limit := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(.999)
	return psi, max(smallDrift, limit*(1/float64(len(reference))+1/float64(len(current))))
}

// deciles are the different cut points between the tenths of the values, NaN left out: a value at a cut lies below it.
func deciles(x []float64) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	slices.Sort(sorted)
	if len(sorted) == 0 {
		return nil
	}
	var cuts []float64
	for k := 1; k < 10; k++ {
		cuts = append(cuts, sorted[(k*len(sorted)+9)/10-1])
	}
	cuts = slices.Compact(cuts)
	return slices.DeleteFunc(cuts, func(c float64) bool { return c == sorted[len(sorted)-1] }) // nothing lies beyond it
}

func binShares(x, cuts []float64, bins int) []float64 {
	counts := make([]float64, bins)
	for _, v := range x {
		if math.IsNaN(v) {
			counts[bins-1]++
			continue
		}
		at, _ := slices.BinarySearch(cuts, v)
		counts[at]++
	}
	for b := range counts {
		counts[b] = (counts[b] + .5) / (float64(len(x)) + .5*float64(bins))
	}
	return counts
}
