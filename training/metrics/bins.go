package metrics

import "retain/internal/interval"

// ReliabilityBin is one of ten bins of equal mass of the pooled rows, as the ECE bins them. Bins that equal probabilities leave empty are left out.
type ReliabilityBin struct {
	Rows             int      `json:"rows"`
	Lowest           Figure   `json:"lowest_probability"`
	Highest          Figure   `json:"highest_probability"`
	Mean             Figure   `json:"mean_probability"`
	Observed         Figure   `json:"observed"`          // share with label 1
	ObservedInterval Interval `json:"observed_interval"` // 95 %, Wilson's with the customers' effective number of rows
}

// ReliabilityTable is the table behind a reliability plot of rows with labels y, lowest probabilities first; empty without rows. The rows are those of b.
func ReliabilityTable(p, y []float64, b *Bootstrap) []ReliabilityBin {
	return reliabilityTable(massBins(p), p, y, b)
}

func reliabilityTable(bins []uint8, p, y []float64, b *Bootstrap) []ReliabilityBin {
	var rows [eceBins][]int32
	for i, bin := range bins {
		rows[bin] = append(rows[bin], int32(i))
	}
	out := make([]ReliabilityBin, 0, eceBins)
	byCustomer := make([]float64, b.groups)
	for _, in := range rows {
		if len(in) == 0 {
			continue
		}
		n := float64(len(in))
		bin := ReliabilityBin{Rows: len(in), Lowest: Figure(p[in[0]]), Highest: Figure(p[in[0]])}
		var hits, mean float64
		for _, i := range in {
			hits += y[i]
			mean += p[i]
			bin.Lowest, bin.Highest = min(bin.Lowest, Figure(p[i])), max(bin.Highest, Figure(p[i]))
		}
		share := hits / n
		bin.Mean, bin.Observed = Figure(mean/n), Figure(share)
		for _, i := range in {
			byCustomer[b.group[i]] += y[i] - share
		}
		square := 0.
		for _, i := range in { // each customer once: the first row takes the sum
			v := byCustomer[b.group[i]]
			byCustomer[b.group[i]] = 0
			square += v * v
		}
		effect := 1. // of rows that hang together, on the variance (Kish 1965); never taken as a gain
		if binomial := n * share * (1 - share); binomial > 0 {
			effect = max(1, square/binomial)
		}
		bin.ObservedInterval = Wilson(share, n/effect)
		out = append(out, bin)
	}
	return out
}

// Wilson is the 95 % score interval of a share observed on n > 0 independent rows, in [0, 1] (Wilson 1927). Rows that hang together count as the
// effective number of them (Korn & Graubard 1998).
func Wilson(share, n float64) Interval {
	low, high := interval.Wilson(share, n)
	return Interval{Figure(low), Figure(high)}
}
