package kpi

import "math"

// z95 bounds the middle 95 % of a normal distribution.
const z95 = 1.959963984540054

// interval holds the true value in 95 of 100 cases.
type interval struct{ low, high float64 }

// wilson is the score interval of a share of hits among n, n > 0 (Wilson, Probable Inference, JASA 22, 1927).
func wilson(hits, n int64) interval {
	m, p := float64(n), float64(hits)/float64(n)
	denominator := 1 + z95*z95/m
	centre := (p + z95*z95/(2*m)) / denominator
	half := z95 / denominator * math.Sqrt(p*(1-p)/m+z95*z95/(4*m*m))
	return interval{math.Max(0, centre-half), math.Min(1, centre+half)}
}

// moments are the sums over n customers of y, x and their products.
type moments struct {
	n, y, x    int64
	yy, xy, xx float64
}

// ratio is the interval of Σy/Σx over customers drawn at random: Taylor's linearisation (Cochran, Sampling Techniques, 3rd ed., §6.3). ok is false for
// fewer than two customers.
func (m moments) ratio() (interval, bool) {
	if m.n < 2 || m.x == 0 {
		return interval{}, false
	}
	r, n := float64(m.y)/float64(m.x), float64(m.n)
	left := math.Max(0, m.yy-2*r*m.xy+r*r*m.xx) // Σ(y - r x)², whose mean is 0
	se := math.Sqrt(n/(n-1)*left) / math.Abs(float64(m.x))
	return interval{r - z95*se, r + z95*se}, true
}

// score is the interval of 100 (promoters - detractors) / answers: Wald's after three more answers, of which ¾ promote, ¾ detract and 1½ are passive, so that a few answers
// of one kind are no certainty (Rocks, Interval Estimation for the "Net Promoter Score", The American Statistician 70, 2016).
func score(promoters, detractors, answers int64) interval {
	n := float64(answers) + 3
	p, d := (float64(promoters)+.75)/n, (float64(detractors)+.75)/n
	half := z95 * math.Sqrt((p+d-(p-d)*(p-d))/n)
	return interval{100 * math.Max(-1, p-d-half), 100 * math.Min(1, p-d+half)}
}
