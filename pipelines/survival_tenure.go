package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/models/survival"
)

// TenureOptions say which curves to draw.
type TenureOptions struct {
	Churn features.ChurnSpec
	By    features.TenureGroup
	Since time.Time // who left before it is not on record; zero = the first row of the label's sources
	Step  int       // days between two points of a curve; 0 = 30
}

// TenureReport is the JSON of `retain survival`.
type TenureReport struct {
	Setting   features.Setting     `json:"setting"`
	By        features.TenureGroup `json:"by"` // "" = one curve
	Since     time.Time            `json:"since"`
	Until     time.Time            `json:"until"` // for how long it is known who left
	Customers int                  `json:"customers"`
	Left      int                  `json:"left"`
	LeftOut   int                  `json:"left_out"` // customers who had left by Since, or whose first day is not over yet
	Curves    []TenureCurve        `json:"curves"`   // everyone first, then the groups, largest first
	LogRank   *TenureTest          `json:"log_rank"` // whether the groups differ; null without two
	Warnings  []string             `json:"warnings"`
}

// TenureCurve is the Kaplan–Meier estimate of one group. All times are days of tenure.
type TenureCurve struct {
	Group     string        `json:"group"` // "" = everyone
	Customers int           `json:"customers"`
	Left      int           `json:"left"`
	From      *float64      `json:"from_days"`  // the least tenure at which ten customers are at risk; null: there is no curve
	Until     *float64      `json:"until_days"` // the greatest one that was observed
	Median    *float64      `json:"median_days"`
	Low       *float64      `json:"median_low"`
	High      *float64      `json:"median_high"`
	Mean      *float64      `json:"mean_days"` // between from_days and mean_until_days: the area under the curve
	MeanError *float64      `json:"mean_standard_error"`
	MeanUntil *float64      `json:"mean_until_days"` // the same for all curves, where they are comparable
	Points    []TenurePoint `json:"points"`

	Curve *survival.Curve `json:"-"`
}

