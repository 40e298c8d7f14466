package uplift

import (
	"errors"
	"fmt"
)

// ErrNoBaseline says that a learner or a model wants to know what would become of each row if it were left alone, and was not told.
var ErrNoBaseline = errors.New("uplift: no baseline for the rows")

func checkBaseline(baseline []float64, n int) error {
	if len(baseline) != n {
		return fmt.Errorf("%w: %d for %d rows", ErrNoBaseline, len(baseline), n)
	}
	for i, b := range baseline {
		if !(b >= 0 && b <= 1) {
			return fmt.Errorf("uplift: the baseline %v of row %d is no probability", b, i)
		}
	}
	return nil
}
