package survival

import (
	"slices"
	"sort"
)

// riskSets counts who is at risk when.
type riskSets struct {
	entries, exits, left []float64 // each sorted; left are the exits of those who left
}

func newRiskSets(lives []Life) riskSets {
	r := riskSets{entries: make([]float64, len(lives)), exits: make([]float64, len(lives))}
	for i, l := range lives {
		r.entries[i], r.exits[i] = l.Entry, l.Exit
		if l.Left {
			r.left = append(r.left, l.Exit)
		}
	}
	slices.Sort(r.entries)
	slices.Sort(r.exits)
	slices.Sort(r.left)
	return r
}

// below counts the values of a sorted list that lie below t.
func below(sorted []float64, t float64) int {
	i, _ := slices.BinarySearch(sorted, t)
	return i
}

// notAbove counts those that do not lie above t.
func notAbove(sorted []float64, t float64) int {
	return sort.Search(len(sorted), func(i int) bool { return sorted[i] > t })
}

// at counts entry < t ≤ exit.
func (r riskSets) at(t float64) int { return below(r.entries, t) - below(r.exits, t) }

// after counts entry ≤ t < exit: those at risk just after t.
func (r riskSets) after(t float64) int { return notAbove(r.entries, t) - notAbove(r.exits, t) }

// first is the least tenure just after which so many are at risk.
func (r riskSets) first(least int) (from float64, ok bool) {
	for i, e := range r.entries {
		if i+1 < len(r.entries) && r.entries[i+1] == e {
			continue
		}
		if r.after(e) >= least {
			return e, true
		}
	}
	return 0, false
}

// gap is the first exit after from just after which nobody is at risk.
func (r riskSets) gap(from float64) float64 {
	for i := notAbove(r.exits, from); i < len(r.exits); i++ {
		if i+1 < len(r.exits) && r.exits[i+1] == r.exits[i] {
			continue
		}
		if r.after(r.exits[i]) == 0 {
			return r.exits[i]
		}
	}
	return from
}