// TenurePoint is the estimate at one tenure.
type TenurePoint struct {
	Tenure   float64  `json:"tenure_days"`
	AtRisk   int      `json:"at_risk"`  // customers of this tenure under observation
	Survival *float64 `json:"survival"` // share of those of from_days who are still there
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// TenureTest is the log-rank test.
type TenureTest struct {
	Statistic *float64 `json:"statistic"`
	Freedom   int      `json:"degrees_of_freedom"`
	P         *float64 `json:"p"`
}

const (
	defaultTenureStep = 30
	maxTenurePoints   = 400
	maxTenureGroups   = 12 // the largest; the others make one more
)

const (
	othersGroup  = "(others)" // beyond maxTenureGroups
	unknownGroup = "(unknown)"
)

// Tenure estimates how many customers are left by tenure, everyone and per group.
func Tenure(ctx context.Context, store *features.Store, o TenureOptions) (*TenureReport, error) {
	if o.Step == 0 {
		o.Step = defaultTenureStep
	}
	t, err := store.Tenures(ctx, o.Churn, o.By)
	if err != nil {
		return nil, err
	}
	r := &TenureReport{Setting: o.Churn.Setting, By: o.By, Since: t.Since, Until: t.Until, Curves: []TenureCurve{}, Warnings: []string{}}
	if !o.Since.IsZero() {
		r.Since = o.Since.UTC()
	}
	var all []survival.Life
	groups := map[string][]survival.Life{}
	for i := range t.Customer {
		life, ok := tenureLife(t, i, r.Since)
		if !ok {
			r.LeftOut++
			continue
		}
		all = append(all, life)
		if o.By != features.Ungrouped {
			group := cmp.Or(t.Group[i], unknownGroup)
			groups[group] = append(groups[group], life)
		}
		if life.Left {
			r.Left++
		}
	}
	r.Customers = len(all)
	if warning := leaversMissing(t, r.Since, o.Churn); warning != "" {
		r.Warnings = append(r.Warnings, warning)
	}
	until := r.curves(all, groups, o.Step)
	for i := range r.Curves {
		r.Curves[i].mean(until)
	}
	return r, r.test(groups)
}

// tenureLife is one customer's life under observation, (tenure at the later of since and its first record, tenure at the end]; ok is false if there is nothing of it.
func tenureLife(t *features.Tenures, i int, since time.Time) (life survival.Life, ok bool) {
	days := func(ms int64) float64 { return float64(ms-t.Born[i]) / (24 * 3_600_000) }
	entry, end := max(t.First[i], since.UnixMilli()), t.Until.UnixMilli()
	if left := t.Left[i]; left < end {
		// One who leaves at the very instant of the first record was there for it.
		life, end = survival.Life{Left: true}, left
		if left == t.First[i] {
			end++
		}
	}
	life.Entry, life.Exit = days(entry), days(end)
	return life, end > entry
}

// leaversMissing warns where many were there for long before anybody is seen to leave: then the records seem to begin with those who
// were still there, and survival looks better than it was.
func leaversMissing(t *features.Tenures, since time.Time, c features.ChurnSpec) string {
	left := slices.Clone(t.Left)
	left = slices.DeleteFunc(left, func(ms int64) bool { return ms == features.StillThere || ms < since.UnixMilli() })
	if len(left) == 0 {
		return ""
	}
	first := time.UnixMilli(slices.Min(left)).UTC()
	quiet := first.Sub(since)
	if c.Setting == features.NonContractual { // nobody can leave sooner
		quiet -= time.Duration(c.HorizonDays) * 24 * time.Hour
	}
	there := 0
	for i := range t.First {
		if t.First[i] < first.UnixMilli() {
			there++
		}
	}
	const longest, least = 90 * 24 * time.Hour, 50
	if quiet < max(longest, t.Until.Sub(since)/10) || there < least {
		return ""
	}
	from := first.Add(-time.Millisecond).Truncate(24 * time.Hour)
	return fmt.Sprintf("%d customers were there before anybody is seen to leave, on %s, and the records begin on %s: those who left before seem to be missing. `--since %s` counts from there",
		there, first.Format(time.DateOnly), since.Format(time.DateOnly), from.Format(time.DateOnly))
}

// curves estimates everyone and the groups, and returns the greatest tenure that all curves reach.
func (r *TenureReport) curves(all []survival.Life, groups map[string][]survival.Life, step int) (until float64) {
	until = math.Inf(1)
	add := func(group string, lives []survival.Life) {
		c := TenureCurve{Group: group, Customers: len(lives), Points: []TenurePoint{}}
		for _, l := range lives {
			if l.Left {
				c.Left++
			}
		}
		curve, err := survival.KaplanMeier{}.Fit(lives)
		if errors.Is(err, survival.ErrTooFew) {
			r.Curves = append(r.Curves, c)
			return
		}
		c.Curve, c.From, c.Until = curve, &curve.From, &curve.Until
		median, low, high := curve.Median()
		c.Median, c.Low, c.High = orNull(median), orNull(low), orNull(high)
		until = min(until, curve.Until)
		for day := 0.; day <= curve.Until && len(c.Points) < maxTenurePoints; day += float64(step) {
			p := curve.At(day)
			c.Points = append(c.Points, TenurePoint{Tenure: day, AtRisk: p.AtRisk, Survival: orNull(p.Survival), Low: orNull(p.Low), High: orNull(p.High)})
		}
		r.Curves = append(r.Curves, c)
	}
	add("", all)
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(groups[b]), len(groups[a])), cmp.Compare(a, b))
	})
	for k, name := range names {
		if k == maxTenureGroups && len(names) > maxTenureGroups+1 {
			var others []survival.Life
			for _, rest := range names[k:] {
				others = append(others, groups[rest]...)
				delete(groups, rest)
			}
			groups[othersGroup] = others
			add(othersGroup, others)
			break
		}
		add(name, groups[name])
	}
	return until
}

// mean is the restricted mean until the tenure that all curves reach.
func (c *TenureCurve) mean(until float64) {
	if c.Curve == nil {
		return
	}
	mean, se := c.Curve.Mean(until)
	if c.Mean, c.MeanError = orNull(mean), orNull(se); c.Mean != nil {
		c.MeanUntil = &until
	}
}

// test compares the groups; customers whose group is not known stay out.
func (r *TenureReport) test(groups map[string][]survival.Life) error {
	var known [][]survival.Life
	for _, c := range r.Curves[1:] {
		if c.Group != unknownGroup {
			known = append(known, groups[c.Group])
		}
	}
	if len(known) < 2 {
		return nil
	}
	test, err := survival.CompareGroups(known...)
	if err != nil {
		return fmt.Errorf("compare the groups: %w", err)
	}
	r.LogRank = &TenureTest{Statistic: orNull(test.Statistic), Freedom: test.Freedom, P: orNull(test.P)}
	return nil
}
