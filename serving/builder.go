package serving

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"retain/models"
)

const (
	maxIDBytes   = 256     // design.md §2
	maxTextBytes = 4096    // of one reason; longer is a mistake upstream
	maxInterned  = 1 << 20 // texts looked up for sharing: beyond it they are stored again, so that building stays small
)

// builder packs the scores of a run as they stream in. Its errors name the ordinal of the score, never the customer.
type builder struct {
	s     *snapshot
	ids   strings.Builder
	texts strings.Builder

	kindOf   map[reasonKindKey]uint32
	textOf   map[string]uint32
	wordOf   map[string]uint16
	headerOf map[header]uint32
	changes  map[string][]models.Change // by id, until rows have their place
}

// reasonKindKey has the bits of the reference, because NaN is never equal to itself.
type reasonKindKey struct {
	feature, direction string
	reference          uint64
	actionable         bool
}

func newBuilder(run models.Run) *builder {
	b := &builder{
		s:        &snapshot{run: run, words: []string{""}},
		kindOf:   map[reasonKindKey]uint32{},
		textOf:   map[string]uint32{},
		wordOf:   map[string]uint16{"": 0},
		headerOf: map[header]uint32{},
		changes:  map[string][]models.Change{},
	}
	b.s.rows = make([]row, 0, max(run.Customers, 0))
	return b
}

// add packs one score. Errors: an empty or overlong id, an infinite figure, a figure out of its range, a run too large to index.
func (b *builder) add(score *models.Score) error {
	r, err := b.row(score)
	if err != nil {
		return fmt.Errorf("score %d of the run: %w", len(b.s.rows)+1, err)
	}
	b.s.rows = append(b.s.rows, r)
	if len(score.Changes) > 0 {
		b.changes[score.CustomerID] = score.Changes
	}
	return nil
}

func (b *builder) row(score *models.Score) (row, error) {
	if n := len(score.CustomerID); n == 0 || n > maxIDBytes {
		return row{}, fmt.Errorf("customer_id has %d bytes, want 1 to %d", n, maxIDBytes)
	}
	if score.Status == "" {
		return row{}, errors.New("status is empty")
	}
	if len(score.Reasons) > math.MaxUint8 {
		return row{}, fmt.Errorf("%d reasons, want at most %d", len(score.Reasons), math.MaxUint8)
	}
	if b.ids.Len()+len(score.CustomerID) > math.MaxUint32 || len(b.s.cells)+len(score.Reasons) > math.MaxUint32 {
		return row{}, errors.New("the run is too large for one process")
	}
	r := row{
		idAt:    uint32(b.ids.Len()),
		idLen:   uint16(len(score.CustomerID)),
		cellAt:  uint32(len(b.s.cells)),
		cells:   uint8(len(score.Reasons)),
		header:  b.header(score),
		loyalty: -1,
	}
	b.ids.WriteString(score.CustomerID)
	var err error
	for _, f := range []struct {
		to   *float64
		from *float64
		name string
	}{
		{&r.probability, score.ChurnProbability, "churn_probability"},
		{&r.margin, score.Margin, "margin"},
		{&r.value, score.ExpectedValue, "expected_value"},
		{&r.loss, score.ExpectedLoss, "expected_loss"},
		{&r.repeat, score.PRepeat, "p_repeat"},
		{&r.promotes, score.PPromotes, "p_promotes"},
	} {
		if *f.to, err = finite(f.from, f.name); err != nil {
			return row{}, err
		}
	}
	for _, w := range []struct {
		to   *uint16
		from *string
	}{{&r.status, &score.Status}, {&r.code, score.StatusCode}, {&r.stage, score.Stage}, {&r.band, score.Band}} {
		if *w.to, err = b.word(w.from); err != nil {
			return row{}, err
		}
	}
	if p := score.Percentile; p != nil {
		if *p < 1 || *p > 100 {
			return row{}, fmt.Errorf("percentile is %d, want 1 to 100", *p)
		}
		r.percentile = uint8(*p)
	}
	if l := score.LoyaltyScore; l != nil {
		if *l < 0 || *l > 100 {
			return row{}, fmt.Errorf("loyalty_score is %d, want 0 to 100", *l)
		}
		r.loyalty = int8(*l)
	}
	for k := range score.Reasons {
		c, err := b.cell(&score.Reasons[k])
		if err != nil {
			return row{}, fmt.Errorf("reason %d: %w", k+1, err)
		}
		b.s.cells = append(b.s.cells, c)
	}
	return r, nil
}

