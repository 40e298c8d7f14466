package actions

import "math"

// The standard normal distribution function Φ is asked for thousands of times per customer: a table with cubic Hermite
// interpolation (Φ' = φ is known) is off by less than 1e-9 and six times as fast as math.Erfc.
const (
	normalReach = 8.5 // beyond, Φ is 0 or 1 within 1e-17
	normalStep  = 1. / 64
	normalCells = int(2 * normalReach / normalStep)
)

// normalTable has Φ and φ·step at -normalReach + k·normalStep.
var normalTable = func() (table [normalCells + 1][2]float64) {
	for k := range table {
		x := -normalReach + float64(k)*normalStep
		table[k] = [2]float64{math.Erfc(-x/math.Sqrt2) / 2, normalStep * math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)}
	}
	return table
}()

// normalCDF is Φ(x); x is no NaN.
func normalCDF(x float64) float64 {
	at := (x + normalReach) / normalStep
	if at <= 0 {
		return 0
	}
	k := int(min(at, float64(normalCells)))
	if k >= normalCells {
		return 1
	}
	u := at - float64(k)
	a, b := &normalTable[k], &normalTable[k+1]
	rise := b[0] - a[0]
	return a[0] + u*(a[1]+u*((3*rise-2*a[1]-b[1])+u*(a[1]+b[1]-2*rise)))
}
