package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/training"
)

// columnsOfCustomers is a catalogue of everything that customers carry, and of the recency that it is held against. As a leak is looked for, demographic
// attributes are in as well.
const columnsOfCustomers = `version: 1
entries:
  - {name: usage_recency_days, measure: {source: usage, form: days_since_last}, unit: days, doc: d, words: w, missing: m}
  - {name: purchase_recency_days, measure: {source: purchases, form: days_since_last}, unit: days, doc: d, words: w, missing: m}
  - {name: touchpoint_recency_days, measure: {source: touchpoints, form: days_since_last}, unit: days, doc: d, words: w, missing: m}
  - {name: lead_source, measure: {source: customers, form: attribute, column: lead_source}, unit: level, doc: d, words: w, missing: m}
  - {name: segment, measure: {source: customers, form: attribute, column: segment}, unit: level, doc: d, words: w, missing: m}
  - {name: region, measure: {source: customers, form: attribute, column: region}, unit: level, doc: d, words: w, missing: m}
  - {name: plan, measure: {source: customers, form: attribute, column: plan}, unit: level, doc: d, words: w, missing: m}
  - {name: owner, measure: {source: customers, form: attribute, column: owner}, unit: level, doc: d, words: w, missing: m}
  - {name: timezone, measure: {source: customers, form: attribute, column: timezone}, unit: level, doc: d, words: w, missing: m}
  - {name: birth_year, measure: {source: customers, form: attribute, column: birth_year}, unit: number, doc: d, words: w, missing: m}
  - {name: "attribute_{each}", each: attributes, top: 200, measure: {source: customers, form: attribute, column: attributes}, unit: level, doc: d, words: w, missing: m}
`

// leakSeed draws the folds in which the levels of a category are measured.
const leakSeed = 1

// carried is a column or attribute of customers as it stands alone.
type carried struct {
	training.Separation
	name string // of the column or attribute
	used bool   // it is read in training: declared static, or always readable
}

// checkLeaks measures everything that customers carry by its AUC alone at the newest cutoff with known labels, as it stands today: what is declared
// static is believed to have been so then.
func checkLeaks(ctx context.Context, x *examination) (finding, error) {
	if x.profile(features.Customers).rows == 0 {
		return skip("customers has no rows"), nil
	}
	newest := slices.IndexFunc(x.labelled, func(l labelled) bool {
		churned, stayed, _ := l.labels.Counts()
		return min(churned, stayed) >= rulesOnly
	})
	if newest < 0 {
		return skip("no cutoff with known labels has %d churners and %d stayers", rulesOnly, rulesOnly), nil
	}
	at := x.labelled[newest]
	all, bar, err := x.carried(ctx, at)
	if err != nil {
		return finding{}, err
	}
	if len(all) == 0 {
		return fine("customers carry nothing that could tell the outcome"), nil
	}
	figures := Figures{"recency_rule": figureOf(bar)}
	var every, leaks, hidden, suspicious []string
	for _, c := range all {
		figures[c.name], figures[c.name+" missing"] = figureOf(c.AUC), figureOf(c.Missing)
		told := fmt.Sprintf("%s %.3f", c.name, c.AUC)
		if c.Missing > c.AUC {
			told = fmt.Sprintf("whether %s is missing %.3f", c.name, c.Missing)
		}
		every = append(every, told)
		switch {
		case c.Leaks() && c.used:
			leaks = append(leaks, told)
		case c.Leaks():
			hidden = append(hidden, told)
		case c.used && c.Suspicious(bar):
			suspicious = append(suspicious, told)
		}
	}
	rule := ""
	if !math.IsNaN(bar) {
		rule = fmt.Sprintf(" (the recency rule has %.3f)", bar)
	}
	note := ""
	if len(hidden) > 0 {
		note = "; " + strings.Join(hidden, ", ") + " knows the outcome, and stays out of training as long as it is not declared static: leave it so"
	}
	head := fmt.Sprintf("AUC alone at %s%s: ", dayOf(at.cutoff), rule)
	switch {
	case len(leaks) > 0:
		return wrong("take it out of sources.customers.static, or import customers with the instant at which it was known (--map ingested_at=COLUMN)",
			"%s%s: it knows the outcome%s", head, strings.Join(leaks, ", "), note).with(figures), nil
	case len(suspicious) > 0:
		return warn("check that it was known at the cutoff; if not, take it out of sources.customers.static",
			"%s%s, more than .08 above the recency rule%s", head, strings.Join(suspicious, ", "), note).with(figures), nil
	}
	return fine("%s%s%s", head, listOf(every), note).with(figures), nil
}

// carried measures what customers carry, the best first, and the recency rule; NaN where there is none.
func (x *examination) carried(ctx context.Context, at labelled) ([]carried, float64, error) {
	catalogue, err := features.ParseCatalogue([]byte(columnsOfCustomers))
	if err != nil {
		return nil, 0, err
	}
	binding := x.Store.Sources[features.Customers]
	store := &features.Store{DB: x.Store.DB, Sources: bare(x.Store.Sources, false)}
	if catalogue, err = catalogue.Resolve(ctx, store, []time.Time{at.cutoff}); err != nil {
		return nil, 0, err
	}
	snapshot, err := store.Snapshot(ctx, catalogue, at.population)
	if err != nil {
		return nil, 0, err
	}
	d := (&features.Dataset{X: snapshot.X, Y: at.labels.Y, Customer: snapshot.Customer}).Take(known(at.labels.Y, mostMeasured))
	separations, err := training.Separations(ctx, d, leakSeed)
	if err != nil {
		return nil, 0, err
	}
	bar, ok := training.RecencyAUC(separations, d, x.Churn)
	if !ok {
		bar = math.NaN()
	}
	mapped := x.profile(features.Customers).mapped > 0
	var out []carried
	for _, s := range separations {
		e, _ := catalogue.Entry(s.Feature)
		if e.Measure.Source != features.Customers || allMissing(d, s.Feature) {
			continue
		}
		name := e.Measure.Column
		if e.Measure.Key != "" {
			name = e.Measure.Key
		}
		out = append(out, carried{s, name, mapped || name == "timezone" || slices.Contains(binding.Static, name)})
	}
	slices.SortStableFunc(out, func(a, b carried) int {
		return int(math.Copysign(1, max(b.AUC, b.Missing)-max(a.AUC, a.Missing)))
	})
	return out, bar, nil
}

// mostMeasured bounds the rows whose order is looked at: an AUC from so many is known to .005.
const mostMeasured = 50_000

// known are the rows that have a label, evenly spaced ones where there are more than most.
func known(y []float64, most int) []int {
	var rows []int
	for i, v := range y {
		if !math.IsNaN(v) {
			rows = append(rows, i)
		}
	}
	step := (len(rows) + most - 1) / most
	if step <= 1 {
		return rows
	}
	out := make([]int, 0, most)
	for i := 0; i < len(rows); i += step {
		out = append(out, rows[i])
	}
	return out
}

func allMissing(d *features.Dataset, name string) bool {
	j := slices.IndexFunc(d.X.Schema, func(c features.Column) bool { return c.Name == name })
	return !slices.ContainsFunc(d.X.X[j], func(v float32) bool { return v == v })
}
