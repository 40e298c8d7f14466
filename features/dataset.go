package features

import "time"

// Dataset is what a trainer learns from: n rows, one per customer and cutoff.
type Dataset struct {
	X        *Matrix     // n×p
	Y        []float64   // n labels: 1 = churned within the horizon, 0 = stayed; rows with a missing label are left out
	Weight   []float64   // n row weights > 0; nil = every row weighs 1
	Customer []string    // n customer ids; the grouping of folds, calibration and bootstrap
	Cutoff   []time.Time // n cutoffs, UTC; nil for flat tables
}

// Rows is n.
func (d *Dataset) Rows() int { return len(d.Y) }

// Take returns the rows of the given indices, in their order, as a new Dataset.
func (d *Dataset) Take(rows []int) *Dataset {
	out := &Dataset{X: d.X.Take(rows), Y: pick(d.Y, rows), Weight: pick(d.Weight, rows), Customer: pick(d.Customer, rows), Cutoff: pick(d.Cutoff, rows)}
	return out
}

func pick[T any](s []T, rows []int) []T {
	if s == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = s[i]
	}
	return out
}

// Snapshot is all eligible customers with their vectors at one cutoff, in the order of customer_id.
type Snapshot struct {
	Cutoff   time.Time
	Customer []string
	X        *Matrix
}
