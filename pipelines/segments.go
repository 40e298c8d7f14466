package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/features/lifecycle/segment"
	"retain/internal/warehouse"
)

// SegmentFeatures are what found segments are told by unless others are named: how much customers use, buy and pay, and for how long. Those that
// a catalogue lacks are left out.
var SegmentFeatures = []string{
	"usage_sessions_count_84d", "usage_minutes_per_active_day_28d", "usage_active_days_84d", "usage_features_distinct_84d", "usage_recency_days",
	"purchase_count_365d", "purchase_amount_mean_365d", "purchase_recency_days", "purchase_categories_distinct_365d",
	"subscription_mrr_sum", "subscription_seats_max", "subscription_age_days",
	"ticket_count_84d", "survey_nps_last", "profile_tenure_days",
}

// Segments finds groups of customers who are alike, and keeps who is in which.
type Segments struct {
	Store     *features.Store     // required
	Churn     features.ChurnSpec  // who is alive
	Catalogue *features.Catalogue // of the configuration; required
	Now       func() time.Time    // nil means time.Now
}

// SegmentReport is the groups of a cutoff.
type SegmentReport struct {
	Cutoff time.Time `json:"cutoff"`
	segment.Found
	Customers int      `json:"customers"`
	Kept      *float64 `json:"kept"`   // share of those there before whose label is the same; null for a first set
	Former    *string  `json:"former"` // cutoff of the set before
}

// ErrNoSegments says that none were found yet.
var ErrNoSegments = errors.New("no segments have been found yet: `retain lifecycle segments --find` finds them")

// segmentDocument is what is stored beside the customers' segments.
type segmentDocument struct {
	Found segment.Found `json:"found"`
	Kept  *float64      `json:"kept"`
	From  *string       `json:"former"`
}

// Find groups the customers alive at a cutoff (the zero time: that of the run in force, as of KPIs) by the named features, nil for
// SegmentFeatures, and stores the groups. Labels are those of the newest earlier set where groups are the same. The same rows and seed give the same
// groups, and a set that is there is not written again. Errors: segment.ErrTooFew.
func (s Segments) Find(ctx context.Context, cutoff time.Time, names []string, seed uint64) (report *SegmentReport, err error) {
	if cutoff.IsZero() {
		if cutoff, err = standingCutoff(ctx, s.Store, s.Now); err != nil {
			return nil, err
		}
	}
	if names == nil {
		names = SegmentFeatures
	}
	catalogue := s.Catalogue.Only(names)
	alive, err := s.Store.Population(ctx, s.Churn, cutoff)
	if err != nil {
		return nil, fmt.Errorf("segments at %s: %w", cutoff.Format(time.DateOnly), err)
	}
	defer func() { err = errors.Join(err, alive.Close(context.WithoutCancel(ctx))) }()
	if len(alive.Eligible()) == 0 {
		return nil, segment.ErrTooFew
	}
	x, err := s.Store.Snapshot(ctx, catalogue, alive)
	if err != nil {
		return nil, fmt.Errorf("segments at %s: %w", cutoff.Format(time.DateOnly), err)
	}
	customer := alive.Eligible()
	former, was, before, err := s.former(ctx, cutoff, customer)
	if err != nil {
		return nil, err
	}
	found, group, err := segment.Finder{Seed: seed, Catalogue: catalogue}.Find(x.X, customer, former, was)
	if err != nil {
		return nil, err
	}
	labels := make([]string, len(group))
	for i, g := range group {
		labels[i] = found.Groups[g].Label
	}
	document := segmentDocument{Found: *found, Kept: kept(labels, former, was)}
	if former != nil {
		document.From = new(before.Cutoff.Format(time.RFC3339))
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("segments: %w", err)
	}
	set := warehouse.SegmentSet{ID: segmentID(cutoff, text, customer, labels), Cutoff: cutoff, Document: string(text), MadeAt: s.now()}
	if err := s.Store.DB.PutSegments(ctx, set, customer, labels); err != nil {
		return nil, err
	}
	return &SegmentReport{Cutoff: cutoff, Found: *found, Customers: len(customer), Kept: document.Kept, Former: document.From}, nil
}

// Latest is the newest set that stands; ErrNoSegments without any.
func (s Segments) Latest(ctx context.Context) (*SegmentReport, error) {
	set, ok, err := s.Store.DB.SegmentSet(ctx, farFuture)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNoSegments
	}
	d, err := segmentsOf(set)
	if err != nil {
		return nil, err
	}
	return &SegmentReport{Cutoff: set.Cutoff, Found: d.Found, Customers: int(set.Customers), Kept: d.Kept, Former: d.From}, nil
}

// farFuture lies behind all cutoffs.
var farFuture = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

func (s Segments) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func segmentsOf(set warehouse.SegmentSet) (d segmentDocument, err error) {
	if err := json.Unmarshal([]byte(set.Document), &d); err != nil {
		return d, fmt.Errorf("segments of %s cannot be read: %w", set.Cutoff.Format(time.DateOnly), err)
	}
	return d, nil
}

// former are the groups of the newest set before a cutoff, and the place in them of each customer's, -1 = none; nil without a set.
func (s Segments) former(ctx context.Context, cutoff time.Time, customer []string) (f *segment.Found, was []int, set warehouse.SegmentSet, err error) {
	set, ok, err := s.Store.DB.SegmentSet(ctx, cutoff.Add(-time.Millisecond))
	if err != nil || !ok {
		return nil, nil, set, err
	}
	d, err := segmentsOf(set)
	if err != nil {
		return nil, nil, set, err
	}
	ids, labels, err := s.Store.DB.Segments(ctx, set)
	if err != nil {
		return nil, nil, set, err
	}
	place := map[string]int{}
	for g, group := range d.Found.Groups {
		place[group.Label] = g
	}
	was = make([]int, len(customer))
	for i, id := range customer {
		was[i] = -1
		if k, found := slices.BinarySearch(ids, id); found {
			g, known := place[labels[k]]
			if !known {
				return nil, nil, set, fmt.Errorf("segments of %s: a customer has a segment that the set lacks", set.Cutoff.Format(time.DateOnly))
			}
			was[i] = g
		}
	}
	return &d.Found, was, set, nil
}

// kept is the share of customers with a former group whose label stayed.
func kept(labels []string, former *segment.Found, was []int) *float64 {
	var there, same float64
	for i := range was {
		if was[i] >= 0 {
			there++
			if former.Groups[was[i]].Label == labels[i] {
				same++
			}
		}
	}
	if there == 0 {
		return nil
	}
	return new(same / there)
}

// segmentID is the hash of all that is stored.
func segmentID(cutoff time.Time, document []byte, customer, labels []string) string {
	h := sha256.New()
	hashText(h, cutoff.Format(time.RFC3339Nano))
	hashText(h, string(document))
	for i := range customer {
		hashText(h, customer[i])
		hashText(h, labels[i])
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
