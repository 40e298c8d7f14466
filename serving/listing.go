package serving

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
	MinValue *float64 // smallest expected_value, inclusive; nil all, and customers without a value only then
}

// matches says whether row r belongs to the list.
func (l listing) matches(s *snapshot, r *row) bool {
	if l.Band != "" && s.words[r.band] != l.Band {
		return false
	}
	return l.MinValue == nil || r.value >= *l.MinValue // NaN is no value and never matches
}

// all says that nothing is filtered.
func (l listing) all() bool { return l.Band == "" && l.MinValue == nil }

func (l listing) order(s *snapshot) []uint32 {
	if l.Sort == SortProbability {
		return s.byProbability
	}
	return s.byLoss
}

// page returns at most limit rows of the list from place `from` in its order, and the place where the next page begins; -1 is the end.
func (s *snapshot) page(l listing, from, limit int) (rows []uint32, next int) {
	order := l.order(s)
	rows = make([]uint32, 0, min(limit, max(len(order)-from, 0)))
	for k := from; k < len(order); k++ {
		if !l.matches(s, &s.rows[order[k]]) {
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
	if l.all() {
		return len(s.byLoss)
	}
	n := 0
	for _, i := range s.byLoss {
		if l.matches(s, &s.rows[i]) {
			n++
		}
	}
	return n
}
