package linear

import (
	"math"
	"slices"
)

// maxBuckets is how many buckets a byte tells apart.
const maxBuckets = 256

// column is a feature of the training rows in buckets: the stretches between a numeric column's knots, or levels, missing being the last where
// it is at all. Within a bucket the feature's curve is a straight line, so that a margin is read off one line per feature, and the
// gradient of all its terms follows from two sums per bucket.
type column struct {
	bucket      []uint8   // of each row
	buckets     int       // how many there are
	t           []float32 // numeric: each row's height above lo on the scale, 0 where missing; categorical: nil
	lo          float64   // numeric: the scale's lowest value
	knots       []float64 // numeric: heights above lo, rising: bucket k holds the rows from knot k to the next
	fill        float64   // numeric: the height that a missing value counts as
	gaps        bool      // numeric: the last bucket is the rows that miss the value
	first, last int       // its terms are [first, last) of the design's
}

// place puts the rows into the stretches from each knot (rising; none: the column is constant) to the next. values are those of raw that are not
// missing, on the scale.
func (c *column) place(raw []float32, values []float64, s scale, knots []float64) {
	c.lo, c.fill = s.lo, s.fill-s.lo
	c.buckets = max(len(knots), 1)
	c.gaps = len(values) < len(raw)
	missing := uint8(c.buckets)
	if c.gaps {
		c.buckets++
	}
	for _, knot := range knots {
		c.knots = append(c.knots, knot-s.lo)
	}
	next := 0
	for i, v := range raw {
		if v != v {
			c.bucket[i] = missing
			continue
		}
		t := values[next] - s.lo
		next++
		k := 0
		for k+1 < len(c.knots) && t >= c.knots[k+1] {
			k++
		}
		c.bucket[i], c.t[i] = uint8(k), float32(t)
	}
}

// at is the height of row i above lo; a missing value counts as the fill.
func (c *column) at(i int) float64 {
	if c.gaps && int(c.bucket[i]) == c.buckets-1 {
		return c.fill
	}
	return float64(c.t[i])
}

// total is the weight of the rows of each bucket.
func (c *column) total(weight []float64) []float64 {
	out := make([]float64, c.buckets)
	for i, k := range c.bucket {
		out[k] += weightOf(weight, i)
	}
	return out
}

// moment is the weighted mean and variance of a hinge.
type moment struct{ centre, variance float64 }

// moments are those of max(0, t - knot) for each knot, in two walks over the rows: the mean of each bucket, then the spread around it.
func (c *column) moments(weight []float64) []moment {
	if len(c.knots) == 0 {
		return nil
	}
	weights, means, squares := c.total(weight), make([]float64, c.buckets), make([]float64, c.buckets)
	for i, k := range c.bucket {
		means[k] += weightOf(weight, i) * c.at(i)
	}
	all := 0.0
	for k, w := range weights {
		all += w
		if w > 0 {
			means[k] /= w
		}
	}
	for i, k := range c.bucket {
		e := c.at(i) - means[k]
		squares[k] += weightOf(weight, i) * e * e
	}
	out := make([]moment, len(c.knots))
	for j, knot := range c.knots {
		// The bucket's mean under the hinge, and whether its spread shows there.
		height := func(k int) (float64, bool) {
			above := k >= j
			if c.gaps && k == c.buckets-1 {
				above = c.fill > knot
			}
			if !above {
				return 0, false
			}
			return max(means[k]-knot, 0), true
		}
		m := &out[j]
		for k, w := range weights {
			h, _ := height(k)
			m.centre += w * h
		}
		m.centre /= all
		for k, w := range weights {
			h, above := height(k)
			m.variance += w * (h - m.centre) * (h - m.centre)
			if above {
				m.variance += squares[k]
			}
		}
		m.variance /= all
	}
	return out
}

// line is what a feature adds to the margin, by bucket: base + slope·t.
type line struct{ base, slope []float64 }

