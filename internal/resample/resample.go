// Package resample draws the weights of Poisson bootstraps: in each draw a bag of rows counts Poisson(1) times (Chamandy et al. 2012, "Estimating
// uncertainty for massive data streams"). The weights follow from keys alone, so that they are the same on one thread and on many.
package resample

import "math"

// poissonOf maps 16 random bits to Poisson(1): P(k) is off by less than 2⁻¹⁶, and 8 is the most.
var poissonOf = func() (of [1 << 16]uint8) {
	u := 0
	term, reached := math.Exp(-1), 0.
	for k := range 9 {
		reached += term
		term /= float64(k + 1)
		for u < len(of) && (float64(u)+.5)/float64(len(of)) < reached {
			of[u] = uint8(k)
			u++
		}
	}
	for ; u < len(of); u++ {
		of[u] = 8
	}
	return of
}()

// Weights fills w with the weights of draw k ≥ 0 of the bags with these keys; w is as long as keys.
func Weights(w []uint8, keys []uint64, k int) {
	step, shift := uint64(k/4+1)*0x9e3779b97f4a7c15, 16*(k%4) // a hash serves four draws
	for g, key := range keys {
		w[g] = poissonOf[uint16(Mix(key+step)>>shift)]
	}
}

// Mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func Mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
