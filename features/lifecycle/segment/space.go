package segment

import (
	"math"
	"slices"

	"retain/features"
)

// Axis is a feature as groups see it: its value (missing: Fill), its logarithm where it is skewed, less the mean, by the standard deviation.
type Axis struct {
	Feature string  `json:"feature"`
	Log     bool    `json:"log,omitempty"` // sign(v)·log(1+|v|)
	Fill    float64 `json:"fill"`          // median of those known, of the value as it is
	Mean    float64 `json:"mean"`          // of what Log leaves
	SD      float64 `json:"sd"`            // above 0
}

// farthest bounds a coordinate, in standard deviations: one customer must not be a group by itself.
const farthest = 4

// skewed values are told by their logarithm from this skewness on.
const skewed = 1.5

// newAxes fits an axis to each numeric column that tells customers apart; rows are those of the sample.
func newAxes(x *features.Matrix, rows []int) (axes []Axis, columns []int) {
	for j, c := range x.Schema {
		if c.Kind != features.Numeric {
			continue
		}
		var known []float64
		for _, i := range rows {
			if v := float64(x.X[j][i]); v == v {
				known = append(known, v)
			}
		}
		if 2*len(known) < len(rows) || len(known) == 0 { // mostly unknown: groups would be of who is known
			continue
		}
		slices.Sort(known)
		if known[0] == known[len(known)-1] {
			continue
		}
		a := Axis{Feature: c.Name, Fill: known[len(known)/2]}
		_, _, skew := moments(a, known)
		a.Log = math.Abs(skew) > skewed
		a.Mean, a.SD, _ = moments(a, append(known, slices.Repeat([]float64{a.Fill}, len(rows)-len(known))...))
		axes, columns = append(axes, a), append(columns, j)
	}
	return axes, columns
}

// moments are the mean, standard deviation and skewness of values on an axis, before it is standardised.
func moments(a Axis, values []float64) (mean, sd, skew float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += a.bend(v) / n
	}
	var m2, m3 float64
	for _, v := range values {
		d := a.bend(v) - mean
		m2 += d * d / n
		m3 += d * d * d / n
	}
	if sd = math.Sqrt(m2); sd > 0 {
		skew = m3 / (sd * sd * sd)
	}
	return mean, sd, skew
}

func (a *Axis) bend(v float64) float64 {
	if !a.Log {
		return v
	}
	return math.Copysign(math.Log1p(math.Abs(v)), v)
}

// at is the coordinate of a value.
func (a *Axis) at(v float32) float64 {
	w := float64(v)
	if w != w {
		w = a.Fill
	}
	return max(-farthest, min(farthest, (a.bend(w)-a.Mean)/a.SD))
}

// value is what a coordinate stands for.
func (a *Axis) value(at float64) float64 {
	v := at*a.SD + a.Mean
	if a.Log {
		v = math.Copysign(math.Expm1(math.Abs(v)), v)
	}
	return v
}

// place writes the point of a row.
func place(to []float64, axes []Axis, columns []int, x *features.Matrix, row int) {
	for k := range axes {
		to[k] = axes[k].at(x.X[columns[k]][row])
	}
}
