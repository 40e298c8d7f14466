package training

import (
	"math"
	"slices"
	"time"

	"retain/features"
)

// keptFits is how many training sets' fits an arena keeps: those of the newest origin, and of the champion's columns on it.
const keptFits = 2

// shared is what came of a training set. Months are of unequal length, so that two test cutoffs a month apart may learn from the very same
// rows, and the same rows give the same fits.
type shared struct {
	d        *features.Dataset // encoded
	families []string
	fitted   []*Fitted
	failures []Failure
}

func familyNames(families []Family) []string {
	out := make([]string, len(families))
	for k, f := range families {
		out[k] = f.Name
	}
	return out
}

// of returns the fits of the families on d if they are among these. No time was spent on them.
func (s *shared) of(d *features.Dataset, families []Family) (fitted []*Fitted, failures []Failure, ok bool) {
	asked := familyNames(families)
	if slices.ContainsFunc(asked, func(name string) bool { return !slices.Contains(s.families, name) }) || !equalRows(s.d, d) {
		return nil, nil, false
	}
	for _, f := range s.fitted {
		if slices.Contains(asked, f.Family) {
			one := *f
			one.FitSeconds = 0
			fitted = append(fitted, &one)
		}
	}
	for _, f := range s.failures {
		if slices.Contains(asked, f.Family) {
			failures = append(failures, f)
		}
	}
	return fitted, failures, true
}

// equalRows says whether two data sets hold the same rows, bit for bit, in the same order.
func equalRows(a, b *features.Dataset) bool {
	same := a.Rows() == b.Rows() && a.X.Cols() == b.X.Cols() && a.X.Schema.Fingerprint() == b.X.Schema.Fingerprint() &&
		slices.Equal(a.Y, b.Y) && slices.Equal(a.Weight, b.Weight) && slices.Equal(a.Customer, b.Customer) && slices.EqualFunc(a.Cutoff, b.Cutoff, time.Time.Equal)
	for j := 0; same && j < a.X.Cols(); j++ {
		same = slices.EqualFunc(a.X.X[j], b.X.X[j], func(v, w float32) bool { return math.Float32bits(v) == math.Float32bits(w) })
	}
	return same
}
