package linear

import (
	"math"
	"slices"

	"retain/features"
)

// scale maps a raw numeric value to the scale on which it enters, clamped to what the training rows hold.
type scale struct {
	log    bool
	lo, hi float64 // of the training rows, on the scale
	fill   float64 // their weighted mean: a missing value counts as this
}

func (s scale) at(v float32) float64 {
	if v != v {
		return s.fill
	}
	return min(max(s.raw(v), s.lo), s.hi)
}

func (s scale) raw(v float32) float64 {
	x := float64(v)
	if s.log {
		return math.Copysign(math.Log1p(math.Abs(x)), x)
	}
	return x
}

// term is one derived column: a hinge of a numeric column, (max(0, t - knot) - centre)/spread, or an indicator of a level.
type term struct {
	feature        int
	indicator      bool
	level          int     // indicator: code, or missingLevel
	knot           float64 // hinge
	centre, spread float64
}

const missingLevel = -1

// design is the expansion of a training matrix.
type design struct {
	rows   int
	scales []scale     // per feature; categorical: zero
	t      [][]float32 // per numeric feature: the rows on its scale
	codes  [][]float32 // per feature: the raw column, for indicators
	terms  []term      // by feature; terms of one feature are neighbours
	ready  []float64   // all rows' terms, row by row, where they fit maxReady; else nil
}

// maxReady is the greatest number of expanded values that are kept, 128 MB; more rows are expanded anew whenever they are walked.
const maxReady = 1 << 24

// skewed is the least |skewness| for which a column is put on the log scale. An exponential distribution has 2.
const skewed = 1

func newDesign(d *features.Dataset, hinges int) *design {
	n, p := d.Rows(), d.X.Cols()
	z := &design{rows: n, scales: make([]scale, p), t: make([][]float32, p), codes: d.X.X}
	for j, column := range d.X.X {
		if d.X.Schema[j].Kind == features.Categorical {
			z.addLevels(j, column, len(d.X.Schema[j].Levels), d.Weight)
			continue
		}
		z.addNumeric(j, column, hinges, d.Weight)
	}
	if q := len(z.terms) + 1; n*q <= maxReady {
		ready := make([]float64, n*q)
		for i := range n {
			z.fill(ready[i*q:(i+1)*q], i)
		}
		z.ready = ready
	}
	return z
}

// row is the terms of row i, a leading 1 for the intercept before them; it must not be changed, and lives as long as scratch.
func (z *design) row(scratch []float64, i int) []float64 {
	q := len(z.terms) + 1
	if z.ready != nil {
		return z.ready[i*q : (i+1)*q]
	}
	z.fill(scratch, i)
	return scratch
}

// addLevels gives each level that the training rows show an indicator; missing is one more level.
func (z *design) addLevels(j int, column []float32, levels int, weight []float64) {
	share := make([]float64, levels+1)
	total := 0.0
	for i, v := range column {
		w := weightOf(weight, i)
		total += w
		if v != v {
			share[levels] += w
		} else {
			share[int(v)] += w
		}
	}
	for code, s := range share {
		if s == 0 || s == total {
			continue
		}
		if code == levels {
			code = missingLevel
		}
		z.terms = append(z.terms, term{feature: j, indicator: true, level: code, centre: s / total, spread: 1})
	}
}

// addNumeric chooses the scale, then gives the column its line, its hinges and, where training rows miss it, an indicator.
func (z *design) addNumeric(j int, column []float32, hinges int, weight []float64) {
	var present, w []float64
	total := 0.0
	for i, v := range column {
		total += weightOf(weight, i)
		if v == v {
			present = append(present, float64(v))
			w = append(w, weightOf(weight, i))
		}
	}
	s := scale{}
	if len(present) > 0 {
		s.log = math.Abs(skewness(present, w)) > skewed
		for k, v := range present {
			present[k] = s.raw(float32(v))
		}
		s.lo, s.hi = slices.Min(present), slices.Max(present)
		s.fill = mean(present, w)
	}
	z.scales[j] = s
	t := make([]float32, len(column))
	for i, v := range column {
		t[i] = float32(s.at(v))
	}
	z.t[j] = t
	if s.hi > s.lo {
		for _, knot := range knots(present, s.lo, hinges) {
			c, v := moments(t, knot, weight)
			if v > 0 {
				z.terms = append(z.terms, term{feature: j, knot: knot, centre: c, spread: math.Sqrt(v)})
			}
		}
	}
	if missing := len(column) - len(present); missing > 0 && len(present) > 0 {
		present := 0.0
		for _, x := range w {
			present += x
		}
		z.terms = append(z.terms, term{feature: j, indicator: true, level: missingLevel, centre: 1 - present/total, spread: 1})
	}
}

// knots are lo, whose hinge is the line itself, and the distinct quantiles k/(count+1) of the values strictly between the ends.
func knots(values []float64, lo float64, count int) []float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	out := []float64{lo}
	hi := sorted[len(sorted)-1]
	for k := 1; k <= count; k++ {
		q := sorted[len(sorted)*k/(count+1)]
		if q > out[len(out)-1] && q < hi {
			out = append(out, q)
		}
	}
	return out
}

// moments are the weighted mean and variance of max(0, t - knot).
func moments(t []float32, knot float64, weight []float64) (centre, variance float64) {
	total := 0.0
	for i, v := range t {
		w := weightOf(weight, i)
		total += w
		centre += w * max(float64(v)-knot, 0)
	}
	centre /= total
	for i, v := range t {
		e := max(float64(v)-knot, 0) - centre
		variance += weightOf(weight, i) * e * e
	}
	return centre, variance / total
}

func mean(v, w []float64) float64 {
	sum, total := 0.0, 0.0
	for i, x := range v {
		sum += w[i] * x
		total += w[i]
	}
	return sum / total
}

func skewness(v, w []float64) float64 {
	m := mean(v, w)
	total, m2, m3 := 0.0, 0.0, 0.0
	for i, x := range v {
		e := x - m
		total += w[i]
		m2 += w[i] * e * e
		m3 += w[i] * e * e * e
	}
	if m2 == 0 {
		return 0
	}
	return m3 / total / math.Pow(m2/total, 1.5)
}

func weightOf(weight []float64, i int) float64 {
	if weight == nil {
		return 1
	}
	return weight[i]
}

// fill writes the terms of row i into dst, a leading 1 for the intercept before them.
func (z *design) fill(dst []float64, i int) {
	dst[0] = 1
	for k := range z.terms {
		f := &z.terms[k]
		v := 0.0
		if f.indicator {
			if c := z.codes[f.feature][i]; f.holds(c) {
				v = 1
			}
		} else if t := float64(z.t[f.feature][i]) - f.knot; t > 0 {
			v = t
		}
		dst[k+1] = (v - f.centre) / f.spread
	}
}

func (f *term) holds(code float32) bool {
	if f.level == missingLevel {
		return code != code
	}
	return code == float32(f.level)
}
