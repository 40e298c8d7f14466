package metrics

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	smallDrift = .2   // what a PSI may be whatever the number of rows
	driftLevel = .999 // quantile of the PSI of equal distributions beyond which it is no chance
	shareAdded = .5   // to the count of each bin, so that an empty one does not cost infinity
)

// Histogram is a reference distribution: its bins end at the deciles, and one more counts the missing values. It is immutable.
type Histogram struct {
	Cuts   []float64 `json:"cuts"`   // ascending; bin b holds Cuts[b-1] < x ≤ Cuts[b], the last of them what lies beyond
	Counts []uint64  `json:"counts"` // len(Cuts)+2 of them, the last of missing values
}

// NewHistogram bins a reference by its own deciles; NaN is missing. Equal deciles are one bin.
func NewHistogram(reference []float64) Histogram {
	h := Histogram{Cuts: deciles(reference)}
	h.Counts = h.Count(reference)
	return h
}

// Count counts values in the bins of h.
func (h Histogram) Count(x []float64) []uint64 {
	counts := make([]uint64, len(h.Cuts)+2)
	for _, v := range x {
		if math.IsNaN(v) {
			counts[len(counts)-1]++
			continue
		}
		at, _ := slices.BinarySearch(h.Cuts, v)
		counts[at]++
	}
	return counts
}

// PSI is the population stability index of counts in the bins of h against h itself, and the threshold beyond which it counts as drift:
// Σ (p - q) ln(p/q) ≥ 0 over the bins, with shares (c + ½)/(n + B/2), and max(.2, χ²_{B-1, .999} (1/n + 1/m)), since without drift
// PSI/(1/n + 1/m) tends to χ² with B-1 degrees of freedom. Both are NaN if either side has no row or the bins do not fit.
// See Yurdakul (2018), Statistical Properties of Population Stability Index.
func (h Histogram) PSI(counts []uint64) (psi, threshold float64) {
	n, m := total(h.Counts), total(counts)
	if n == 0 || m == 0 || len(counts) != len(h.Counts) {
		return math.NaN(), math.NaN()
	}
	bins := float64(len(counts))
	for b := range counts {
		p := (float64(counts[b]) + shareAdded) / (m + shareAdded*bins)
		q := (float64(h.Counts[b]) + shareAdded) / (n + shareAdded*bins)
		psi += (p - q) * math.Log(p/q)
	}
	limit := distuv.ChiSquared{K: bins - 1}.Quantile(driftLevel)
	return psi, max(smallDrift, limit*(1/n+1/m))
}

// PSI is [Histogram.PSI] of values against the deciles of a reference.
func PSI(reference, current []float64) (psi, threshold float64) {
	h := NewHistogram(reference)
	return h.PSI(h.Count(current))
}

// deciles are the different cut points between the tenths of the values, NaN left out: a value at a cut lies below it.
func deciles(x []float64) []float64 {
	sorted := slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	slices.Sort(sorted)
	if len(sorted) == 0 {
		return []float64{}
	}
	cuts := make([]float64, 0, 9)
	for k := 1; k < 10; k++ {
		cuts = append(cuts, sorted[(k*len(sorted)+9)/10-1])
	}
	cuts = slices.Compact(cuts)
	return slices.DeleteFunc(cuts, func(c float64) bool { return c == sorted[len(sorted)-1] }) // nothing lies beyond it
}

func total(counts []uint64) float64 {
	n := uint64(0)
	for _, c := range counts {
		n += c
	}
	return float64(n)
}