func (b *builder) cell(reason *models.Reason) (cell, error) {
	value, err := finite(reason.Value, "value")
	if err != nil {
		return cell{}, err
	}
	reference, err := finite(reason.Reference, "reference")
	if err != nil {
		return cell{}, err
	}
	if math.IsNaN(reason.Contribution) || math.IsInf(reason.Contribution, 0) {
		return cell{}, errors.New("contribution is not finite")
	}
	text, err := b.text(reason.Text)
	if err != nil {
		return cell{}, err
	}
	key := reasonKindKey{reason.Feature, reason.Direction, math.Float64bits(reference), reason.Actionable}
	kind, ok := b.kindOf[key]
	if !ok {
		kind = uint32(len(b.s.kinds))
		key.feature, key.direction = strings.Clone(key.feature), strings.Clone(key.direction)
		b.s.kinds = append(b.s.kinds, reasonKind{key.feature, key.direction, reference, key.actionable})
		b.kindOf[key] = kind
	}
	return cell{value: value, contribution: reason.Contribution, kind: kind, text: text}, nil
}

func (b *builder) text(t string) (uint32, error) {
	if k, ok := b.textOf[t]; ok {
		return k, nil
	}
	if len(t) > maxTextBytes {
		return 0, fmt.Errorf("text has %d bytes, want at most %d", len(t), maxTextBytes)
	}
	if b.texts.Len()+len(t) > math.MaxUint32 {
		return 0, errors.New("the run's texts are too large for one process")
	}
	b.texts.WriteString(t)
	k := uint32(len(b.s.textEnds))
	b.s.textEnds = append(b.s.textEnds, uint32(b.texts.Len()))
	if len(b.textOf) < maxInterned {
		b.textOf[strings.Clone(t)] = k // the reader's string may hold a whole block alive
	}
	return k, nil
}

func (b *builder) word(w *string) (uint16, error) {
	if w == nil {
		return 0, nil
	}
	if k, ok := b.wordOf[*w]; ok {
		return k, nil
	}
	if len(b.s.words) > math.MaxUint16 {
		return 0, errors.New("more than 65,535 different statuses, bands and stages")
	}
	k := uint16(len(b.s.words))
	word := strings.Clone(*w)
	b.s.words = append(b.s.words, word)
	b.wordOf[word] = k
	return k, nil
}

func (b *builder) header(score *models.Score) uint32 {
	h := header{score.Model, score.HorizonDays, score.Cutoff.UTC(), score.ScoredAt.UTC(), score.Hindsight}
	k, ok := b.headerOf[h]
	if !ok {
		k = uint32(len(b.s.headers))
		b.s.headers = append(b.s.headers, h)
		b.headerOf[h] = k
	}
	return k
}

// snapshot puts the rows in order and returns the finished run.
// Errors: a customer twice, or another number of customers than the run says (a run read in half is never served).
func (b *builder) snapshot() (*snapshot, error) {
	s := b.s
	if len(s.rows) != s.run.Customers {
		return nil, fmt.Errorf("the run says %d customers, its scores are %d", s.run.Customers, len(s.rows))
	}
	s.ids, s.texts = b.ids.String(), b.texts.String()
	of := func(r row) string { return s.ids[r.idAt : r.idAt+uint32(r.idLen)] }
	byID := func(x, y row) int { return cmp.Compare(of(x), of(y)) }
	if !slices.IsSortedFunc(s.rows, byID) {
		slices.SortFunc(s.rows, byID)
	}
	for i := 1; i < len(s.rows); i++ {
		if of(s.rows[i-1]) == of(s.rows[i]) {
			return nil, errors.New("a customer has two scores in the run")
		}
	}
	s.cells = slices.Clip(s.cells)
	if len(b.changes) > 0 {
		s.changes = make(map[uint32][]models.Change, len(b.changes))
		for id, changes := range b.changes {
			i, _ := s.find(id)
			s.changes[i] = changes
		}
	}
	s.order()
	return s, nil
}

// finite returns NaN for null (or NaN), and an error for an infinity.
func finite(v *float64, name string) (float64, error) {
	if v == nil {
		return math.NaN(), nil
	}
	if math.IsInf(*v, 0) {
		return 0, fmt.Errorf("%s is infinite", name)
	}
	return *v, nil
}
