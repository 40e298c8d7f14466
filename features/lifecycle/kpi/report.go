package kpi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// Report is the JSON of `retain lifecycle kpis`.
type Report struct {
	Cutoff   time.Time    `json:"cutoff"`   // what was known then
	Currency *string      `json:"currency"` // of the amounts that the figures are ratios of
	By       *By          `json:"by"`       // null: everyone alone
	Months   []time.Time  `json:"months"`   // the begins, oldest first
	Figures  []Definition `json:"figures"`  // those that can be told, in the order of the catalogue
	KPIs     []Value      `json:"kpis"`     // by figure, then everyone before the slices, then month
	LeftOut  []LeftOut    `json:"left_out"` // figures that cannot be told
	Warnings []string     `json:"warnings"`
}

// Value is one figure of one month. At most one of Stage, Segment and LeadSource is there; "" among them stands for those whose is not known.
type Value struct {
	Name        string    `json:"name"`
	Unit        Unit      `json:"unit" enum:"count,share,points,hours,number" doc:"Shares are in [0, 1], net revenue retention may exceed it; points from -100 to 100."`
	Stage       *string   `json:"stage" doc:"At the month's begin; null unless broken down by it, empty for those whose is not known."`
	Segment     *string   `json:"segment" doc:"Likewise."`
	LeadSource  *string   `json:"lead_source" doc:"Likewise."`
	Month       time.Time `json:"month" doc:"Its begin, UTC."`
	Value       *float64  `json:"value" doc:"Null where it is not defined: nothing to divide by, or a month that the records do not reach."`
	Low         *float64  `json:"low" doc:"Of the 95 % interval; null for counts and medians."`
	High        *float64  `json:"high" doc:"Likewise."`
	Of          *int64    `json:"of" doc:"How many it was counted over: customers, leads, tickets, answers."`
	Provisional bool      `json:"provisional" doc:"Not settled: who seems to have gone may still renew within the grace."`
	Formula     string    `json:"formula" doc:"In words."`
}

// LeftOut is a figure that cannot be told, and why.
type LeftOut struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Slice is the value of the breakdown; ok is false for everyone.
func (v *Value) Slice() (slice string, ok bool) {
	for _, s := range []*string{v.Stage, v.Segment, v.LeadSource} {
		if s != nil {
			return *s, true
		}
	}
	return "", false
}

// Compute counts figures. Errors: *UsageError for what cannot be asked, the warehouse's.
func Compute(ctx context.Context, store *features.Store, o Options) (*Report, error) {
	reports, err := ComputeEach(ctx, store, o, []By{o.By})
	if err != nil {
		return nil, err
	}
	return reports[0], nil
}

// ComputeEach counts figures by several breakdowns, in place of Options.By, a report for each: what they have in common is worked out once. Errors: as Compute.
func ComputeEach(ctx context.Context, store *features.Store, o Options, breakdowns []By) (reports []*Report, err error) {
	o.fill()
	for _, o.By = range breakdowns {
		if err := o.validate(); err != nil {
			return nil, err
		}
	}
	chosen, err := o.chosen()
	if err != nil {
		return nil, err
	}
	months, err := o.months()
	if err != nil {
		return nil, err
	}
	c := newCompiler(ctx, store.Remembering(), o)
	if err := c.readRecords(ctx); err != nil {
		return nil, fmt.Errorf("key figures: %w", err)
	}
	if o.From.IsZero() {
		months = c.onRecord(months)
	}
	c.tellMonths(months)
	c.tellSpending()
	c.tellStages()
	chosen, leftOut := c.able(chosen)
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.workOut(ctx, chosen); err != nil {
		return nil, fmt.Errorf("key figures: %w", err)
	}
	if len(breakdowns) > 1 {
		for _, f := range chosen {
			if err := c.workOutRows(ctx, f); err != nil {
				return nil, fmt.Errorf("key figure %s: %w", f.name, err)
			}
		}
	}
	for _, by := range breakdowns {
		r, err := c.report(by, chosen)
		if err != nil {
			return nil, err
		}
		r.LeftOut = append(r.LeftOut, leftOut...)
		reports = append(reports, r)
	}
	return reports, nil
}

