package models

import "sort"

// Percentiles returns the rank of each customer by margin, 1..100, 100 = most at risk, as contract.md §3 defines it:
// ⌈100 (#{m < mᵢ} + ½ #{m = mᵢ}) / n⌉, in integer arithmetic. Equal margins share a percentile; below 51 customers nobody
// reaches 100. The margins must be finite.
func Percentiles(margin []float64) []int {
	n := len(margin)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return margin[order[a]] < margin[order[b]] })
	out := make([]int, n)
	for lo := 0; lo < n; {
		hi := lo + 1
		for hi < n && margin[order[hi]] == margin[order[lo]] {
			hi++
		}
		// 100 (below + equal/2) / n = 50 (2 below + equal) / n, rounded up.
		p := (50*(2*lo+(hi-lo)) + n - 1) / n
		p = min(max(p, 1), 100)
		for _, i := range order[lo:hi] {
			out[i] = p
		}
		lo = hi
	}
	return out
}
