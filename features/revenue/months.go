package revenue

import (
	"slices"
	"time"
)

// maxMonths bounds a table to two hundred years; more means a wrong year in the rows.
const maxMonths = 2400

// Months are the firsts of the months from the one that holds from to the last that is not after until, 00:00 UTC: the bounds of the
// complete months between. Fewer than two mean that no month is complete.
func Months(from, until time.Time) []time.Time {
	from = from.UTC()
	var bounds []time.Time
	for t := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); !t.After(until) && len(bounds) < maxMonths; t = t.AddDate(0, 1, 0) {
		bounds = append(bounds, t)
	}
	return bounds
}

// place is the number of bounds, in milliseconds, that do not lie after ms.
func place(bounds []int64, ms int64) int {
	n, _ := slices.BinarySearch(bounds, ms+1)
	return n
}

func inMilliseconds(bounds []time.Time) []int64 {
	out := make([]int64, len(bounds))
	for i, t := range bounds {
		out[i] = t.UnixMilli()
	}
	return out
}
