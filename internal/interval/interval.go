// Package interval holds the 95 % intervals that several rooms tell, and how many cases a difference needs to be seen.
package interval

import "math"

// Z95 is the 97.5 % quantile of the normal distribution: ±Z95 standard errors bound the middle 95 %.
const Z95 = 1.959963984540054

// Wilson is the 95 % score interval of a share in [0, 1] observed on n > 0 independent cases (Wilson, Probable inference, JASA 22, 1927). Cases that hang
// together count as the effective number of them.
func Wilson(share, n float64) (low, high float64) {
	const z2 = Z95 * Z95
	middle := (share + z2/(2*n)) / (1 + z2/n)
	half := Z95 / (1 + z2/n) * math.Sqrt(share*(1-share)/n+z2/(4*n*n))
	return max(0, middle-half), min(1, middle+half)
}
