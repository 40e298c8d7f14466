package linear

import (
	"fmt"
	"math"

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
	bucket         uint8   // indicator: of the rows that have the level; hinge: the lowest whose rows may lie above the knot
	knot           float64 // hinge
	centre, spread float64
}

const missingLevel = -1

// design is the expansion of a training matrix. The terms' values are not kept: all sums over them follow from sums over buckets.
type design struct {
	rows    int
	scales  []scale  // per feature; categorical: zero
	columns []column // per feature
	terms   []term   // by feature; terms of one feature are neighbours
}

// skewed is the least |skewness| for which a column is put on the log scale. An exponential distribution has 2.
const skewed = 1

// maxLevels is the greatest number of levels of a column: with the missing ones they are as many buckets as a byte tells apart.
const maxLevels = maxBuckets - 1

// newDesign expands the rows of d. It fails on a column of more than maxLevels levels.
func newDesign(d *features.Dataset, hinges int) (*design, error) {
	n, p := d.Rows(), d.X.Cols()
	z := &design{rows: n, scales: make([]scale, p), columns: make([]column, p)}
	for j, raw := range d.X.X {
		first := len(z.terms)
		if c := d.X.Schema[j]; c.Kind == features.Categorical {
			if len(c.Levels) > maxLevels {
				return nil, fmt.Errorf("column %s has %d levels, at most %d can be told apart: keep the frequent ones", c.Name, len(c.Levels), maxLevels)
			}
			z.addLevels(j, raw, len(c.Levels), d.Weight)
		} else {
			z.addNumeric(j, raw, hinges, d.Weight)
		}
		z.columns[j].first, z.columns[j].last = first, len(z.terms)
	}
	return z, nil
}

// addLevels gives each level that the training rows show an indicator; missing is one more level.
func (z *design) addLevels(j int, raw []float32, levels int, weight []float64) {
	c := column{buckets: levels + 1, bucket: make([]uint8, len(raw))}
	for i, v := range raw {
		c.bucket[i] = uint8(levels)
		if v == v {
			c.bucket[i] = uint8(v)
		}
	}
	share := c.total(weight)
	total := 0.0
	for _, s := range share {
		total += s
	}
	for code, s := range share {
		if s == 0 || s == total {
			continue
		}
		f := term{feature: j, indicator: true, level: code, bucket: uint8(code), centre: s / total, spread: 1}
		if code == levels {
			f.level = missingLevel
		}
		z.terms = append(z.terms, f)
	}
	z.columns[j] = c
}

// addNumeric chooses the scale, then gives the column its line, its hinges and, where training rows miss it, an indicator.
func (z *design) addNumeric(j int, raw []float32, hinges int, weight []float64) {
	present, w := presentValues(raw, weight)
	c := column{bucket: make([]uint8, len(raw)), t: make([]float32, len(raw))}
	s := scale{}
	if len(present) > 0 {
		values := make([]float64, len(present))
		for k, v := range present {
			values[k] = float64(v)
		}
		if s.log = math.Abs(skewness(values, w)) > skewed; s.log {
			for k, v := range present {
				values[k] = s.raw(v)
			}
		}
		s.fill = mean(values, w)
		rising := ascending(present)
		s.lo, s.hi = s.raw(rising[0]), s.raw(rising[len(rising)-1])
		var at []float64
		if s.hi > s.lo {
			at = knots(rising, s, hinges)
		}
		c.place(raw, values, s, at)
		for k, m := range c.moments(weight) {
			if m.variance > 0 {
				z.terms = append(z.terms, term{feature: j, bucket: uint8(k), knot: at[k], centre: m.centre, spread: math.Sqrt(m.variance)})
			}
		}
	}
	if missing := len(raw) - len(present); missing > 0 && len(present) > 0 {
		total := c.total(weight)
		all := 0.0
		for _, x := range total {
			all += x
		}
		last := c.buckets - 1
		z.terms = append(z.terms, term{feature: j, indicator: true, level: missingLevel, bucket: uint8(last), centre: total[last] / all, spread: 1})
	}
	z.scales[j], z.columns[j] = s, c
}

// presentValues are the values that are not missing, and their weights.
func presentValues(raw []float32, weight []float64) (present []float32, w []float64) {
	present, w = make([]float32, 0, len(raw)), make([]float64, 0, len(raw))
	for i, v := range raw {
		if v == v {
			present = append(present, v)
			w = append(w, weightOf(weight, i))
		}
	}
	return present, w
}

// knots are the scale's lo, whose hinge is the line itself, and the distinct quantiles k/(count+1) of the rising raw values strictly between the
// ends, on the scale. Scales rise, so quantiles of the raw values are those of the scaled ones.
func knots(rising []float32, s scale, count int) []float64 {
	out := []float64{s.lo}
	for k := 1; k <= count; k++ {
		q := s.raw(rising[len(rising)*k/(count+1)])
		if q > out[len(out)-1] && q < s.hi {
			out = append(out, q)
		}
	}
	return out
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

// value is term k of row i.
func (z *design) value(k, i int) float64 {
	f := &z.terms[k]
	c := &z.columns[f.feature]
	v := 0.0
	if f.indicator {
		if c.bucket[i] == f.bucket {
			v = 1
		}
	} else {
		v = max(c.at(i)-(f.knot-c.lo), 0)
	}
	return (v - f.centre) / f.spread
}
