package training

import (
	"context"
	"errors"
	"fmt"
	"time"

	"retain/features"
)

// loyaltyPanel is a panel for each part of loyalty, over the same snapshots.
type loyaltyPanel interface {
	// Part is the panel whose labels are those of a part.
	Part(part features.LoyaltyPart) panel
	// Reach is how far the labels of a part go. Errors: features.ErrNothingPromotes.
	Reach(ctx context.Context, part features.LoyaltyPart) (features.LoyaltyReach, error)
	// Both are the labels of both parts of a cutoff's rows, from rows with ingested_at < knownBefore; the zero time leaves nothing out.
	Both(ctx context.Context, cutoff, knownBefore time.Time) (*features.LoyaltyLabels, error)
}

// storeLoyalty reads loyalty's labels beside the snapshots of a store.
type storeLoyalty struct {
	*storePanel
	resolved bool
	labels   map[[2]int64]*features.LoyaltyLabels // by cutoff and knownBefore, in Unix milliseconds
}

func newStoreLoyalty(o Options) *storeLoyalty {
	panel := newStorePanel(o)
	panel.catalogue = o.Catalogue.For(o.Churn.Loyalty())
	return &storeLoyalty{storePanel: panel, labels: make(map[[2]int64]*features.LoyaltyLabels)}
}

func (s *storeLoyalty) Part(part features.LoyaltyPart) panel { return &storePart{s, part} }

func (s *storeLoyalty) Reach(ctx context.Context, part features.LoyaltyPart) (features.LoyaltyReach, error) {
	return s.store.LoyaltyReach(ctx, s.churn, part)
}

func (s *storeLoyalty) Both(ctx context.Context, cutoff, knownBefore time.Time) (*features.LoyaltyLabels, error) {
	key := [2]int64{cutoff.UnixMilli(), knownBefore.UnixMilli()}
	if l, ok := s.labels[key]; ok {
		return l, nil
	}
	k, err := s.keep(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	l, err := s.store.LoyaltyLabels(ctx, s.churn, k.population, knownBefore)
	if err != nil {
		return nil, err
	}
	s.labels[key] = l
	return l, nil
}

// storePart is the panel of one part. Both parts learn from the same vectors, so the catalogue is made concrete once, at the cutoffs of the first.
type storePart struct {
	*storeLoyalty
	part features.LoyaltyPart
}

func (p *storePart) Watermark(ctx context.Context) (time.Time, error) {
	r, err := p.Reach(ctx, p.part)
	return r.Watermark, err
}

func (p *storePart) Cutoffs(ctx context.Context) ([]time.Time, error) {
	return p.store.LoyaltyCutoffs(ctx, p.churn, p.grid, p.part)
}

func (p *storePart) Resolve(ctx context.Context, cutoffs []time.Time) error {
	if p.resolved {
		return nil
	}
	p.resolved = true
	return p.storePanel.Resolve(ctx, cutoffs)
}

func (p *storePart) Labels(ctx context.Context, cutoff, knownBefore time.Time) ([]float64, error) {
	l, err := p.Both(ctx, cutoff, knownBefore)
	if err != nil {
		return nil, err
	}
	return l.Of(p.part), nil
}

// checkLoyalty says what a part lacks to be learned, in words of loyalty, and the mend.
func checkLoyalty(ctx context.Context, panels loyaltyPanel, part features.LoyaltyPart, o Options) error {
	reach, err := panels.Reach(ctx, part)
	if errors.Is(err, features.ErrNothingPromotes) {
		return lacking("nothing tells which customers promote: import surveys with answered NPS questions (kind nps), touchpoints of kind referral_sent, or purchases with amounts")
	}
	if err != nil {
		return err
	}
	p := panels.Part(part)
	cutoffs, err := p.Cutoffs(ctx)
	if err != nil {
		return fmt.Errorf("find cutoffs: %w", err)
	}
	until := reach.Watermark
	if !o.Until.IsZero() {
		cutoffs = knownAt(cutoffs, o.Churn, o.Until)
		if o.Until.Before(until) {
			until, reach.Source = o.Until.UTC(), ""
		}
	}
	if len(cutoffs) == 0 {
		ends := ""
		if reach.Source != "" {
			ends = fmt.Sprintf(" (%s end there)", reach.Source)
		}
		return lacking("no cutoff of the grid has known loyalty labels: they need %d days after the cutoff, and the data are complete until %s%s. Import more history, or set snapshots.from earlier",
			o.Churn.MaturityDays(), day(until), ends)
	}
	if err := p.Resolve(ctx, cutoffs); err != nil {
		return err
	}
	var yes, no, eligible int
	for _, t := range cutoffs {
		y, err := p.Labels(ctx, t, o.Until)
		if err != nil {
			return fmt.Errorf("labels at %s: %w", day(t), err)
		}
		eligible += len(y)
		for _, v := range y {
			switch v {
			case 1:
				yes++
			case 0:
				no++
			}
		}
	}
	return judgeClasses(part, yes, no, eligible)
}

// judgeClasses refuses a part of which one answer only is known, or none.
func judgeClasses(part features.LoyaltyPart, yes, no, eligible int) error {
	switch {
	case eligible == 0:
		return lacking("no customer is eligible at the training cutoffs; see retain label preview")
	case part == features.PartRepeat && yes+no == 0:
		return lacking("of none of the %d eligible rows it is known whether they repeated within %d days: every customer is bound for longer, or outages cover the windows; see retain label preview", eligible, features.LoyaltyDays)
	case part == features.PartRepeat && yes == 0:
		return lacking("none of %d rows repeated or renewed within %d days: nothing can be learned. Check churn.setting and churn.activity", no, features.LoyaltyDays)
	case part == features.PartRepeat && no == 0:
		return lacking("all %d rows repeated or renewed within %d days: nothing can be learned. Check churn.setting and churn.activity", yes, features.LoyaltyDays)
	case yes+no == 0:
		return lacking("of nobody who repeated within %d days it is known whether they promote: none answered an NPS question, and no earlier spend compares. Import more surveys, touchpoints of kind referral_sent or purchases", features.LoyaltyDays)
	case yes == 0:
		return lacking("none of the %d who repeated within %d days promoted (an NPS answer of 9 or 10, a referral, or no less spent than before): nothing can be learned. Import more surveys, touchpoints of kind referral_sent or purchases", no, features.LoyaltyDays)
	case no == 0:
		return lacking("all %d who repeated within %d days promoted (an NPS answer of 9 or 10, a referral, or no less spent than before): nothing can be learned. Import more surveys, touchpoints of kind referral_sent or purchases", yes, features.LoyaltyDays)
	}
	return nil
}
