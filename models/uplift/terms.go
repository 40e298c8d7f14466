package uplift

import (
	"math"

	"retain/features"
	"retain/models/internal/wire"
)

// term is one column z of the last regression: a numeric feature, on the scale sign(v)·log1p(|v|) where it is skewed, clamped to the training range and
// put to mean 0 and standard deviation 1, missing values at the mean; or the indicator of a level, or of a missing value.
type term struct {
	feature        int
	kind           termKind
	level          int     // of kind level
	log            bool    // of kind value
	lo, hi         float64 // of kind value: training range, on the scale
	centre, spread float64
}

type termKind uint8

const (
	ofValue termKind = iota
	ofMissing
	ofLevel
)

// skewed is the least |skewness| for which a column is put on the log scale. An exponential distribution has 2.
const skewed = 1

// leastSpread is the standard deviation below which a column tells nothing.
const leastSpread = 1e-6

// termsOf chooses the terms for the rows of x.
func termsOf(x *features.Matrix) []term {
	var out []term
	keep := func(t term, column []float32) {
		t.centre, t.spread = 0, 1
		mean, square, n := 0., 0., 0.
		for _, v := range column {
			if z := t.at(v); z == z {
				mean, square, n = mean+z, square+z*z, n+1
			}
		}
		mean /= max(n, 1)
		if sd := math.Sqrt(square/max(n, 1) - mean*mean); sd > leastSpread {
			t.centre, t.spread = mean, sd
			out = append(out, t)
		}
	}
	for j, column := range x.X {
		if x.Schema[j].Kind == features.Categorical {
			for l := range x.Schema[j].Levels {
				keep(term{feature: j, kind: ofLevel, level: l}, column)
			}
		} else {
			keep(valueTerm(j, column), column)
		}
		keep(term{feature: j, kind: ofMissing}, column)
	}
	return out
}

// valueTerm chooses the scale of a numeric column.
func valueTerm(j int, column []float32) term {
	t := term{feature: j, spread: 1, lo: math.Inf(-1), hi: math.Inf(1)}
	var n, s1, s2, s3 float64
	for _, v := range column {
		if f := float64(v); f == f {
			n, s1 = n+1, s1+f
		}
	}
	mean := s1 / max(n, 1)
	for _, v := range column {
		if f := float64(v) - mean; f == f {
			s2, s3 = s2+f*f, s3+f*f*f
		}
	}
	t.log = n > 0 && s2 > 0 && math.Abs(s3/n) > skewed*math.Pow(s2/n, 1.5)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range column {
		if z := t.at(v); z == z {
			lo, hi = min(lo, z), max(hi, z)
		}
	}
	if n == 0 {
		lo, hi = 0, 0
	}
	t.lo, t.hi = lo, hi
	return t
}

// at is the term before it is centred: NaN for a numeric value that is missing.
func (t *term) at(v float32) float64 {
	switch t.kind {
	case ofMissing:
		return indicator(v != v)
	case ofLevel:
		return indicator(v == float32(t.level))
	case ofValue:
	}
	z := float64(v)
	if t.log {
		z = math.Copysign(math.Log1p(math.Abs(z)), z)
	}
	return min(max(z, t.lo), t.hi) // NaN stays
}

// standard is the term as it enters.
func (t *term) standard(v float32) float64 {
	z := t.at(v)
	if z != z {
		return 0
	}
	return (z - t.centre) / t.spread
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (t *term) write(w *wire.Writer) {
	w.Uint(uint64(t.feature))
	w.Uint(uint64(t.kind))
	w.Uint(uint64(t.level))
	w.Uint(uint64(indicator(t.log)))
	w.Float(t.lo)
	w.Float(t.hi)
	w.Float(t.centre)
	w.Float(t.spread)
}

const termBytes = 8 * 8

// readTerm reads a term of a model with p features; ok is false if it is none.
func readTerm(r *wire.Reader, p int) (t term, ok bool) {
	feature, kind, level, log := r.Uint(), r.Uint(), r.Uint(), r.Uint()
	t = term{lo: r.Float(), hi: r.Float(), centre: r.Finite(), spread: r.Finite(), log: log == 1}
	if feature >= uint64(p) || kind > uint64(ofLevel) || level > math.MaxInt16 || log > 1 || !(t.spread > 0) || math.IsNaN(t.lo) || math.IsNaN(t.hi) {
		return t, false
	}
	t.feature, t.kind, t.level = int(feature), termKind(kind), int(level)
	return t, true
}
