package training

import (
	"fmt"
	"slices"

	"retain/features"
)

// Separation is how well one column tells the label all by itself, as the leak linter measures it.
type Separation struct {
	Feature string
	AUC     float64 // max(AUC, 1-AUC) of its values, missing ones at the end that separates better; ½ = not at all
	Missing float64 // that of whether it is missing
}

// Leaks reports whether the better of the two is above .97, which stops a training.
func (s Separation) Leaks() bool { return max(s.AUC, s.Missing) > leakAUC }

// Suspicious reports whether the better of the two is more than .08 above the recency rule's AUC.
func (s Separation) Suspicious(recency float64) bool {
	return max(s.AUC, s.Missing) > recency+leakMargin
}

// Separations measures each column of a raw data set, in the order of the columns; seed draws the folds of categorical ones. With one class
// only it is an error.
func Separations(d *features.Dataset, seed uint64) ([]Separation, error) {
	if rarer(d.Y) == 0 {
		return nil, fmt.Errorf("separations of %d rows: all have the same label", d.Rows())
	}
	cutoffs, fold := rowsByCutoff(d), CustomerFolds(d.Customer, innerFolds, seed)
	out := make([]Separation, d.X.Cols())
	for j, c := range d.X.Schema {
		value, gap := separation(d, cutoffs, fold, j)
		out[j] = Separation{Feature: c.Name, AUC: value, Missing: gap}
	}
	return out, nil
}

// RecencyAUC is the AUC of the recency rule's column among the separations; false if there is none.
func RecencyAUC(s []Separation, d *features.Dataset, c features.ChurnSpec) (float64, bool) {
	name := rawRecencyColumn(d.X, c)
	k := slices.IndexFunc(s, func(s Separation) bool { return s.Feature == name })
	if k < 0 {
		return 0, false
	}
	return s[k].AUC, true
}
