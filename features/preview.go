package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"retain/internal/interval"
)

// Preview is what `retain label preview` shows: the labels of every cutoff of a grid, the return curve behind the choice of the horizon, and what speaks
// against the definition.
type Preview struct {
	Setting                Setting                `json:"setting"`
	ActiveDays             int                    `json:"active_days,omitempty"` // non_contractual
	GraceDays              int                    `json:"grace_days,omitempty"`  // contractual
	GapDays                int                    `json:"gap_days"`
	HorizonDays            int                    `json:"horizon_days"`
	DataEnd                time.Time              `json:"data_end"` // the watermark D
	Cutoffs                []CutoffPreview        `json:"cutoffs"`
	Total                  TotalPreview           `json:"total"` // over the cutoffs with known labels
	Segments               []SegmentPreview       `json:"segments"`
	ReturnCurve            []ReturnPoint          `json:"return_curve"` // non_contractual only; else empty
	RecommendedHorizonDays *int                   `json:"recommended_horizon_days"`
	Returns                *ReturnGaps            `json:"returns"` // non_contractual only: how long silences last that an activity ends
	Comparisons            []DefinitionComparison `json:"comparisons"`
	Warnings               []string               `json:"warnings"`
}

// CutoffPreview counts the labels of the customers eligible at one cutoff: Eligible = Churned + Stayed + Missing, and
// Missing = Censored + LeftInGap + LeftBefore + OutageMissing.
type CutoffPreview struct {
	Cutoff          time.Time      `json:"cutoff"`
	Eligible        int            `json:"eligible"`
	Churned         int            `json:"churned"` // of their own choice, where the rows tell
	Stayed          int            `json:"stayed"`
	Missing         int            `json:"missing"`
	BaseRate        *float64       `json:"base_rate"`     // churned / (churned + stayed); null where there is no label
	BaseRateLow     *float64       `json:"base_rate_low"` // 95 %, Wilson's
	BaseRateHigh    *float64       `json:"base_rate_high"`
	Known           bool           `json:"known"`          // T + M ≤ D; else every label is missing
	Censored        int            `json:"censored"`       // missing because the label is not complete yet: all or none
	LeftInGap       int            `json:"left_in_gap"`    // missing because they left in [T, T+L)
	LeftBefore      int            `json:"left_before"`    // missing because a later correction tells that they had left before T
	OutageMissing   int            `json:"outage_missing"` // missing because the label window holds too much outage: all or none
	Involuntary     int            `json:"involuntary"`    // among stayed: ended, but not by choice
	InvoluntaryRate *float64       `json:"involuntary_rate"`
	AllCauseRate    *float64       `json:"all_cause_rate"` // (churned + involuntary) / (churned + stayed)
	Outage          bool           `json:"outage"`         // the label window holds more than 5 % outage days
	OutageShare     float64        `json:"outage_share"`   // of the label window
	ByStatus        map[string]int `json:"by_status"`      // everyone who exists
}

// TotalPreview adds up the cutoffs with known labels. The rates are cumulative incidences at T+L+H: no label in them is censored, so that shares are
// what Aalen and Johansen's estimator gives, and voluntary and involuntary ends add up to all.
type TotalPreview struct {
	Cutoffs         int      `json:"cutoffs"`
	Labels          int      `json:"labels"`
	Customers       int      `json:"customers"` // different ones
	Churned         int      `json:"churned"`
	Involuntary     int      `json:"involuntary"`
	BaseRate        *float64 `json:"base_rate"`
	BaseRateLow     *float64 `json:"base_rate_low"` // 95 %, rows of one customer counted as alike
	BaseRateHigh    *float64 `json:"base_rate_high"`
	InvoluntaryRate *float64 `json:"involuntary_rate"`
	AllCauseRate    *float64 `json:"all_cause_rate"`
}

// segmentCutoffs bounds the cutoffs that segments are counted over: the newest.
const segmentCutoffs = 12

