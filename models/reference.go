package models

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Histogram is how the values of a column were spread. Bin b counts Cuts[b-1] < x ≤ Cuts[b], the last but one what lies beyond the last cut, the last one missing
// values. The bins of a categorical column are its levels.
type Histogram struct {
	Cuts   []float64 `json:"cuts"`   // rising
	Counts []uint64  `json:"counts"` // len(Cuts)+2 of them
}

// Reference is what the rows of the newest training cutoff looked like. Drift is measured against it.
type Reference struct {
	Cutoff     time.Time   `json:"cutoff"` // UTC
	Rows       int         `json:"rows"`
	Features   []Histogram `json:"features"`   // per column of Schema
	Margin     *Histogram  `json:"margin"`     // of margins by models that had not seen the customer; null where none of the rows was cross-fitted
	Importance Figures     `json:"importance"` // per column of Schema: mean absolute contribution to the margin; null where the model has no reasons
}

func (r *Reference) validate(columns int) error {
	if len(r.Features) != columns || len(r.Importance) != columns {
		return fmt.Errorf("reference of %d columns, with %d importances, for %d features", len(r.Features), len(r.Importance), columns)
	}
	for _, h := range r.Features {
		if err := h.validate(); err != nil {
			return err
		}
	}
	if r.Margin != nil {
		return r.Margin.validate()
	}
	return nil
}

func (h Histogram) validate() error {
	if len(h.Counts) != len(h.Cuts)+2 {
		return fmt.Errorf("reference of %d bins between %d cuts", len(h.Counts), len(h.Cuts))
	}
	for b, c := range h.Cuts {
		if math.IsNaN(c) || math.IsInf(c, 0) || b > 0 && c <= h.Cuts[b-1] {
			return errors.New("the cuts of a reference do not rise")
		}
	}
	return nil
}