// able splits the figures into those that can be told and those that cannot, with why.
func (c *compiler) able(chosen []*figure) (told []*figure, leftOut []LeftOut) {
	for _, f := range chosen {
		why := c.missing(f.needs)
		if why == "" && f.able != nil {
			why = f.able(c)
		}
		if why != "" {
			leftOut = append(leftOut, LeftOut{f.name, why})
			continue
		}
		told = append(told, f)
	}
	return told, leftOut
}

// report counts figures by one breakdown.
func (c *compiler) report(by By, chosen []*figure) (*Report, error) {
	r := &Report{Cutoff: c.o.Cutoff, Months: make([]time.Time, len(c.months)), Figures: []Definition{}, KPIs: []Value{}, LeftOut: []LeftOut{}, Warnings: []string{}}
	for i, m := range c.months {
		r.Months[i] = m.Start
	}
	c.o.By = by
	if why := c.unbroken(); why != "" {
		r.Warnings = append(r.Warnings, why)
		c.o.By = Everyone
	}
	if by := c.o.By; by != Everyone {
		r.By = &by
	}
	if err := c.readLevels(); err != nil {
		return nil, fmt.Errorf("key figures: %w", err)
	}
	for _, f := range chosen {
		values, err := c.count(f)
		if err != nil {
			return nil, fmt.Errorf("key figure %s: %w", f.name, err)
		}
		r.Figures = append(r.Figures, Definition{f.name, f.title, f.unit})
		r.KPIs = append(r.KPIs, values...)
	}
	return r, nil
}

// unbroken is why figures cannot be broken down as asked; "" if they can.
func (c *compiler) unbroken() string {
	switch {
	case c.o.By == ByStage && len(c.o.Sets) == 0:
		return "not broken down by stage: " + noStages
	case c.o.By == BySegment:
		if why := c.missing([]string{"customers.segment"}); why != "" {
			return "not broken down by segment: " + why
		}
	case c.o.By == ByLeadSource && !c.has("touchpoints.lead_source"):
		if why := c.missing([]string{"customers.lead_source"}); why != "" {
			return "not broken down by lead source: " + why + "; no touchpoint names one either"
		}
	}
	return ""
}

// onRecord leaves out months before any source has a row, but for the last.
func (c *compiler) onRecord(months []Month) []Month {
	for len(months) > 1 {
		for name, s := range c.held {
			if !strings.HasPrefix(name, features.Customers+".") && s.first.Before(months[0].End) {
				return months
			}
		}
		months = months[1:]
	}
	return months
}

// tellSpending gives the statements what contacts cost.
func (c *compiler) tellSpending() {
	actions, costs := []string{}, []int64{}
	for _, action := range keysOf(c.o.Costs) {
		actions, costs = append(actions, action), append(costs, int64(math.Round(c.o.Costs[action]*10_000)))
	}
	if len(actions) == 0 { // transform wants something to look for
		actions, costs = []string{""}, []int64{0}
	}
	c.params["cost_actions"], c.params["cost_values"] = warehouse.Texts(actions), numbers(costs)
}

// tellStages gives the statements the order of stages, and the month starts at which they are on record.
func (c *compiler) tellStages() {
	var staged []int64
	var sets []string
	for _, s := range c.o.Sets {
		staged, sets = append(staged, s.Cutoff.UnixMilli()), append(sets, s.RunID)
	}
	c.params["stages"], c.params["staged"], c.params["sets"] = warehouse.Texts(c.o.Stages), numbers(staged), warehouse.Texts(sets)
}

// cell is a month of a slice.
type cell struct {
	slice string
	total bool
	month uint32
}

// sums are what the statement tells of a cell.
type sums struct {
	moments
	z      int64
	middle float64
}

