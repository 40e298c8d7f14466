package survival

import (
	"fmt"
	"math"
)

// Survivor is one customer's probability to be still there, S*(t) = S(t)^(ln(1-p) / ln S(H)): the hazards tell the shape, and at the
// horizon H it is 1 - p, p being the calibrated probability of churn. Within a period the hazard is constant. It is immutable.
type Survivor struct {
	periods Periods
	log     []float64 // ln S* at Ends
}

// NewSurvivor joins the hazards of the periods, in [0, 1], with the probability to leave within a horizon of so many days. Where the hazards
// before the horizon are 0 it is taken to be constant over time. It is an error if the horizon lies beyond the periods, and if churn is not in [0, 1).
func NewSurvivor(p Periods, hazards []float64, horizon, churn float64) (Survivor, error) {
	if len(hazards) != len(p.Ends) {
		return Survivor{}, fmt.Errorf("survival: %d hazards for %d periods", len(hazards), len(p.Ends))
	}
	if len(p.Ends) == 0 || !(horizon > 0 && horizon <= p.Ends[len(p.Ends)-1]) {
		return Survivor{}, fmt.Errorf("survival: the horizon of %v days does not lie within the periods, which end after %v", horizon, last(p.Ends))
	}
	if !(churn >= 0 && churn < 1) {
		return Survivor{}, fmt.Errorf("survival: a churn probability of %v does not lie in [0, 1)", churn)
	}
	for j, h := range hazards {
		if !(h >= 0 && h <= 1) {
			return Survivor{}, fmt.Errorf("survival: hazard %v of period %d does not lie in [0, 1]", h, j+1)
		}
	}
	s := baseline(p, hazards)
	level := math.Log1p(-churn)
	if at := s.logAt(horizon); at < 0 {
		for j := range s.log {
			s.log[j] *= level / at
		}
		return s, nil
	}
	for j, end := range p.Ends {
		s.log[j] = level * end / horizon
	}
	return s, nil
}

// baseline is one whose probability is that of the hazards alone.
func baseline(p Periods, hazards []float64) Survivor {
	s := Survivor{periods: p, log: make([]float64, len(hazards))}
	sum := 0.
	for j, h := range hazards {
		sum += math.Log1p(-math.Min(h, maxHazard))
		s.log[j] = sum
	}
	return s
}

// maxHazard keeps ln(1 - h) finite: a life table where all of a few leave.
const maxHazard = 1 - 1e-9

func last(ends []float64) float64 {
	if len(ends) == 0 {
		return 0
	}
	return ends[len(ends)-1]
}

// At is the probability in (0, 1] to be still there after t days; NaN before 0 and beyond the periods.
func (s Survivor) At(t float64) float64 {
	if !(t >= 0 && t <= last(s.periods.Ends)) {
		return math.NaN()
	}
	return math.Exp(s.logAt(t))
}

// logAt is ln S at t within the periods.
func (s Survivor) logAt(t float64) float64 {
	for j, end := range s.periods.Ends {
		switch {
		case t == end:
			return s.log[j]
		case t > end:
			continue
		case j == 0 && s.periods.Silent:
			return 0
		}
		begin, before := s.periods.begin(j), 0.
		if j > 0 {
			before = s.log[j-1]
		}
		return before + (s.log[j]-before)*(t-begin)/(end-begin)
	}
	return math.NaN()
}

// Median is the days until the customer has left with probability one half; NaN if the periods do not reach it.
func (s Survivor) Median() float64 {
	for j, l := range s.log {
		if l > -math.Ln2 {
			continue
		}
		if j == 0 && s.periods.Silent {
			return s.periods.Ends[0]
		}
		begin, before := s.periods.begin(j), 0.
		if j > 0 {
			before = s.log[j-1]
		}
		return begin + (s.periods.Ends[j]-begin)*(-math.Ln2-before)/(l-before)
	}
	return math.NaN()
}
