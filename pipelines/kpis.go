package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/features/lifecycle"
	"retain/features/lifecycle/kpi"
	"retain/internal/warehouse"
)

// KPIs counts the key figures of the lifecycle out of a warehouse.
type KPIs struct {
	Store    *features.Store    // required
	Churn    features.ChurnSpec // of the configuration
	Currency string             // ISO 4217; "" = not told
	Costs    map[string]float64 // contact cost by action of the catalogue
	Now      func() time.Time   // nil means time.Now
}

// Compute counts figures as kpi.Compute does. Without a cutoff it stands at that of the run in force, else at the midnight after the last row, and never
// after now. Stages are those of the rule set that was used last.
func (k KPIs) Compute(ctx context.Context, o kpi.Options) (*kpi.Report, error) {
	reports, err := k.each(ctx, o, []kpi.By{o.By})
	if err != nil {
		return nil, err
	}
	return reports[0], nil
}

func (k KPIs) each(ctx context.Context, o kpi.Options, breakdowns []kpi.By) ([]*kpi.Report, error) {
	o.Churn, o.Costs = k.Churn, k.Costs
	var err error
	if o.Cutoff.IsZero() {
		if o.Cutoff, err = standingCutoff(ctx, k.Store, k.Now); err != nil {
			return nil, err
		}
	}
	if o.Stages, o.Sets, err = k.stages(ctx, o.Cutoff); err != nil {
		return nil, err
	}
	reports, err := kpi.ComputeEach(ctx, k.Store, o, breakdowns)
	for _, r := range reports {
		if k.Currency != "" {
			r.Currency = &k.Currency
		}
	}
	return reports, err
}

// stages are those of the rule set that the newest stages on record were found by, and where it was used.
func (k KPIs) stages(ctx context.Context, cutoff time.Time) (order []string, sets []warehouse.StageSet, err error) {
	newest, ok, err := k.Store.DB.NewestStageSet(ctx, cutoff)
	if err != nil || !ok {
		return nil, nil, err
	}
	rules, err := lifecycle.Decode([]byte(newest.Document))
	if err != nil {
		return nil, nil, fmt.Errorf("stages of %s: %w", newest.Cutoff.Format(time.DateOnly), err)
	}
	for _, stage := range rules.Stages {
		order = append(order, stage.Name)
	}
	sets, err = k.Store.DB.StageSets(ctx, newest.Rules, cutoff)
	return order, sets, err
}

// Everywhere counts figures of everyone and by every breakdown that can be told, as one report: by figure, then everyone, stages, segments, lead sources.
func (k KPIs) Everywhere(ctx context.Context, o kpi.Options) (*kpi.Report, error) {
	reports, err := k.each(ctx, o, kpi.Breakdowns)
	if err != nil {
		return nil, err
	}
	whole := reports[0]
	for _, r := range reports[1:] {
		for _, v := range r.KPIs {
			if _, sliced := v.Slice(); sliced {
				whole.KPIs = append(whole.KPIs, v)
			}
		}
		whole.Warnings = append(whole.Warnings, r.Warnings...)
	}
	whole.By = nil
	place := map[string]int{}
	for i, f := range whole.Figures {
		place[f.Name] = i
	}
	slices.SortStableFunc(whole.KPIs, func(a, b kpi.Value) int { return cmp.Compare(place[a.Name], place[b.Name]) })
	return whole, nil
}

// RFM sorts buyers into cells as kpi.SortRFM does, standing where Compute would.
func (k KPIs) RFM(ctx context.Context, o kpi.RFMOptions) (*kpi.RFM, error) {
	if o.Cutoff.IsZero() {
		var err error
		if o.Cutoff, err = standingCutoff(ctx, k.Store, k.Now); err != nil {
			return nil, err
		}
	}
	r, err := kpi.SortRFM(ctx, k.Store, o)
	if err != nil {
		return nil, err
	}
	if k.Currency != "" {
		r.Currency = &k.Currency
	}
	return r, nil
}
