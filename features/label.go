package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"retain/internal/warehouse"
)

// ErrLabelsUnknown is returned when labels are asked for before they are complete: knownBefore < T + M.
var ErrLabelsUnknown = errors.New("features: the labels of this cutoff are not known yet")

// Labels are what became of the eligible customers of a population. The counts are of customers.
type Labels struct {
	Y           []float64 // aligned with Population.Eligible: 1 = churned voluntarily in [T+L, T+L+H), 0 = did not, NaN = missing
	LeftInGap   int       // contractual, event: left in [T, T+L); missing
	LeftBefore  int       // contractual: a correction after T tells that the service had ended before T; missing
	Involuntary int       // contractual: an end in the window that the customer did not choose (a failed payment); 0 in Y
	Outage      int       // missing because the label window holds too much outage: all or none of a cutoff
	OutageShare float64   // share of the label window that outage days cover, in [0, 1]
}

// Counts are the customers with label 1, with label 0, and without one.
func (l *Labels) Counts() (churned, stayed, missing int) {
	for _, y := range l.Y {
		switch {
		case math.IsNaN(y):
			missing++
		case y == 1:
			churned++
		default:
			stayed++
		}
	}
	return churned, stayed, missing
}

// What became of a customer, as the SQL numbers it.
const (
	fateStayed = iota
	fateChurned
	fateLeftInGap
	fateLeftBefore
	fateInvoluntary
)

// Labels reads what became of the eligible customers of p in [T+L, T+L+H), from rows with ingested_at < knownBefore; the zero time
// means all that is held now. It does not look at the watermark: ask Cutoffs, or ChurnSpec.Known. A knownBefore before T+M is ErrLabelsUnknown.
func (s *Store) Labels(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time) (*Labels, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	knownBefore, err := c.mature(p.Cutoff, knownBefore)
	if err != nil {
		return nil, err
	}
	l, err := s.labels(ctx, c, p, knownBefore, func(w window) (float64, error) {
		return s.outageShare(ctx, c.LabelSources(), w, knownBefore)
	})
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", p.Cutoff.Format(time.RFC3339), err)
	}
	return l, nil
}

// mature is the knowledge time that labels are read at: all that is held for the zero time. Errors: ErrLabelsUnknown.
func (c ChurnSpec) mature(cutoff, knownBefore time.Time) (time.Time, error) {
	if knownBefore.IsZero() {
		return endOfTime, nil
	}
	if matures := c.Matures(cutoff); knownBefore.Before(matures) {
		return knownBefore, fmt.Errorf("labels of %s, complete at %s, as known at %s: %w", cutoff.Format(time.RFC3339),
			matures.Format(time.RFC3339), knownBefore.UTC().Format(time.RFC3339), ErrLabelsUnknown)
	}
	return knownBefore.UTC(), nil
}

var endOfTime = warehouse.EndOfTime

// labels asks outage for the share of the label window that is one.
func (s *Store) labels(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time, outage func(window) (float64, error)) (*Labels, error) {
	l := &Labels{Y: make([]float64, 0, len(p.eligible))}
	if len(p.eligible) == 0 {
		return l, nil
	}
	var err error
	from, until := c.labelWindow(p.Cutoff)
	if l.OutageShare, err = outage(window{from, until}); err != nil {
		return nil, err
	}
	if l.OutageShare > maxOutageShare {
		for range p.eligible {
			l.Y = append(l.Y, math.NaN())
		}
		l.Outage = len(p.eligible)
		return l, nil
	}
	fates, err := s.fates(ctx, c, p, knownBefore)
	if err != nil {
		return nil, err
	}
	for _, fate := range fates {
		l.add(fate)
	}
	return l, nil
}

// fates are what became of the eligible customers of p, in their order, whatever the outages.
func (s *Store) fates(ctx context.Context, c ChurnSpec, p *Population, knownBefore time.Time) (fates []uint8, err error) {
	var query string
	from, until := c.labelWindow(p.Cutoff)
	w := window{from, until}
	switch c.Setting {
	case Contractual:
		query, err = s.contractualSQL(ctx, c, p, w, knownBefore)
	case EventSetting:
		query, err = s.eventSQL(ctx, c, p, w, knownBefore)
	default:
		query, err = s.activitySQL(ctx, c, p, w, knownBefore)
	}
	if err != nil {
		return nil, err
	}
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		fates = append(fates, b.UInt8s("fate")...)
	}
	if len(fates) != len(p.eligible) {
		return nil, fmt.Errorf("%d labels came back for %d eligible customers", len(fates), len(p.eligible))
	}
	return fates, nil
}

func (l *Labels) add(fate uint8) {
	y := math.NaN()
	switch fate {
	case fateStayed:
		y = 0
	case fateChurned:
		y = 1
	case fateInvoluntary:
		y = 0
		l.Involuntary++
	case fateLeftInGap:
		l.LeftInGap++
	case fateLeftBefore:
		l.LeftBefore++
	}
	l.Y = append(l.Y, y)
}

// window is [from, until).
type window struct{ from, until time.Time }

// sql is the condition that a row's time lies in the window.
func (w window) sql() string {
	return "at >= " + quoteInstant(w.from) + " AND at < " + quoteInstant(w.until)
}
