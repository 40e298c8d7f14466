package pipelines

import (
	"context"
	"errors"
	"fmt"
	"time"

	"retain/features"
	"retain/features/revenue"
)

// MRROptions say which months to tell.
type MRROptions struct {
	Churn    features.ChurnSpec // its grace joins periods; its data_until, if set, replaces the watermark
	AsKnown  time.Time          // stand there: rows with ingested_at before it, complete months before it; zero = all that is held
	From, To time.Time          // only months that begin in [From, To); zero leaves a side open
}

// MRRReport is the JSON of `retain mrr`.
type MRRReport struct {
	CompleteUntil time.Time  `json:"complete_until"` // of the subscriptions
	AsKnown       *time.Time `json:"as_known"`       // null: all that is held
	GraceDays     int        `json:"grace_days"`
	Months        []MRRMonth `json:"months"`             // complete ones, oldest first
	Unpriced      int        `json:"unpriced_customers"` // with a paid period whose mrr is not known, which counts as 0
	Warnings      []string   `json:"warnings"`
}

// MRRMonth is one month: start + new + reactivation + expansion - contraction - churn = end.
type MRRMonth struct {
	Month        time.Time    `json:"month"` // its begin
	Start        float64      `json:"start"`
	New          float64      `json:"new"`
	Reactivation float64      `json:"reactivation"`
	Expansion    float64      `json:"expansion"`
	Contraction  float64      `json:"contraction"`
	Churn        float64      `json:"churn"`
	End          float64      `json:"end"`
	Gross        *float64     `json:"gross_retention"` // (start - contraction - churn) / start; null where nothing was there
	Net          *float64     `json:"net_retention"`   // gross and expansion / start
	Customers    MRRCustomers `json:"customers"`
	Provisional  bool         `json:"provisional"` // who seems to have left at its ends may still renew within the grace
	First        bool         `json:"first"`       // the records begin in it: its new ones may have been there before
}

// MRRCustomers are how many customers moved.
type MRRCustomers struct {
	Start        int `json:"start"`
	New          int `json:"new"`
	Reactivation int `json:"reactivation"`
	Expansion    int `json:"expansion"`
	Contraction  int `json:"contraction"`
	Churn        int `json:"churn"`
	End          int `json:"end"`
}

// ErrNoMonth says that the history holds no complete month.
var ErrNoMonth = errors.New("the records hold no complete month yet")

// money is an amount in ten-thousandths.
func money(v int64) float64 { return float64(v) / 10_000 }

// paidMonths are the bounds of the complete months of subscriptions, and until when they are complete.
func paidMonths(ctx context.Context, store *features.Store, c features.ChurnSpec, asKnown time.Time) (bounds []time.Time, until time.Time, err error) {
	c.Setting = features.Contractual
	if until, err = store.Watermark(ctx, c); err != nil {
		return nil, until, err
	}
	if !asKnown.IsZero() && asKnown.Before(until) {
		until = asKnown.UTC()
	}
	first := features.StillThere
	for p, err := range store.Payers(ctx, until, asKnown) {
		if err != nil {
			return nil, until, err
		}
		first = min(first, p.Periods[0].Start)
	}
	if first == features.StillThere {
		return nil, until, ErrNoMonth
	}
	if bounds = revenue.Months(time.UnixMilli(first), until); len(bounds) < 2 {
		return nil, until, ErrNoMonth
	}
	return bounds, until, nil
}

// MRR tells how monthly recurring revenue moved from month to month.
func MRR(ctx context.Context, store *features.Store, o MRROptions) (*MRRReport, error) {
	bounds, until, err := paidMonths(ctx, store, o.Churn, o.AsKnown)
	if err != nil {
		return nil, err
	}
	grace := time.Duration(o.Churn.GraceDays) * 24 * time.Hour
	ledger := revenue.NewLedger(bounds, grace)
	for p, err := range store.Payers(ctx, until, o.AsKnown) {
		if err != nil {
			return nil, err
		}
		ledger.Add(p)
	}
	r := &MRRReport{CompleteUntil: until, GraceDays: o.Churn.GraceDays, Months: []MRRMonth{}, Unpriced: ledger.Unpriced, Warnings: []string{}}
	if !o.AsKnown.IsZero() {
		r.AsKnown = &o.AsKnown
	}
	for k, m := range ledger.Movements() {
		if m.Month.Before(o.From) || !o.To.IsZero() && !m.Month.Before(o.To) {
			continue
		}
		month := MRRMonth{
			Month: m.Month, Start: money(m.Start.MRR), New: money(m.New.MRR), Reactivation: money(m.Reactivation.MRR), Expansion: money(m.Expansion.MRR),
			Contraction: money(m.Contraction.MRR), Churn: money(m.Churn.MRR), End: money(m.End.MRR),
			Customers: MRRCustomers{m.Start.Customers, m.New.Customers, m.Reactivation.Customers, m.Expansion.Customers, m.Contraction.Customers, m.Churn.Customers, m.End.Customers},
			First:     k == 0, Provisional: bounds[k+1].Add(grace).After(until),
		}
		if gross, net, ok := m.Retention(); ok {
			month.Gross, month.Net = &gross, &net
		}
		r.Months = append(r.Months, month)
	}
	if r.Unpriced > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d customers have a paid period without mrr, which counts as 0", r.Unpriced))
	}
	return r, nil
}
