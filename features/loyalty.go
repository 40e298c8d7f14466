package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// LoyaltyDays is the length of the window [T, T+180 d) in which a loyal customer repeats and promotes, and of the one before it with whose
// spend the later is compared (metrics.md §4).
const LoyaltyDays = 180

// LoyaltyPart is one of the two questions whose probabilities make loyalty.
type LoyaltyPart string

// The parts of loyalty, in the order in which they are asked.
const (
	PartRepeat   LoyaltyPart = "repeat"   // does the customer repeat or renew in [T, T+180 d)?
	PartPromotes LoyaltyPart = "promotes" // does one who repeats promote?
)

// LoyaltyParts are both.
var LoyaltyParts = []LoyaltyPart{PartRepeat, PartPromotes}

// Loyalty is the specification with loyalty's window in place of the gap and the horizon. Who leaves by it does not repeat; who is alive
// does not depend on either.
func (c ChurnSpec) Loyalty() ChurnSpec {
	c.GapDays, c.HorizonDays = 0, LoyaltyDays
	return c
}

// ErrNothingPromotes says that no source tells who promotes: there is no answered NPS question, no referral and no purchase with an amount.
var ErrNothingPromotes = errors.New("features: no source tells which customers promote")

const (
	npsKind      = "nps"           // surveys.kind
	npsPromoter  = 9               // least answer, of 0 to 10, of a promoter
	referralKind = "referral_sent" // touchpoints.kind; referral_joined is of the one who was referred
)

// A promoting is what a source tells of promoting.
type promoting struct {
	source string
	what   string // as a condition on its rows
}

// promotings are the sources of the second part, in a fixed order.
var promotings = []promoting{
	{Purchases, "ifNull(amount > 0, 0)"},
	{Surveys, "kind = " + QuoteText(npsKind) + " AND isNotNull(score)"},
	{Touchpoints, "kind = " + QuoteText(referralKind)},
}

// columns are what the condition reads.
func (p promoting) columns() []string {
	switch p.source {
	case Purchases:
		return []string{"at", "amount"}
	case Surveys:
		return []string{"at", "kind", "score"}
	default:
		return []string{"at", "kind"}
	}
}

// firstPromoting is the instant of the first row that tells of promoting, from rows with ingested_at < knownBefore; false if there is none.
func (s *Store) firstPromoting(ctx context.Context, p promoting, knownBefore time.Time) (first time.Time, ok bool, err error) {
	rows, err := s.Versions(ctx, p.source, p.columns(), knownBefore)
	if err != nil {
		return first, false, err
	}
	var n uint64
	var ms int64
	err = s.DB.Conn().QueryRow(ctx, "SELECT count() AS n, ifNull(toUnixTimestamp64Milli(min(at)), 0) AS ms FROM "+rows+" WHERE "+p.what).Scan(&n, &ms)
	if err != nil {
		return first, false, fmt.Errorf("what %s tell of promoting: %w", p.source, err)
	}
	return time.UnixMilli(ms).UTC(), n > 0, nil
}

// promotingSources are those of surveys, touchpoints and purchases that hold an NPS answer, a referral or an amount: the second part's labels are read from them
// and from those of the churn label. Errors: ErrNothingPromotes.
func (s *Store) promotingSources(ctx context.Context) (sources []string, err error) {
	for _, p := range promotings {
		_, ok, err := s.firstPromoting(ctx, p, endOfTime)
		if err != nil {
			return nil, err
		}
		if ok {
			sources = append(sources, p.source)
		}
	}
	if sources == nil {
		return nil, ErrNothingPromotes
	}
	return sources, nil
}

// LoyaltyReach is how far the labels of a part go.
type LoyaltyReach struct {
	Watermark time.Time // data_until, else the least over the part's sources: labels of T are complete iff T + M ≤ it
	Source    string    // the source that ends first; "" under data_until
	first     time.Time // the oldest event of the churn label's sources
}

// LoyaltyReach finds how far a part's labels go. Errors: *EmptySourceError, ErrNothingPromotes.
func (s *Store) LoyaltyReach(ctx context.Context, c ChurnSpec, part LoyaltyPart) (LoyaltyReach, error) {
	if err := c.Validate(); err != nil {
		return LoyaltyReach{}, err
	}
	labels := c.LabelSources()
	least, err := s.reachOfAll(ctx, labels)
	if err != nil {
		return LoyaltyReach{}, err
	}
	first := least.first
	if part == PartPromotes {
		promoting, err := s.promotingSources(ctx)
		if err != nil {
			return LoyaltyReach{}, err
		}
		if c.DataUntil != nil {
			promoting = nil // it does not matter how far they go
		}
		more, err := s.reachOfAll(ctx, slices.DeleteFunc(promoting, func(source string) bool { return slices.Contains(labels, source) }))
		if err != nil {
			return LoyaltyReach{}, err
		}
		if more.source != "" && more.watermark.Before(least.watermark) {
			least = more
		}
	}
	least = least.under(c)
	return LoyaltyReach{Watermark: least.watermark, Source: least.source, first: first}, nil
}

// LoyaltyCutoffs are the grid points at which the labels of a part are known, oldest first; none is no error.
func (s *Store) LoyaltyCutoffs(ctx context.Context, c ChurnSpec, g Grid, part LoyaltyPart) ([]time.Time, error) {
	if err := g.fits(c.Loyalty()); err != nil {
		return nil, err
	}
	r, err := s.LoyaltyReach(ctx, c, part)
	if err != nil {
		return nil, err
	}
	points, err := g.between(reach{first: r.first}, r.Watermark)
	if err != nil {
		return nil, err
	}
	return c.Loyalty().knownOf(points, r.Watermark), nil
}