// line adds the feature's terms up, w being the coefficients of all terms. ok is false where all are zero.
func (c *column) line(terms []term, w []float64) (l line, ok bool) {
	own, w := terms[c.first:c.last], w[c.first:c.last]
	if !slices.ContainsFunc(w, func(v float64) bool { return v != 0 }) {
		return l, false
	}
	l = line{base: make([]float64, c.buckets), slope: make([]float64, c.buckets)}
	offset := 0.0
	for k := range own {
		f := &own[k]
		v := w[k] / f.spread
		offset -= v * f.centre
		if f.indicator {
			l.base[f.bucket] += v
			continue
		}
		knot := f.knot - c.lo
		lines := c.buckets
		if c.gaps {
			lines--
			l.base[lines] += v * max(c.fill-knot, 0)
		}
		for b := int(f.bucket); b < lines; b++ {
			l.base[b] -= v * knot
			l.slope[b] += v
		}
	}
	for b := range l.base {
		l.base[b] += offset
	}
	return l, true
}

// add adds the line to the margins of the rows from the given one on.
func (c *column) add(margin []float64, from int, l line) {
	var base, slope [maxBuckets]float64 // arrays: a byte never leaves them, so that no bound is checked
	copy(base[:], l.base)
	copy(slope[:], l.slope)
	bucket := c.bucket[from : from+len(margin)]
	if c.t == nil {
		for i, k := range bucket {
			margin[i] += base[k]
		}
		return
	}
	t := c.t[from : from+len(margin)]
	for i, k := range bucket {
		margin[i] += base[k] + slope[k]*float64(t[i])
	}
}

// sums are Σ r and Σ r·t of the rows of each bucket.
type sums struct{ r, t []float64 }

// sum adds the rows from the given one on, r per row, to the sums.
func (c *column) sum(s sums, r []float64, from int) {
	var sum, moment [maxBuckets]float64
	bucket := c.bucket[from : from+len(r)]
	if c.t == nil {
		for i, k := range bucket {
			sum[k] += r[i]
		}
	} else {
		t := c.t[from : from+len(r)]
		for i, k := range bucket {
			sum[k] += r[i]
			moment[k] += r[i] * float64(t[i])
		}
		for k := range s.t {
			s.t[k] += moment[k]
		}
	}
	for k := range s.r {
		s.r[k] += sum[k]
	}
}

// gradient writes Σ r·term of the column's terms into g, which is that of all terms.
func (c *column) gradient(g []float64, terms []term, s sums) {
	all := 0.0
	for _, r := range s.r {
		all += r
	}
	for k := c.first; k < c.last; k++ {
		f := &terms[k]
		v := 0.0
		if f.indicator {
			v = s.r[f.bucket]
		} else {
			knot := f.knot - c.lo
			lines := c.buckets
			if c.gaps {
				lines--
				v = max(c.fill-knot, 0) * s.r[lines]
			}
			for b := int(f.bucket); b < lines; b++ {
				v += s.t[b] - knot*s.r[b]
			}
		}
		g[k] = (v - f.centre*all) / f.spread
	}
}

// ascending is the values in rising order; NaN is not among them. It sorts by digits of their bits (radix), several times faster than comparing.
func ascending(values []float32) []float32 {
	const digit, digits = 11, 3
	from, to := make([]uint32, len(values)), make([]uint32, len(values))
	for i, v := range values {
		// Flipped so, the bits of floats have the order of the floats.
		b := math.Float32bits(v)
		from[i] = b ^ (uint32(int32(b)>>31) | 1<<31)
	}
	for d := range digits {
		var place [1 << digit]int
		for _, b := range from {
			place[b>>(d*digit)&(1<<digit-1)]++
		}
		at := 0
		for k, n := range place {
			place[k] = at
			at += n
		}
		for _, b := range from {
			k := b >> (d * digit) & (1<<digit - 1)
			to[place[k]] = b
			place[k]++
		}
		from, to = to, from
	}
	out := make([]float32, len(values))
	for i, b := range from {
		out[i] = math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))
	}
	return out
}
