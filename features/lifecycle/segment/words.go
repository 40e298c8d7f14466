package segment

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Bounds of what is told of a group.
const (
	toldMarks = 3
	apart     = .5 // standard deviations from which on a feature sets a group apart
)

// marks are the features of a centre that lie apart from all customers, whose mean is 0 on every axis.
func (f *Found) marks(centre []float64) []Mark {
	marks := []Mark{}
	for k := range f.Axes {
		if a := &f.Axes[k]; math.Abs(centre[k]) >= apart {
			marks = append(marks, Mark{a.Feature, a.value(centre[k]), a.value(0), centre[k]})
		}
	}
	slices.SortStableFunc(marks, func(a, b Mark) int { return cmp.Compare(math.Abs(b.Apart), math.Abs(a.Apart)) })
	return marks
}

// words tell a group by its strongest marks, in the words of their features.
func words(marks []Mark, say func(Mark) string) string {
	if len(marks) == 0 {
		return "about like everyone"
	}
	var told []string
	for _, m := range marks[:min(toldMarks, len(marks))] {
		told = append(told, say(m))
	}
	return strings.Join(told, "; ")
}
