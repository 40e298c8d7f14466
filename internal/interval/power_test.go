package interval

import (
	"math"
	"testing"
)

// TestNeeded compares with power.prop.test of R 4.2, which takes the variances at both shares: at the mean share the normal approximation agrees
// within a per cent.
//
//	ceiling(power.prop.test(p1=.10, p2=.08, power=.8)$n) = 3213     ceiling(power.prop.test(p1=.30, p2=.25, power=.8)$n) = 1251
//	ceiling(power.prop.test(p1=.50, p2=.45, power=.8)$n) = 1565     ceiling(power.prop.test(p1=.05, p2=.04, power=.8)$n) = 6745
func TestNeeded(t *testing.T) {
	for _, x := range []struct{ p1, p2, perGroup float64 }{{.10, .08, 3213}, {.30, .25, 1251}, {.50, .45, 1565}, {.05, .04, 6745}} {
		got := Needed((x.p1+x.p2)/2, x.p1-x.p2, .5) / 2
		if math.Abs(got/x.perGroup-1) > .01 {
			t.Errorf("%v against %v: %.0f per group, R has %.0f", x.p1, x.p2, got, x.perGroup)
		}
	}
	// Detectable is its inverse, for any split.
	for _, share := range []float64{.5, .2, .95} {
		n := Needed(.1, .02, share)
		if got := Detectable(.1, share*n, (1-share)*n); math.Abs(got-.02) > 1e-5 {
			t.Errorf("%.0f customers, %.0f %% treated: %.6f", n, 100*share, got)
		}
	}
	// By hand: 2.8 √(.1·.9·(1/500 + 1/9500)) = .03854.
	if got := Detectable(.1, 500, 9500); math.Abs(got-.038542) > 1e-5 {
		t.Errorf("%v", got)
	}
	if !math.IsNaN(Detectable(math.NaN(), 10, 100)) || !math.IsNaN(Detectable(.1, 0, 10)) || !math.IsNaN(Needed(.1, 0, .5)) || !math.IsNaN(Needed(.1, .1, 1)) {
		t.Error("without a group or an effect there is no figure")
	}
}
