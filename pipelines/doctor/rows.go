package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
)

// absent is the finding about a source without rows.
func absent(l layout, x *examination) finding {
	if x.Store.Sources[l.name].Table != "" {
		return warn(fmt.Sprintf("fill %s, or take sources.%s out of retain.yaml", x.Store.Sources[l.name].Table, l.name), "your own table %s has no rows", x.Store.Sources[l.name].Table)
	}
	return skip("no rows; features of %s drop out of training (`retain import %s FILE` fills it)", l.name, l.name)
}

func checkRows(ctx context.Context, x *examination, p *profile) (finding, error) {
	figures := Figures{"rows": figure(p.rows), "dated": figure(p.dated)}
	if table := x.Store.Sources[p.layout.name].Table; table != "" && p.layout.name != features.Customers {
		got, err := x.one(ctx, "SELECT toInt64(count()) AS n FROM "+features.QuoteTable(table))
		if err != nil {
			return finding{}, err
		}
		figures["left_out"] = figure(got["n"] - p.rows)
		if out := got["n"] - p.rows; out > 0 {
			return warn(fmt.Sprintf("find out whose they are; else let a view leave them out, and name it in sources.%s.table", p.layout.name),
				"%s of %s of %s have no customer_id or no time, and are left out", spoken.Count(out), spoken.Counted(got["n"], "row"), table).with(figures), nil
		}
	}
	if p.dated == 0 {
		return fine("%s, none with %s", spoken.Counted(p.rows, "row"), p.layout.time).with(figures), nil
	}
	figures["span_days"] = figureOf(p.last.Sub(p.first).Hours() / 24)
	return fine("%s, %s to %s (%s)", spoken.Counted(p.rows, "row"), dayOf(p.first), dayOf(p.last), days(p.last.Sub(p.first))).with(figures), nil
}

const (
	staleDays    = 3   // the newest row of a warehouse that is filled every night is younger
	historicDays = 730 // nobody waits two years for a feed: this is a history that ended
)

func checkFreshness(_ context.Context, x *examination, p *profile) (finding, error) {
	if p.newest.IsZero() {
		return skip("no row has a time that is not in the future"), nil
	}
	age, behind := x.now.Sub(p.newest), max(x.dataEnd().Sub(p.newest), 0)
	figures := Figures{"age_days": figureOf(age.Hours() / 24), "behind_days": figureOf(behind.Hours() / 24)}
	gap := p.last.Sub(p.first).Hours() / 24 / float64(p.dated) // days between rows, on average
	name := p.layout.name
	switch {
	case name != features.Customers && behind > time.Duration(p.layout.pause)*day && behind.Hours()/24 > 20*gap:
		return warn(fmt.Sprintf("import what came since %s: retain import %s FILE", dayOf(p.newest), name),
			"the newest row is of %s, %s before the newest of the other sources", dayOf(p.newest), days(behind)).with(figures), nil
	case behind >= day:
		return fine("the newest row is of %s, %s before the newest of the other sources", dayOf(p.newest), days(behind)).with(figures), nil
	}
	return fine("the newest row is of %s, %s", dayOf(p.newest), past(age)).with(figures), nil
}

// checkAge looks how old the newest row of all is.
func checkAge(_ context.Context, x *examination) (finding, error) {
	end := x.dataEnd()
	if end.IsZero() {
		return wrong("retain import SOURCE FILE", "no source of events has rows"), nil
	}
	age := x.now.Sub(end)
	figures := Figures{"age_days": figureOf(age.Hours() / 24)}
	told := fmt.Sprintf("the newest row of all is of %s, %s", dayOf(end), past(age))
	switch {
	case age > historicDays*day:
		return fine("%s: a history that has ended, so cutoffs count from there", told).with(figures), nil
	case age > staleDays*day:
		return warn(fmt.Sprintf("import what came since %s: retain import SOURCE FILE", dayOf(end)), "%s: scores are as of then", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

func checkFuture(_ context.Context, x *examination, p *profile) (finding, error) {
	figures := Figures{"future": figure(p.future), "foreseen": figure(p.foreseen), "mapped": figure(p.mapped)}
	name := p.layout.name
	if p.future > 0 {
		told := fmt.Sprintf("%s of %s lie after now, up to %s", spoken.Count(p.future), spoken.Counted(p.rows, "row"), dayOf(p.last))
		if slices.Contains(x.Churn.LabelSources(), name) && p.mapped < p.rows && x.Churn.DataUntil == nil && name != features.Subscriptions {
			return wrong("set churn.data_until to the day until which the data are complete, or import those rows with the right --timezone and --time-format",
				"%s: the labels are read from %s, and take all time until then for observed", told, name).with(figures), nil
		}
		return warn("import those rows with the right --timezone and --time-format", "%s", told).with(figures), nil
	}
	if p.foreseen > 0 && name != features.Subscriptions {
		return warn("map ingested_at to the instant at which the row came in, in the same --timezone as "+p.layout.time,
			"%s of %s were known before they happened: ingested_at lies before %s", spoken.Count(p.foreseen), spoken.Counted(p.mapped, "row"), p.layout.time).with(figures), nil
	}
	return fine("no row lies after now, or was known before it happened").with(figures), nil
}

// partlyMissing is the share of missing values from which a column that matters is worth a look.
const partlyMissing = .05

func checkMissing(_ context.Context, _ *examination, p *profile) (finding, error) {
	figures := Figures{}
	var empty, partly []string
	for _, c := range p.layout.columns {
		s := share(p.missing[c.Name], p.rows)
		figures[c.Name] = figureOf(s)
		matters := slices.Contains(p.layout.matters, c.Name)
		switch {
		case s == 1:
			empty = append(empty, c.Name)
		case matters && s > partlyMissing:
			partly = append(partly, fmt.Sprintf("%s in %s of the rows", c.Name, percent(s)))
		}
	}
	note := ""
	if len(empty) > 0 {
		note = "; without any value: " + strings.Join(empty, ", ")
	}
	name := p.layout.name
	if len(partly) > 0 {
		return warn(fmt.Sprintf("import %s again with the missing values, or drop the column for all rows: half a column is told from whole ones by who has it", name),
			"missing: %s%s", strings.Join(partly, ", "), note).with(figures), nil
	}
	if name == features.Surveys || name == features.Touchpoints {
		if slices.Contains(empty, "kind") {
			return warn(fmt.Sprintf("map it: retain import %s FILE --map kind=COLUMN, or --set kind=VALUE", name), "kind is missing in every row, and features tell rows by it%s", note).with(figures), nil
		}
	}
	if len(empty) > 0 {
		return fine("columns without any value, whose features drop: %s", strings.Join(empty, ", ")).with(figures), nil
	}
	return fine("every column has values").with(figures), nil
}
