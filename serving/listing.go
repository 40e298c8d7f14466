package serving

import (
	"slices"

	"retain/models"
)

// Bands are the bands of a score, riskiest first.
var Bands = []string{"high", "medium", "low"}

// Orders of a list. Both break ties by margin falling, then id.
const (
	SortLoss        = "expected_loss"
	SortProbability = "churn_probability"
)

// listing is what a caller asks of the at-risk list.
type listing struct {
	Sort     string   // SortLoss or SortProbability
	Band     string   // one of Bands; "" all
	Stage    string   // of the lifecycle; "" all
	Action   string   // that was chosen as the next; "" all
	MinValue *float64 // smallest expected_value, inclusive; nil all, and customers without a value only then
}

// filter is a listing's condition with the band looked up, so that a row is checked without touching words.
type filter struct {
	band    uint16 // 0: any
	stage   uint16 // 0: any
	least   float64
	valued  bool // least counts
	nothing bool // no row has the band, stage or action

	chosen  uint16       // word of decided
	decided []decidedRow // as the rows; nil: any action
}

func (l listing) filter(s *snapshot) filter {
	f := filter{valued: l.MinValue != nil}
	if f.valued {
		f.least = *l.MinValue
	}
	if l.Band != "" {
		k := slices.Index(s.words, l.Band)
		f.band, f.nothing = uint16(max(k, 0)), k < 0
	}
	if l.Stage != "" {
		k := slices.Index(s.words, l.Stage)
		f.stage, f.nothing = uint16(max(k, 0)), f.nothing || k < 0
	}
	if l.Action != "" {
		k := -1
		if s.decided != nil {
			k, f.decided = slices.Index(s.decided.words, l.Action), s.decided.rows
		}
		f.chosen, f.nothing = uint16(max(k, 0)), f.nothing || k < 0
	}
	return f
}

// matches says whether row r, the one at place i, belongs to the list.
func (f filter) matches(i uint32, r *row) bool {
	if !f.nothing && f.decided != nil && f.decided[i].chosen != f.chosen {
		return false
	}
	if f.nothing || f.band != 0 && r.band != f.band || f.stage != 0 && r.stage != f.stage {
		return false
	}
	return !f.valued || r.value >= f.least // NaN is no value and never matches
}

// all says that nothing is filtered.
func (l listing) all() bool {
	return l.Band == "" && l.Stage == "" && l.Action == "" && l.MinValue == nil
}

func (l listing) order(s *snapshot) []uint32 {
	if l.Sort == SortProbability {
		return s.byProbability
	}
	return s.byLoss
}

// page returns at most limit rows of the list from place `from` in its order, and the place where the next page begins; -1 is the end.
func (s *snapshot) page(l listing, from, limit int) (rows []uint32, next int) {
	order, f := l.order(s), l.filter(s)
	rows = make([]uint32, 0, min(limit, max(len(order)-from, 0)))
	for k := from; k < len(order); k++ {
		if !f.matches(order[k], &s.rows[order[k]]) {
			continue
		}
		if len(rows) == limit {
			return rows, k
		}
		rows = append(rows, order[k])
	}
	return rows, -1
}

// total counts the customers of the list on all its pages.
func (s *snapshot) total(l listing) int {
	if l.all() || len(s.byLoss) == 0 {
		return len(s.byLoss)
	}
	f := l.filter(s)
	scored := uint16(slices.Index(s.words, models.StatusScored))
	n := 0
	for k := range s.rows { // in the order of memory, which is much faster than in that of the list
		if r := &s.rows[k]; r.status == scored && f.matches(uint32(k), r) {
			n++
		}
	}
	return n
}
