package boost

// Importance is the share of each column in the gain of all splits: p numbers that sum to 1, or all 0 if nothing was split.
// It is told by the training rows: a column of many values can gain on noise. PermutationImportance asks other rows.
func (m *Model) Importance() []float64 {
	share, total := make([]float64, len(m.schema)), 0.0
	for i := range m.nodes {
		if n := &m.nodes[i]; !n.leaf() {
			share[n.column] += float64(n.weight)
			total += float64(n.weight)
		}
	}
	if total > 0 {
		for j := range share {
			share[j] /= total
		}
	}
	return share
}