// Preview computes population and labels at each grid point that is not after the watermark, oldest first, with all that is held now.
func (s *Store) Preview(ctx context.Context, c ChurnSpec, g Grid) (*Preview, error) {
	if err := g.fits(c); err != nil {
		return nil, err
	}
	r, err := s.reach(ctx, c)
	if err != nil {
		return nil, err
	}
	points, err := g.between(r, r.watermark)
	if err != nil {
		return nil, err
	}
	if points, err = s.inhabited(ctx, c, points); err != nil {
		return nil, err
	}
	out := &Preview{
		Setting: c.Setting, GapDays: c.GapDays, HorizonDays: c.HorizonDays, DataEnd: r.watermark,
		Cutoffs: []CutoffPreview{}, ReturnCurve: []ReturnPoint{}, Comparisons: []DefinitionComparison{}, Warnings: []string{},
	}
	switch c.Setting {
	case Contractual:
		out.GraceDays = c.GraceDays
	case NonContractual:
		out.ActiveDays = c.ActiveDays
	}
	v := &previewer{store: s.Remembering(), labeller: s.Labeller(c), spec: c, grid: g, segments: segmentCounts{}, numbers: map[string]int32{}}
	known := c.knownOf(points, r.watermark)
	segmented := known[max(0, len(known)-segmentCutoffs):]
	for _, t := range points {
		row, err := v.cutoff(ctx, t, c.Known(t, r.watermark), len(segmented) > 0 && !t.Before(segmented[0]))
		if err != nil {
			return nil, err
		}
		out.Cutoffs = append(out.Cutoffs, row)
		if row.Known {
			out.Total.Cutoffs++
			out.Total.Involuntary += row.Involuntary
		}
	}
	out.Total.Customers = len(v.all.customers)
	out.Total.Labels, out.Total.Churned, out.Total.BaseRate, out.Total.BaseRateLow, out.Total.BaseRateHigh = v.all.figures()
	out.Total.InvoluntaryRate, out.Total.AllCauseRate = causes(out.Total.Labels, out.Total.Churned, out.Total.Involuntary)
	out.Segments = v.segments.previews()
	if c.Setting == NonContractual {
		if out.ReturnCurve, out.Returns, err = s.returnCurve(ctx, c, r.watermark); err != nil {
			return nil, fmt.Errorf("return curve: %w", err)
		}
		out.RecommendedHorizonDays = recommendHorizon(out.ReturnCurve)
	}
	others, err := s.otherDefinitions(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("compare definitions: %w", err)
	}
	for _, o := range others {
		d, err := s.compare(ctx, v.labeller, o, known)
		if err != nil {
			return nil, fmt.Errorf("compare definitions: %w", err)
		}
		if d != nil && d.Customers > 0 {
			out.Comparisons = append(out.Comparisons, *d)
		}
	}
	if err := s.warnOfSilentEvent(ctx, out, c); err != nil {
		return nil, fmt.Errorf("look for the leaving event: %w", err)
	}
	out.warn(c, r.first)
	return out, nil
}

// previewer counts the labels of the cutoffs.
type previewer struct {
	store    *Store
	labeller *Labeller
	spec     ChurnSpec
	grid     Grid
	all      rateCount
	segments segmentCounts
	numbers  map[string]int32 // of customers
}

func (v *previewer) number(id string) int32 {
	n, ok := v.numbers[id]
	if !ok {
		n = int32(len(v.numbers))
		v.numbers[id] = n
	}
	return n
}

func (v *previewer) cutoff(ctx context.Context, cutoff time.Time, known, segmented bool) (row CutoffPreview, err error) {
	p, err := v.grid.Rows(ctx, v.store, v.spec, cutoff)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	row = CutoffPreview{Cutoff: p.Cutoff, Eligible: len(p.Eligible()), Known: known, ByStatus: p.ByStatus()}
	if !known {
		row.Missing, row.Censored = row.Eligible, row.Eligible
		return row, nil
	}
	l, err := v.labeller.Labels(ctx, p, time.Time{})
	if err != nil {
		return row, err
	}
	row.Churned, row.Stayed, row.Missing = l.Counts()
	row.LeftInGap, row.LeftBefore, row.OutageMissing, row.Involuntary = l.LeftInGap, l.LeftBefore, l.Outage, l.Involuntary
	row.Outage, row.OutageShare = l.OutageShare > maxOutageShare, l.OutageShare
	if n := row.Churned + row.Stayed; n > 0 {
		base := float64(row.Churned) / float64(n)
		low, high := interval.Wilson(base, float64(n))
		row.BaseRate, row.BaseRateLow, row.BaseRateHigh = &base, &low, &high
		row.InvoluntaryRate, row.AllCauseRate = causes(n, row.Churned, row.Involuntary)
	}
	for i, y := range l.Y {
		if !math.IsNaN(y) {
			v.all.add(v.number(p.eligible[i]), y)
		}
	}
	if segmented {
		if err := v.store.countSegments(ctx, p, l.Y, v.number, v.segments); err != nil {
			return row, fmt.Errorf("segments at %s: %w", cutoff.Format(time.RFC3339), err)
		}
	}
	return row, nil
}

// causes are the rates of involuntary and of all ends among n labels.
func causes(n, churned, involuntary int) (failed, all *float64) {
	if n == 0 {
		return nil, nil
	}
	f, a := float64(involuntary)/float64(n), float64(churned+involuntary)/float64(n)
	return &f, &a
}
