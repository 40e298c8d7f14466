package metrics

import (
	"encoding/json"
	"math"
)

// Figure is a metric's value; NaN means undefined (for instance an AUC with one class only) and is null in JSON.
type Figure float64

// Defined says whether f is a number, and so not null in JSON.
func (f Figure) Defined() bool { return !math.IsNaN(float64(f)) && !math.IsInf(float64(f), 0) }

// MarshalJSON writes null for NaN and the infinities.
func (f Figure) MarshalJSON() ([]byte, error) {
	if !f.Defined() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON reads null as NaN.
func (f *Figure) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Figure(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// Interval is [low, high], two-sided at 95 %; both NaN where it is undefined.
type Interval = [2]Figure
