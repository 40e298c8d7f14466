package features

import (
	"context"
	"fmt"
	"time"
)

// Preview is what `retain label preview` shows: the labels of every cutoff of a grid, and the return curve behind the choice of the horizon.
type Preview struct {
	Setting                Setting         `json:"setting"`
	GapDays                int             `json:"gap_days"`
	HorizonDays            int             `json:"horizon_days"`
	DataEnd                time.Time       `json:"data_end"` // the watermark D
	Cutoffs                []CutoffPreview `json:"cutoffs"`
	ReturnCurve            []ReturnPoint   `json:"return_curve"` // non_contractual only; else empty
	RecommendedHorizonDays *int            `json:"recommended_horizon_days"`
}

// CutoffPreview counts the labels of the customers eligible at one cutoff: Eligible = Churned + Stayed + Missing.
type CutoffPreview struct {
	Cutoff       time.Time      `json:"cutoff"`
	Eligible     int            `json:"eligible"`
	Churned      int            `json:"churned"`
	Stayed       int            `json:"stayed"`
	Missing      int            `json:"missing"`
	BaseRate     *float64       `json:"base_rate"` // churned / (churned + stayed); null where there is no label
	Known        bool           `json:"known"`     // T + M ≤ D; else every label is missing
	LeftInGap    int            `json:"left_in_gap"`
	LeftBefore   int            `json:"left_before"`
	Involuntary  int            `json:"involuntary"`    // among stayed: ended, but not by choice
	AllCauseRate *float64       `json:"all_cause_rate"` // (churned + involuntary) / (churned + stayed)
	Outage       bool           `json:"outage"`         // the label window holds more than 5 % outage days
	OutageShare  float64        `json:"outage_share"`   // of the label window
	ByStatus     map[string]int `json:"by_status"`      // everyone who exists
}

// Preview computes population and labels at each grid point that is not after the watermark, oldest first, with all that is held now.
func (s *Store) Preview(ctx context.Context, c ChurnSpec, g Grid) (*Preview, error) {
	r, err := s.reach(ctx, c)
	if err != nil {
		return nil, err
	}
	points, err := g.between(r, r.watermark)
	if err != nil {
		return nil, err
	}
	out := &Preview{
		Setting: c.Setting, GapDays: c.GapDays, HorizonDays: c.HorizonDays, DataEnd: r.watermark,
		Cutoffs: []CutoffPreview{}, ReturnCurve: []ReturnPoint{},
	}
	for _, t := range points {
		row, err := s.previewCutoff(ctx, c, t, c.Known(t, r.watermark))
		if err != nil {
			return nil, err
		}
		out.Cutoffs = append(out.Cutoffs, row)
	}
	if c.Setting == NonContractual {
		if out.ReturnCurve, err = s.returnCurve(ctx, c, r.watermark); err != nil {
			return nil, fmt.Errorf("return curve: %w", err)
		}
		out.RecommendedHorizonDays = recommendHorizon(out.ReturnCurve)
	}
	return out, nil
}

func (s *Store) previewCutoff(ctx context.Context, c ChurnSpec, cutoff time.Time, known bool) (row CutoffPreview, err error) {
	p, err := s.Population(ctx, c, cutoff)
	if err != nil {
		return row, err
	}
	defer func() {
		if closed := p.Close(ctx); err == nil {
			err = closed
		}
	}()
	row = CutoffPreview{Cutoff: p.Cutoff, Eligible: len(p.Eligible()), Known: known, ByStatus: p.ByStatus()}
	if !known {
		row.Missing = row.Eligible
		return row, nil
	}
	l, err := s.Labels(ctx, c, p, time.Time{})
	if err != nil {
		return row, err
	}
	row.Churned, row.Stayed, row.Missing = l.Counts()
	row.LeftInGap, row.LeftBefore, row.Involuntary = l.LeftInGap, l.LeftBefore, l.Involuntary
	row.Outage, row.OutageShare = l.OutageShare > maxOutageShare, l.OutageShare
	if n := float64(row.Churned + row.Stayed); n > 0 {
		base, all := float64(row.Churned)/n, float64(row.Churned+row.Involuntary)/n
		row.BaseRate, row.AllCauseRate = &base, &all
	}
	return row, nil
}
