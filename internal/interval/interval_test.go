package interval

import (
	"math"
	"testing"
)

// Newcombe (1998), Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
func TestWilson(t *testing.T) {
	for _, c := range []struct{ hits, n, low, high float64 }{
		{81, 263, .2553, .3662}, {15, 148, .0624, .1605}, {0, 20, 0, .1611}, {1, 29, .0061, .1718}, {29, 29, 1 - .1170, 1},
	} {
		low, high := Wilson(c.hits/c.n, c.n)
		if math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 {
			t.Errorf("%v of %v: [%.4f, %.4f], want [%v, %v]", c.hits, c.n, low, high, c.low, c.high)
		}
	}
}