// count runs the statement of a figure.
func (c *compiler) count(f *figure) ([]Value, error) {
	query, err := c.statement(f)
	if err != nil {
		return nil, err
	}
	found := map[cell]sums{}
	for b, err := range c.store.DB.Blocks(c.ctx, query, c.used(query)) {
		if err != nil {
			return nil, err
		}
		month, slice, total, n, x := b.Int64s("month"), b.Strings("slice"), b.UInt8s("total"), b.UInt64s("n"), b.Int64s("x")
		for i := range month {
			s := sums{moments: moments{n: int64(n[i]), x: x[i]}}
			switch f.kind {
			case median:
				s.middle = b.Float64s("middle")[i]
			case ratio, part, mean:
				s.y, s.yy, s.xy, s.xx = b.Int64s("y")[i], b.Float64s("yy")[i], b.Float64s("xy")[i], b.Float64s("xx")[i]
			case points:
				s.y, s.z = b.Int64s("y")[i], b.Int64s("z")[i]
			default:
				s.y = b.Int64s("y")[i]
			}
			found[cell{slice[i], total[i] == 1, uint32(month[i])}] = s
		}
	}
	formula := c.words(f.formula)
	values := c.column(f, cell{total: true}, found, formula)
	if c.o.By == Everyone {
		return values, nil
	}
	for _, slice := range c.slicesOf(found) {
		values = append(values, c.column(f, cell{slice: slice}, found, formula)...)
	}
	return values, nil
}

// slicesOf are the slices that were found: stages in their order, then the others by how many they are, those not known last.
func (c *compiler) slicesOf(found map[cell]sums) []string {
	seen := map[string]bool{}
	for k := range found {
		if !k.total {
			seen[k.slice] = true
		}
	}
	order := c.levels
	if c.o.By == ByStage {
		order = append(slices.Clone(c.o.Stages), c.levels...)
	}
	var list []string
	for _, slice := range append(slices.Clone(order), Other, "") {
		if seen[slice] {
			list = append(list, slice)
			delete(seen, slice)
		}
	}
	return list
}

// column is a figure over all months.
func (c *compiler) column(f *figure, at cell, found map[cell]sums, formula string) []Value {
	values := make([]Value, len(c.months))
	for i, m := range c.months {
		v := &values[i]
		*v = Value{Name: f.name, Unit: f.unit, Month: m.Start, Formula: formula, Provisional: c.provisional(f, m)}
		if !at.total {
			switch slice := at.slice; c.o.By {
			case ByStage:
				v.Stage = &slice
			case BySegment:
				v.Segment = &slice
			case ByLeadSource:
				v.LeadSource = &slice
			}
		}
		at.month = m.code()
		s, ok := found[at]
		if !c.reaches(f, m) || !ok && f.kind != count || c.o.By == ByStage && !at.total && !c.staged(m) {
			continue
		}
		f.fill(v, s)
	}
	return values
}

// staged tells whether the stages at the begin of a month are on record.
func (c *compiler) staged(m Month) bool {
	return slices.ContainsFunc(c.o.Sets, func(s warehouse.StageSet) bool { return s.Cutoff.Equal(m.Start) })
}

// settled are figures that a late renewal changes.
var settled = []string{"churn_rate", "retention_rate", "gross_revenue_retention", "net_revenue_retention"}

func (c *compiler) provisional(f *figure, m Month) bool {
	return c.o.Churn.Setting == features.Contractual && slices.Contains(settled, f.name) && m.End.AddDate(0, 0, c.o.Churn.GraceDays).After(c.o.Cutoff)
}

// fill writes a figure, unless there is nothing to divide by.
func (f *figure) fill(v *Value, s sums) {
	of := s.x
	set := func(value float64, in *around) {
		v.Value = &value
		if in != nil {
			v.Low, v.High = &in.low, &in.high
		}
	}
	switch {
	case f.kind == count:
		set(float64(s.y), nil)
	case s.x == 0:
		return
	case f.kind == share:
		in := shareOf(s.y, s.x)
		set(float64(s.y)/float64(s.x), &in)
	case f.kind == points:
		in := score(s.y, s.z, s.x)
		set(100*float64(s.y-s.z)/float64(s.x), &in)
	case f.kind == median:
		set(s.middle/3_600_000, nil)
	default:
		of = s.n // x is money or 1 a customer
		in, ok := s.ratio()
		in.low = math.Max(0, in.low)
		if f.kind == part {
			in.high = math.Min(1, in.high)
		}
		if !ok {
			set(float64(s.y)/float64(s.x), nil)
			break
		}
		set(float64(s.y)/float64(s.x), &in)
	}
	v.Of = &of
}
