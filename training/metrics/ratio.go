package metrics

// Ratio is the interval of Σ above / Σ below, both given per row.
func (b *Bootstrap) Ratio(above, below []float64) Interval {
	a, c := b.total(above), b.total(below)
	return b.intervals(statistic{size: 1, fill: func(w []uint8, _ *scratch, out []Figure) {
		out[0] = Figure(weigh(w, a) / weigh(w, c))
	}})[0]
}
