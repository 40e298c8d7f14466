package serving

import (
	"math"
	"slices"
	"sort"
	"time"

	"retain/models"
)

// snapshot is one run in memory, immutable: about 250 bytes a customer with six reasons, and no pointer for each.
// Strings lie end to end in two arenas; what repeats (texts, statuses, features) is held once.
type snapshot struct {
	run      models.Run
	rows     []row // ascending by the bytes of the id
	ids      string
	cells    []cell // reasons, each row's in a stretch
	kinds    []reasonKind
	texts    string
	textEnds []uint32 // text k is texts[textEnds[k-1]:textEnds[k]]
	words    []string
	headers  []header
	changes  map[uint32][]models.Change // by row; nil or absent where a score has none

	decided *decided // nil: the run has no decisions

	byLoss        []uint32 // scored rows: loss falling, unknown last, then margin falling, then id
	byProbability []uint32 // scored rows: probability falling, unknown last, then margin falling, then id
	bands         []bandTotal
}

// row is a score but for its reasons. NaN is null, as are word 0, percentile 0 and loyalty -1.
type row struct {
	probability, margin, value, loss float64
	repeat, promotes                 float64 // the parts of loyalty
	idAt, cellAt, header             uint32
	status, code, stage, band        uint16
	idLen                            uint16
	percentile                       uint8
	loyalty                          int8
	cells                            uint8
}

// cell is a reason but for what it shares with others of its kind.
type cell struct {
	value, contribution float64
	kind, text          uint32
}

// reasonKind is what the reasons of one feature share.
type reasonKind struct {
	feature, direction string
	reference          float64
	actionable         bool
}

// header is what all scores of a run share.
type header struct {
	model            models.ModelRef
	horizonDays      int
	cutoff, scoredAt time.Time
	hindsight        bool
}

// bandTotal sums up one band of a run.
type bandTotal struct {
	Band      string  // high, medium or low
	Customers int     // status scored
	Loss      float64 // sum of the known expected losses, in the currency of the sources
	Known     int     // customers whose expected loss is known
}

// find returns the row of a customer.
func (s *snapshot) find(id string) (uint32, bool) {
	i, ok := sort.Find(len(s.rows), func(i int) int {
		switch other := s.id(uint32(i)); {
		case id < other:
			return -1
		case id > other:
			return 1
		}
		return 0
	})
	return uint32(i), ok
}

// prefixed returns the rows, at most limit, whose id begins with prefix.
func (s *snapshot) prefixed(prefix string, limit int) []uint32 {
	from := sort.Search(len(s.rows), func(i int) bool { return s.id(uint32(i)) >= prefix })
	var found []uint32
	for i := from; i < len(s.rows) && len(found) < limit; i++ {
		if id := s.id(uint32(i)); len(id) < len(prefix) || id[:len(prefix)] != prefix {
			break
		}
		found = append(found, uint32(i))
	}
	return found
}

func (s *snapshot) id(i uint32) string {
	r := &s.rows[i]
	return s.ids[r.idAt : r.idAt+uint32(r.idLen)]
}

// score returns the score object of row i as it is at now.
func (s *snapshot) score(i uint32, now time.Time) models.Score {
	r := &s.rows[i]
	h := &s.headers[r.header]
	out := models.Score{
		CustomerID:       s.id(i),
		Status:           s.words[r.status],
		StatusCode:       s.word(r.code),
		ChurnProbability: figure(r.probability),
		Band:             s.word(r.band),
		Margin:           figure(r.margin),
		HorizonDays:      h.horizonDays,
		Cutoff:           h.cutoff,
		ScoredAt:         h.scoredAt,
		Model:            h.model,
		Stage:            s.word(r.stage),
		ExpectedValue:    figure(r.value),
		ExpectedLoss:     figure(r.loss),
		PRepeat:          figure(r.repeat),
		PPromotes:        figure(r.promotes),
		Reasons:          make([]models.Reason, r.cells),
		Changes:          s.changes[i],
		DataAgeS:         int64(now.Sub(h.cutoff) / time.Second),
		Hindsight:        h.hindsight,
	}
	if r.percentile > 0 {
		p := int(r.percentile)
		out.Percentile = &p
	}
	if r.loyalty >= 0 {
		l := int(r.loyalty)
		out.LoyaltyScore = &l
	}
	for k, c := range s.cells[r.cellAt : r.cellAt+uint32(r.cells)] {
		kind := &s.kinds[c.kind]
		out.Reasons[k] = models.Reason{
			Feature:      kind.feature,
			Text:         s.text(c.text),
			Value:        figure(c.value),
			Reference:    figure(kind.reference),
			Contribution: c.contribution,
			Direction:    kind.direction,
			Actionable:   kind.actionable,
		}
	}
	return out
}

func (s *snapshot) text(k uint32) string {
	from := uint32(0)
	if k > 0 {
		from = s.textEnds[k-1]
	}
	return s.texts[from:s.textEnds[k]]
}

// word returns an interned word; word 0 is null.
func (s *snapshot) word(k uint16) *string {
	if k == 0 {
		return nil
	}
	return &s.words[k]
}

// figure returns nil for NaN.
func figure(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// order builds what lists need, once all rows stand in id order.
func (s *snapshot) order() {
	scored := make([]uint32, 0, s.run.Scored)
	for i := range s.rows {
		if s.words[s.rows[i].status] == models.StatusScored {
			scored = append(scored, uint32(i))
		}
	}
	s.byLoss = s.sorted(scored, func(r *row) float64 { return r.loss })
	s.byProbability = s.sorted(scored, func(r *row) float64 { return r.probability })
	for _, band := range Bands {
		total := bandTotal{Band: band}
		for _, i := range s.byLoss { // in list order, so that the sum has the same bits whenever it is made
			r := &s.rows[i]
			if s.words[r.band] != band {
				continue
			}
			total.Customers++
			if !math.IsNaN(r.loss) {
				total.Known++
				total.Loss += r.loss
			}
		}
		s.bands = append(s.bands, total)
	}
}

// sorted returns the rows by the figure falling with NaN last, then margin falling with NaN last, then id.
func (s *snapshot) sorted(scored []uint32, of func(*row) float64) []uint32 {
	out := slices.Clone(scored)
	slices.SortFunc(out, func(a, b uint32) int {
		ra, rb := &s.rows[a], &s.rows[b]
		if c := falling(of(ra), of(rb)); c != 0 {
			return c
		}
		if c := falling(ra.margin, rb.margin); c != 0 {
			return c
		}
		return int(a) - int(b) // rows stand in id order
	})
	return out
}

// falling compares for descending order with NaN last.
func falling(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	case math.IsNaN(a) && !math.IsNaN(b):
		return 1
	case !math.IsNaN(a) && math.IsNaN(b):
		return -1
	}
	return 0
}
