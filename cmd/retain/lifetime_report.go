package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"retain/internal/spoken"
	"retain/models/lifetime"
)

// lifetimeReport is the JSON of `retain lifetime fit`: contract.md §3, and more. The parameters at the top are those of the counts.
type lifetimeReport struct {
	lifetimeCounts
	Customers   int               `json:"customers"`
	Repeaters   int               `json:"repeaters"`
	Unit        string            `json:"unit"`
	Cutoff      *time.Time        `json:"cutoff"` // null of a table
	Alive       lifetimeCounts    `json:"alive"`  // the model behind the probability to be alive
	Spend       *lifetimeSpend    `json:"spend"`  // null where no spend is known
	Check       lifetimeCheck     `json:"check"`
	Backtest    *lifetimeBacktest `json:"backtest"`  // null of a table or a short history
	Fallbacks   []string          `json:"fallbacks"` // what took whose place, and why
	HorizonDays int               `json:"horizon_days"`
	Discount    float64           `json:"discount_rate"`
	Margin      float64           `json:"gross_margin"`
	Totals      []lifetimeTotal   `json:"totals"` // by repeat purchases; the last is everyone
	Seconds     float64           `json:"seconds"`
}

// lifetimeCounts is one fitted model of counts. What a fallback does not have is null.
type lifetimeCounts struct {
	Model string   `json:"model"`
	R     *float64 `json:"r"`
	Alpha *float64 `json:"alpha"`
	A     *float64 `json:"a"`
	B     *float64 `json:"b"`
	lifetimeFit
}

// lifetimeFit tells how a fit ended.
type lifetimeFit struct {
	LogLikelihood  *float64  `json:"log_likelihood"`
	Converged      bool      `json:"converged"`
	StandardErrors []float64 `json:"standard_errors"` // in the order of the parameters; null where they are not defined
	GradientNorm   *float64  `json:"gradient_norm"`
	Steps          int       `json:"steps"`
	Starts         int       `json:"starts"`
	AtLimit        []string  `json:"at_limit"` // parameters that the data do not tell from 0 or infinity
}

type lifetimeSpend struct {
	Model       string   `json:"model"`
	P           *float64 `json:"p"`
	Q           *float64 `json:"q"`
	Gamma       *float64 `json:"gamma"`
	Mean        float64  `json:"population_mean"`
	PriorDays   *float64 `json:"prior_days"` // null: everyone spends the same
	Customers   int      `json:"customers"`  // with a repeat purchase of an amount above 0
	Correlation *float64 `json:"correlation"`
	lifetimeFit
}

type lifetimeCheck struct {
	Repeats          float64  `json:"repeats"`
	ExpectedRepeats  float64  `json:"expected_repeats"`
	RepeatsRatio     *float64 `json:"repeats_ratio"`
	OnceOnly         float64  `json:"once_only"`
	ExpectedOnceOnly float64  `json:"expected_once_only"`
	OnceOnlyRatio    *float64 `json:"once_only_ratio"`
}

// lifetimeBacktest is what the same fit would have said some days before the cutoff, and what came.
type lifetimeBacktest struct {
	Cutoff    time.Time `json:"cutoff"`
	Days      int       `json:"days"`
	Customers int       `json:"customers"`
	Model     string    `json:"model"`
	Expected  float64   `json:"expected_purchases"`
	Observed  int       `json:"observed_purchases"`
	Ratio     *float64  `json:"ratio"` // observed / expected
}

type lifetimeTotal struct {
	Repeats    string   `json:"repeats"` // 0, 1, 2-4, 5+, all
	Customers  int      `json:"customers"`
	Alive      *float64 `json:"alive"`       // expected number; null where the model does not know
	NoPurchase float64  `json:"no_purchase"` // expected number who buy nothing within the horizon
	Purchases  float64  `json:"purchases"`   // expected days with a purchase within the horizon
	Value      *float64 `json:"value"`       // expected margin within the horizon, discounted; null where no spend is known
}

// totalBounds are the least repeat purchases of the rows of totals.
var totalBounds = []struct {
	least int
	name  string
}{{0, "0"}, {1, "1"}, {2, "2-4"}, {5, "5+"}}

