package itt

import "math"

// Sequence is an asymptotic confidence sequence: intervals for a running mean effect that hold at all numbers of observations at once, so
// that a report may be read every night and acted upon on any of them. It is Robbins' normal mixture, with an estimated variance: Waudby-Smith,
// Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of
// Statistics 52 (2024), theorem 2.2.
type Sequence struct {
	Alpha     float64 // 1 - coverage, over all looks together; 0 means .05
	Tightest  float64 // number of observations at which the interval is tightest; 0 means 5,000
	FewestArm int     // observations in each arm below which no interval is told, because asymptotics say nothing; 0 means 50
}

func (s Sequence) defaults() Sequence {
	if s.Alpha == 0 {
		s.Alpha = .05
	}
	if s.Tightest == 0 {
		s.Tightest = 5000
	}
	if s.FewestArm == 0 {
		s.FewestArm = 50
	}
	return s
}

// Radius is half the width of the interval of a mean of n observations with standard deviation sd:
//
//	sd √( 2 (nρ² + 1)/(n²ρ²) · ln( √(nρ² + 1)/α ) ), ρ² = (-2 ln α + ln(1 - 2 ln α)) / Tightest (there, appendix B.2).
func (s Sequence) Radius(n, sd float64) float64 {
	s = s.defaults()
	log := -2 * math.Log(s.Alpha)
	rho2 := (log + math.Log(log+1)) / s.Tightest
	return sd * math.Sqrt(2*(n*rho2+1)/(n*n*rho2)*math.Log(math.Sqrt(n*rho2+1)/s.Alpha))
}
