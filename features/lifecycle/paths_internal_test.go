package lifecycle

import "testing"

// Without censoring the median is reached when exactly half have left, whatever products of shares round to.
func TestMedianIsReachedByHalf(t *testing.T) {
	for n := 2; n <= 60; n += 2 {
		var s stays
		for k := range n {
			s.add(float64(k+1), true, 1)
		}
		if m := s.median(); m == nil || *m != float64(n/2) {
			t.Errorf("of %d stays of 1 to %d days half are over after %v", n, n, m)
		}
	}
}