func newLifetimeReport(m *lifetime.Model, histories []lifetime.History, terms lifetime.Terms) (*lifetimeReport, error) {
	check := m.Adequacy(histories)
	r := &lifetimeReport{
		lifetimeCounts: newLifetimeCounts(m.Counts, m.CountsFit, m), Customers: m.Customers, Repeaters: m.Repeaters, Alive: newLifetimeCounts(m.Presence, m.PresentFit, m),
		Check: lifetimeCheck{
			check.Repeats, check.ExpectedRepeats, defined(check.RepeatsRatio), check.OnceOnly, check.ExpectedOnceOnly, defined(check.OnceOnlyRatio),
		},
		Fallbacks: append([]string{}, m.Fallbacks...), Discount: terms.DiscountRate, Margin: terms.GrossMargin,
	}
	if s := m.Spend; s != nil {
		r.Spend = &lifetimeSpend{
			Model: s.Name, Mean: s.Population, PriorDays: defined(s.Prior), Customers: m.SpendCustomers, Correlation: defined(m.SpendCorrelation),
		}
		own := m.SpendFit
		if s.Name == lifetime.GammaGamma {
			r.Spend.P, r.Spend.Q, r.Spend.Gamma = &s.P, &s.Q, &s.Gamma
		} else if own.Converged { // but may not be used: its figures are not those of what is
			own = lifetime.Convergence{}
		}
		r.Spend.lifetimeFit = newLifetimeFit(own)
	}
	forecaster, err := m.Forecaster(terms)
	if err != nil {
		return nil, err
	}
	groups := make([]lifetimeTotal, len(totalBounds)+1)
	for i := range groups {
		groups[i] = lifetimeTotal{Repeats: "all", Alive: new(float64), Value: new(float64)}
		if i < len(totalBounds) {
			groups[i].Repeats = totalBounds[i].name
		}
	}
	for _, h := range histories {
		f, err := forecaster.Of(h)
		if err != nil {
			return nil, err
		}
		own := 0
		for own+1 < len(totalBounds) && h.Repeats >= totalBounds[own+1].least {
			own++
		}
		for _, g := range []*lifetimeTotal{&groups[own], &groups[len(totalBounds)]} {
			g.Customers++
			g.NoPurchase += f.NoPurchase
			g.Purchases += f.Purchases
			*g.Alive += f.Alive
			*g.Value += f.Value
		}
	}
	for i := range groups { // also of a group without customers
		if m.Presence.Name == lifetime.ShrunkenRates {
			groups[i].Alive = nil
		}
		if m.Spend == nil {
			groups[i].Value = nil
		}
	}
	r.Totals = groups
	return r, nil
}

// newLifetimeCounts tells a model of m with the fit that it came from; of a fallback, where the fit that it stands for was left.
func newLifetimeCounts(c lifetime.CountModel, own lifetime.Convergence, m *lifetime.Model) lifetimeCounts {
	switch c.Name {
	case lifetime.BGNBD:
		own = m.CountsFit
	case lifetime.MBGNBD:
		own = m.PresentFit
	default:
		return lifetimeCounts{Model: c.Name, lifetimeFit: newLifetimeFit(own)}
	}
	return lifetimeCounts{Model: c.Name, R: &c.R, Alpha: &c.Alpha, A: &c.A, B: &c.B, lifetimeFit: newLifetimeFit(own)}
}

func newLifetimeFit(c lifetime.Convergence) lifetimeFit {
	if c.Starts == 0 { // there is nothing of a fit to tell
		return lifetimeFit{AtLimit: []string{}}
	}
	fit := lifetimeFit{
		Converged: c.Converged, StandardErrors: c.StandardError, GradientNorm: defined(c.GradientNorm),
		Steps: c.Steps, Starts: c.Starts, AtLimit: append([]string{}, c.AtLimit...),
	}
	if c.Converged {
		fit.LogLikelihood = defined(c.LogLikelihood)
	}
	return fit
}

