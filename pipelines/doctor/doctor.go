// Package doctor examines a warehouse before a model is trained on it: whether it can be reached, whether its sources are whole, fresh
// and coherent with each other, whether a column knows the outcome, and whether there are labels enough. It reads only.
//
// Every check is one small function in a table. What it finds has a status, a message with figures, and a mend: one concrete next step.
package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/training/metrics"
)

// Status is how a check ended.
type Status string

// The statuses, from good to bad. A skipped check says why in its message.
const (
	OK      Status = "ok"
	Skipped Status = "skipped"
	Warning Status = "warning" // worth a look: figures may be worse than they need be
	Error   Status = "error"   // what is built on this is wrong, or cannot be built
)

// Figures are the numbers behind a message, by name. An undefined one is null in JSON.
type Figures map[string]metrics.Figure

// Check is one finding.
type Check struct {
	Name    string  `json:"name"` // area.subject, for example usage.freshness
	Status  Status  `json:"status"`
	Message string  `json:"message"`
	Mend    string  `json:"mend"`              // the next step; "" where there is nothing to mend
	Source  string  `json:"source,omitempty"`  // the source it is about
	Figures Figures `json:"figures,omitempty"` // shares lie in [0, 1], ages are days
}

// Area is the first part of the name.
func (c Check) Area() string {
	area, _, _ := strings.Cut(c.Name, ".")
	return area
}

// Report is what an examination found, in the order of the checks.
type Report struct {
	Checks []Check `json:"checks"`
}

// Count is the number of checks that ended so.
func (r *Report) Count(s Status) int {
	n := 0
	for _, c := range r.Checks {
		if c.Status == s {
			n++
		}
	}
	return n
}

// Options say what is examined.
type Options struct {
	Store    *features.Store    // required
	Churn    features.ChurnSpec // required: the label specification
	Grid     features.Grid      // where snapshots for training stand
	Currency string             // the one currency of the warehouse; "" = none is configured
	URL      string             // how the warehouse is called in messages, without a password
	Now      func() time.Time   // nil means time.Now
}

// finding is what a check returns; the table adds its name.
type finding struct {
	Status  Status
	Message string
	Mend    string
	Figures Figures
}

// check is one line of the table of the warehouse as a whole.
type check struct {
	name string
	run  func(context.Context, *examination) (finding, error)
}

// sourceCheck is one line of the table of each source.
type sourceCheck struct {
	subject string
	sources []string // nil = all
	run     func(context.Context, *examination, *profile) (finding, error)
}

// before are the checks that come first.
var before = []check{
	{"connection.server", checkServer},
	{"connection.schema", checkSchema},
}

// bySource are the checks of a source that has rows.
var bySource = []sourceCheck{
	{"rows", nil, checkRows},
	{"freshness", nil, checkFreshness},
	{"future", nil, checkFuture},
	{"duplicates", nil, checkDuplicates},
	{"ids", identified, checkSharedIDs},
	{"missing", nil, checkMissing},
	{"clock", facts, checkClock},
	{"customers", facts, checkCustomers},
	{"begin", began, checkBegin},
	{"end", []string{features.Usage, features.Purchases}, checkEnd},
	{"own_subscription", []string{features.Usage}, checkOwnSubscription},
	{"silent", []string{features.Customers}, checkSilent},
	{"timezones", []string{features.Customers}, checkTimezones},
	{"currency", []string{features.Purchases}, checkCurrency},
	{"ends_at", []string{features.Subscriptions}, checkEndsAt},
	{"overlaps", []string{features.Subscriptions}, checkOverlaps},
	{"at_once", []string{features.Subscriptions}, checkAtOnce},
	{"kinds", []string{features.Surveys}, checkKinds},
	{"answers", []string{features.Surveys}, checkAnswers},
	{"outages", []string{features.Usage, features.Purchases, features.Tickets, features.Touchpoints}, checkOutages},
}

// after are the checks that look at several sources, and at the labels.
var after = []check{
	{"sources.age", checkAge},
	{"sources.clocks", checkShift},
	{"configuration.setting", checkSetting},
	{"configuration.static", checkStatic},
	{"label.watermark", checkWatermark},
	{"label.cutoffs", checkCutoffs},
	{"label.coverage", checkCoverage},
	{"label.leaks", checkLeaks},
}

// Examine runs every check. A check that cannot be run is a finding with status error; Examine itself fails only when ctx ends.
func Examine(ctx context.Context, o Options) (report *Report, err error) {
	x := newExamination(o)
	defer func() { err = errors.Join(err, x.close(context.WithoutCancel(ctx))) }()
	report = &Report{Checks: []Check{}}
	add := func(name, source string, run func() (finding, error)) error {
		f, err := run()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			f = finding{Status: Error, Message: "cannot be read: " + firstLine(err), Mend: mendOf(err, source)}
		}
		report.Checks = append(report.Checks, Check{Name: name, Status: f.Status, Message: f.Message, Mend: f.Mend, Source: source, Figures: f.Figures})
		return nil
	}
	whole := func(table []check) error {
		for _, c := range table {
			if err := add(c.name, "", func() (finding, error) { return c.run(ctx, x) }); err != nil {
				return err
			}
		}
		return nil
	}
	if err := whole(before); err != nil {
		return nil, err
	}
	x.readProfiles(ctx)
	for _, l := range layouts {
		p, failed := x.profiles[l.name], x.failed[l.name]
		if failed != nil || p.rows == 0 {
			if err := add(l.name+".rows", l.name, func() (finding, error) { return absent(l, x), failed }); err != nil {
				return nil, err
			}
			continue
		}
		for _, c := range bySource {
			if c.sources != nil && !slices.Contains(c.sources, l.name) {
				continue
			}
			if err := add(l.name+"."+c.subject, l.name, func() (finding, error) { return c.run(ctx, x, p) }); err != nil {
				return nil, err
			}
		}
		for _, o := range oddities {
			if o.source != l.name {
				continue
			}
			if err := add(l.name+"."+o.subject, l.name, func() (finding, error) { return o.judge(p), nil }); err != nil {
				return nil, err
			}
		}
	}
	if _, ok := o.Store.Sources[features.OwnFeatures]; ok {
		if err := whole(ownFeatures); err != nil {
			return nil, err
		}
	}
	return report, whole(after)
}
