package boost

import "math"

// gaussLegendre returns the points and weights of the n-point Gauss-Legendre rule on [0, 1], exact for polynomials of degree
// below 2n: Newton's method on the Legendre polynomial (Press et al., Numerical Recipes, 3rd ed., §4.6.1).
func gaussLegendre(n int) (at, weight []float64) {
	at, weight = make([]float64, n), make([]float64, n)
	for i := range (n + 1) / 2 {
		z := math.Cos(math.Pi * (float64(i) + 0.75) / (float64(n) + 0.5))
		var slope float64
		for range 100 {
			value, before := 1.0, 0.0
			for j := range n {
				k := float64(j)
				value, before = ((2*k+1)*z*value-k*before)/(k+1), value
			}
			slope = float64(n) * (z*value - before) / (z*z - 1)
			step := value / slope
			z -= step
			if math.Abs(step) < 1e-15 {
				break
			}
		}
		at[i], at[n-1-i] = (1-z)/2, (1+z)/2
		weight[i] = 1 / ((1 - z*z) * slope * slope)
		weight[n-1-i] = weight[i]
	}
	return at, weight
}