func printLifetime(w io.Writer, r *lifetimeReport) {
	fmt.Fprintf(w, "%s, %s of them bought on a second day", spoken.Counted(r.Customers, "customer"), spoken.Count(r.Repeaters))
	if r.Cutoff != nil {
		fmt.Fprintf(w, "; purchases as known at %s", r.Cutoff.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "; times in %s\n\n", r.Unit)
	table(w, func(line func(string, ...any)) {
		line("model\tof\tparameters (standard errors)\tlog-likelihood\tfit")
		line("%s\tpurchases\t%s\t%s", lifetime.Spoken(r.Model), r.parameters(), r.words())
		line("%s\tstill there\t%s\t%s", lifetime.Spoken(r.Alive.Model), r.Alive.parameters(), r.Alive.words())
		if s := r.Spend; s != nil {
			line("%s\tspend a day\t%s\t%s", lifetime.Spoken(s.Model), s.parameters(), s.words())
		}
	})
	for _, why := range r.Fallbacks {
		fmt.Fprintln(w, "fallback: "+why)
	}
	for _, fit := range []struct {
		model string
		lifetimeFit
	}{{r.Model, r.lifetimeFit}, {r.Alive.Model, r.Alive.lifetimeFit}} {
		if len(fit.AtLimit) > 0 {
			fmt.Fprintf(w, "%s: the data do not tell %s from 0 or infinity; the forecasts hold, the parameters mean little by themselves\n", lifetime.Spoken(fit.model), strings.Join(fit.AtLimit, ", "))
		}
	}
	fmt.Fprintln(w, "\nchecks")
	c := r.Check
	table(w, func(line func(string, ...any)) {
		line("\tobserved\texpected\tratio")
		line("repeat purchases\t%s\t%s\t%s", whole(c.Repeats), whole(c.ExpectedRepeats), figure(c.RepeatsRatio, 3))
		line("customers who bought once only\t%s\t%s\t%s", whole(c.OnceOnly), whole(c.ExpectedOnceOnly), figure(c.OnceOnlyRatio, 3))
		if b := r.Backtest; b != nil {
			line("fitted at %s, purchases in the %d days from then\t%s\t%s\t%s", day(b.Cutoff), b.Days, spoken.Count(b.Observed), whole(b.Expected), figure(b.Ratio, 3))
		}
	})
	if s := r.Spend; s != nil {
		fmt.Fprintf(w, "correlation of the number of purchases with the mean spend: %s (%s)\n", figure(s.Correlation, 3), spoken.Counted(s.Customers, "customer"))
	}
	fmt.Fprintf(w, "\nthe next %d days (value: gross margin %v, discounted at %v a year)\n", r.HorizonDays, r.Margin, r.Discount)
	table(w, func(line func(string, ...any)) {
		line("repeat purchases\tcustomers\tstill there\tbuy nothing\tpurchases\tvalue")
		for _, t := range r.Totals {
			alive, value := "–", "–"
			if t.Alive != nil {
				alive = whole(*t.Alive)
			}
			if t.Value != nil {
				value = whole(*t.Value)
			}
			line("%s\t%s\t%s\t%s\t%s\t%s", t.Repeats, spoken.Count(t.Customers), alive, whole(t.NoPurchase), whole(t.Purchases), value)
		}
	})
}

// whole writes a number as people count.
func whole(v float64) string { return spoken.Count(int64(math.Round(v))) }

func (c lifetimeCounts) parameters() string {
	if c.R == nil {
		return "–"
	}
	return withErrors([]string{"r", "alpha", "a", "b"}, []float64{*c.R, *c.Alpha, *c.A, *c.B}, c.StandardErrors)
}

func (s *lifetimeSpend) parameters() string {
	if s.P == nil {
		return fmt.Sprintf("population %.4g, weighs %s days", s.Mean, figure(s.PriorDays, 2))
	}
	return withErrors([]string{"p", "q", "gamma"}, []float64{*s.P, *s.Q, *s.Gamma}, s.StandardErrors)
}

func withErrors(names []string, values, errors []float64) string {
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %.4f", name, values[i])
		if errors != nil {
			parts[i] += fmt.Sprintf(" (%.4f)", errors[i])
		}
	}
	return strings.Join(parts, ", ")
}

// words are the last two cells of a model's line.
func (f lifetimeFit) words() string {
	how := "converged"
	switch {
	case f.Starts == 0:
		return "–\tnot fitted"
	case !f.Converged:
		how = "not converged"
	}
	return fmt.Sprintf("%s\t%s in %d steps, %d starts, gradient %s", figure(f.LogLikelihood, 2), how, f.Steps, f.Starts, scientific(f.GradientNorm))
}

// scientific writes an optional small number with its power of ten.
func scientific(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.0e", *v)
}
