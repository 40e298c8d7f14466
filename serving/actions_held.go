package serving

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"retain/models"
	"retain/models/actions"
)

// decided is the decisions of a run in memory, immutable: some 300 bytes a customer with six possible actions of twenty. What the
// catalogue says of an action is not held per customer.
type decided struct {
	shared  *actions.Deciding
	rows    []decidedRow // as those of the snapshot
	options []optionCell // each row's in a stretch
	gone    []goneCell   // suppressed, likewise
	words   []string
}

type decidedRow struct {
	value, pressure  float64 // NaN = unknown
	optionAt, goneAt uint32
	chosen           uint16 // word
	options, gone    uint8
	holdout          bool
}

type optionCell struct {
	priority, uplift, fatigue, propensity float64
	moment, expires                       int64 // Unix milliseconds; 0 = none
	action, channel, source               uint16
}

type goneCell struct{ action, reason uint16 }

// loadDecisions packs the decisions of a run whose scores are there already. Errors name the ordinal, never the customer.
func loadDecisions(ctx context.Context, reader DecisionReader, s *snapshot) (*decided, error) {
	shared, all, err := reader.Decisions(ctx, s.run.ID)
	if errors.Is(err, ErrNoDecisions) {
		return nil, nil // a run of an older program: scores are served, and that there are no decisions is told
	}
	if err != nil {
		return nil, err
	}
	d := &decided{shared: shared, rows: make([]decidedRow, len(s.rows))}
	words := map[string]uint16{}
	seen := make([]bool, len(s.rows))
	n := 0
	for made, err := range all {
		if err != nil {
			return nil, err
		}
		n++
		i, ok := s.find(made.CustomerID)
		if !ok || seen[i] {
			return nil, fmt.Errorf("decision %d of the run is of a customer without a score, or a second one", n)
		}
		seen[i] = true
		if err := d.add(int(i), &made, words); err != nil {
			return nil, fmt.Errorf("decision %d of the run: %w", n, err)
		}
	}
	if n != len(s.rows) {
		return nil, fmt.Errorf("the run has %d scores and %d decisions", len(s.rows), n)
	}
	return d, nil
}

func (d *decided) add(i int, made *actions.Decision, words map[string]uint16) error {
	if len(made.Options)+len(made.Suppressed) > actions.MaxActions {
		return fmt.Errorf("%d actions, want at most %d", len(made.Options)+len(made.Suppressed), actions.MaxActions)
	}
	if len(d.options)+len(made.Options) > math.MaxUint32 || len(d.gone)+len(made.Suppressed) > math.MaxUint32 {
		return errors.New("the run is too large for one process")
	}
	full := false
	word := func(text string) uint16 {
		k, ok := words[text]
		switch {
		case ok:
		case len(d.words) > math.MaxUint16:
			full = true
		default:
			k = uint16(len(d.words))
			text = strings.Clone(text)
			words[text] = k
			d.words = append(d.words, text)
		}
		return k
	}
	d.rows[i] = decidedRow{value: made.Value, pressure: made.Pressure, optionAt: uint32(len(d.options)), goneAt: uint32(len(d.gone)), chosen: word(made.Chosen),
		options: uint8(len(made.Options)), gone: uint8(len(made.Suppressed)), holdout: made.Holdout}
	for _, o := range made.Options {
		d.options = append(d.options, optionCell{priority: o.Terms.Priority, uplift: o.Terms.Uplift, fatigue: o.Terms.Fatigue, propensity: o.Propensity,
			moment: stamp(o.Moment), expires: stamp(o.Expires), action: word(o.Action), channel: word(o.Channel), source: word(o.Source)})
	}
	for _, s := range made.Suppressed {
		d.gone = append(d.gone, goneCell{word(s.Action), word(s.Reason)})
	}
	if full {
		return fmt.Errorf("the run has more than %d different channels, reasons and actions: look what the column channel of tickets holds", len(d.words))
	}
	return nil
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unstamp(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// answer is the decision of row i in the words of its score.
func (d *decided) answer(i uint32, score *models.Score) actions.Answer {
	made := d.made(i, score.CustomerID)
	return d.shared.Answer(&made, score)
}

// made is the decision of row i.
func (d *decided) made(i uint32, customer string) actions.Decision {
	r := &d.rows[i]
	made := actions.Decision{CustomerID: customer, Holdout: r.holdout, Chosen: d.words[r.chosen], Value: r.value, Pressure: r.pressure}
	for _, c := range d.options[r.optionAt : r.optionAt+uint32(r.options)] {
		o := actions.Option{Action: d.words[c.action], Channel: d.words[c.channel], Source: d.words[c.source], Propensity: c.propensity, Moment: unstamp(c.moment), Expires: unstamp(c.expires)}
		if k := d.shared.Catalogue.Index(o.Action); k >= 0 {
			o.Terms = d.shared.Catalogue.Terms(k, r.value, 0) // costs and lever; what is the customer's own follows
		}
		o.Terms.Priority, o.Terms.Uplift, o.Terms.Fatigue = c.priority, c.uplift, c.fatigue
		made.Options = append(made.Options, o)
	}
	for _, c := range d.gone[r.goneAt : r.goneAt+uint32(r.gone)] {
		made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: d.words[c.action], Reason: d.words[c.reason]})
	}
	return made
}
