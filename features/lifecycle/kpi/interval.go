package kpi

import (
	"math"

	"retain/internal/interval"
)

// around is a 95 % interval.
type around struct{ low, high float64 }

// shareOf is the interval of a share of hits among n, n > 0.
func shareOf(hits, n int64) around {
	low, high := interval.Wilson(float64(hits)/float64(n), float64(n))
	return around{low, high}
}

// moments are the sums over n customers of y, x and their products.
type moments struct {
	n, y, x    int64
	yy, xy, xx float64
}

// ratio is the interval of Σy/Σx over customers drawn at random: Taylor's linearisation (Cochran, Sampling Techniques, 3rd ed., §6.3). ok is false for
// fewer than two customers.
func (m moments) ratio() (around, bool) {
	if m.n < 2 || m.x == 0 {
		return around{}, false
	}
	r, n := float64(m.y)/float64(m.x), float64(m.n)
	left := math.Max(0, m.yy-2*r*m.xy+r*r*m.xx) // Σ(y - r x)², whose mean is 0
	se := math.Sqrt(n/(n-1)*left) / math.Abs(float64(m.x))
	return around{r - interval.Z95*se, r + interval.Z95*se}, true
}

// score is the interval of 100 (promoters - detractors) / answers: Wald's after three more answers, of which ¾ promote, ¾ detract and 1½ are passive, so that a few answers
// of one kind are no certainty (Rocks, Interval Estimation for the "Net Promoter Score", The American Statistician 70, 2016).
func score(promoters, detractors, answers int64) around {
	n := float64(answers) + 3
	p, d := (float64(promoters)+.75)/n, (float64(detractors)+.75)/n
	half := interval.Z95 * math.Sqrt((p+d-(p-d)*(p-d))/n)
	return around{100 * math.Max(-1, p-d-half), 100 * math.Min(1, p-d+half)}
}
