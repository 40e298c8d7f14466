package kpi

import (
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// By is what figures are broken down by.
type By string

// The breakdowns. Each comes beside the figure of everyone.
const (
	Everyone     By = ""
	ByStage      By = "stage"       // the lifecycle stage at the begin of the month
	BySegment    By = "segment"     // of the customer's newest row
	ByLeadSource By = "lead_source" // of the customer's newest row, else of its first touchpoint that tells one
)

// Breakdowns are those that can be asked for by name.
var Breakdowns = []By{ByStage, BySegment, ByLeadSource}

// Bounds of what is asked for.
const (
	MaxMonths  = 120
	maxSlices  = 40 // of one breakdown; customers of rarer ones are gathered in Other
	defaultRun = 12 // months, where none are named
)

// Other gathers the customers of the rarer segments or lead sources where there are more than 40.
const Other = "(other)"

// Options say which figures to count.
type Options struct {
	Cutoff   time.Time            // exclusive, in both clocks; required
	From, To time.Time            // months that begin in [From, To); zero From: the last 12 until To, zero To: those that are over at the cutoff
	By       By                   // "" = everyone alone
	Names    []string             // figures to count; none = all of them
	Churn    features.ChurnSpec   // who is there and who has left; required
	Stages   []string             // the stages in their order, the first ones first; none = by-stage figures are left out
	Sets     []warehouse.StageSet // the stages of month starts that are on record

	Thresholds Thresholds
	// Costs are what contacts of an action cost, in the currency of the sources. Contacts of other actions, and newsletters, cost nothing.
	Costs map[string]float64
}

// Thresholds are where the definitions draw a line. The zero value of each means its default.
type Thresholds struct {
	ActivationFeatures int // distinct features in the first 30 days from which on a customer counts as activated; 0 = 3
	LateHours          int // after which a first reply is late; 0 = 24, as in the features
	NeglectDays        int // without contact or benefit; 0 = 90
	EarlyDays          int // within which the next purchase has to follow; 0 = the horizon of the label
}

// onboardingDays is the begin of a customer's life, as in the feature of that name.
const onboardingDays = 30

// repeatDays is the window of the repeat purchase rate.
const repeatDays = 365

// Month is a calendar month, [Start, End).
type Month struct{ Start, End time.Time }

func (m Month) code() uint32 { return uint32(m.Start.Year()*100 + int(m.Start.Month())) }

// fill sets the defaults.
func (o *Options) fill() {
	t := &o.Thresholds
	for _, d := range []struct {
		to   *int
		days int
	}{{&t.ActivationFeatures, 3}, {&t.LateHours, 24}, {&t.NeglectDays, 90}, {&t.EarlyDays, o.Churn.HorizonDays}} {
		if *d.to == 0 {
			*d.to = d.days
		}
	}
	o.Cutoff = o.Cutoff.UTC()
}

// UsageError says what is wrong with what was asked for.
type UsageError struct{ Fault string }

func (e *UsageError) Error() string { return e.Fault }

// months are those asked for, oldest first: over at the cutoff, at most MaxMonths.
func (o Options) months() ([]Month, error) {
	last := monthStart(o.Cutoff) // the first month that is not over
	until := last
	if !o.To.IsZero() && o.To.Before(last) {
		until = monthStart(o.To.UTC().Add(-1)).AddDate(0, 1, 0)
	}
	from := until.AddDate(0, -defaultRun, 0)
	if !o.From.IsZero() {
		if from = monthStart(o.From); from.Before(o.From) {
			from = from.AddDate(0, 1, 0)
		}
	}
	var months []Month
	for t := from; t.Before(until); t = t.AddDate(0, 1, 0) {
		if len(months) == MaxMonths {
			return nil, &UsageError{fmt.Sprintf("%s to %s are more than %d months", from.Format("2006-01"), until.Format("2006-01"), MaxMonths)}
		}
		months = append(months, Month{t, t.AddDate(0, 1, 0)})
	}
	if len(months) == 0 {
		return nil, &UsageError{fmt.Sprintf("no month that begins on or after %s is over at %s", from.Format(time.DateOnly), earlier(until, o.Cutoff).Format(time.DateOnly))}
	}
	return months, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func monthStart(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// chosen are the figures asked for, in the order of the catalogue.
func (o Options) chosen() ([]*figure, error) {
	var chosen []*figure
	for i := range catalogue {
		if len(o.Names) == 0 || slices.Contains(o.Names, catalogue[i].name) {
			chosen = append(chosen, &catalogue[i])
		}
	}
	for _, name := range o.Names {
		if !slices.ContainsFunc(catalogue, func(f figure) bool { return f.name == name }) {
			return nil, &UsageError{fmt.Sprintf("there is no key figure %q; there are %s", name, listed(Names()))}
		}
	}
	return chosen, nil
}

func (o Options) validate() error {
	if o.By != Everyone && !slices.Contains(Breakdowns, o.By) {
		return &UsageError{fmt.Sprintf("figures cannot be broken down by %q; there are %s", string(o.By), listed(Breakdowns))}
	}
	t := o.Thresholds
	for _, bound := range []struct {
		name      string
		v, lo, hi int
	}{{"activation features", t.ActivationFeatures, 1, 1000}, {"hours until late", t.LateHours, 1, 8760}, {"days of neglect", t.NeglectDays, 1, 3650}, {"days of early churn", t.EarlyDays, 1, 3650}} {
		if bound.v < bound.lo || bound.v > bound.hi {
			return &UsageError{fmt.Sprintf("%s: %d is not between %d and %d", bound.name, bound.v, bound.lo, bound.hi)}
		}
	}
	return o.Churn.Validate()
}
