package models

import (
	"encoding/json"
	"math"
	"slices"

	"retain/features"
)

// Figures are numbers that JSON shows as null where they are NaN.
type Figures []float64

// MarshalJSON writes NaN as null. Errors: an infinity.
func (f Figures) MarshalJSON() ([]byte, error) {
	values := make([]*float64, len(f))
	for i, v := range f {
		values[i] = defined(v)
	}
	return json.Marshal(values)
}

// UnmarshalJSON reads null as NaN.
func (f *Figures) UnmarshalJSON(b []byte) error {
	var values []*float64
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	*f = make(Figures, len(values))
	for i, v := range values {
		(*f)[i] = math.NaN()
		if v != nil {
			(*f)[i] = *v
		}
	}
	return nil
}

// Medians are the references of reasons: per column the median of the values that are there, the mean of the middle two if their
// number is even; NaN for categorical and all-missing columns.
func Medians(x *features.Matrix) []float64 {
	out := make([]float64, x.Cols())
	var present []float32
	for j, column := range x.X {
		out[j] = math.NaN()
		if x.Schema[j].Kind == features.Categorical {
			continue
		}
		present = present[:0]
		for _, v := range column {
			if v == v {
				present = append(present, v)
			}
		}
		if n := len(present); n > 0 {
			slices.Sort(present)
			out[j] = (float64(present[(n-1)/2]) + float64(present[n/2])) / 2
		}
	}
	return out
}
