package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
)

// scales are the scores that each kind of survey can have.
var scales = map[string]struct{ low, high float64 }{
	"nps":  {0, 10},
	"csat": {1, 5},
	"ces":  {1, 7},
}

// fewAnswers is the number of answers below which nothing is said of them.
const fewAnswers = 100

func checkKinds(ctx context.Context, x *examination, _ *profile) (finding, error) {
	rows, err := x.from(ctx, features.Surveys, "kind", "score")
	if err != nil {
		return finding{}, err
	}
	outside := []string{}
	for _, kind := range []string{"nps", "csat", "ces"} {
		outside = append(outside, fmt.Sprintf("kind = '%s' AND (score < %v OR score > %v)", kind, scales[kind].low, scales[kind].high))
	}
	query := "SELECT toString(kind) AS kind_name, toInt64(count()) AS n, toInt64(count(score)) AS answered, ifNull(toFloat64(min(score)), 0) AS low, ifNull(toFloat64(max(score)), 0) AS high, " +
		"toInt64(countIf(ifNull(" + strings.Join(outside, " OR ") + ", false))) AS beyond FROM " + rows + " GROUP BY kind_name ORDER BY n DESC, kind_name LIMIT 50"
	figures := Figures{}
	var told, unknown, beyond []string
	err = x.each(ctx, query, func(b *warehouse.Block, i int) {
		kind, n, answered := b.Strings("kind_name")[i], b.Int64s("n")[i], b.Int64s("answered")[i]
		low, high := b.Float64s("low")[i], b.Float64s("high")[i]
		figures[kind+"_rows"], figures[kind+"_answered"] = figure(n), figureOf(share(answered, n))
		told = append(told, fmt.Sprintf("%s: %s, %s answered, %v to %v", cmp.Or(kind, "(none)"), spoken.Counted(n, "row"), percent(share(answered, n)), low, high))
		scale, known := scales[kind]
		switch {
		case !known:
			unknown = append(unknown, cmp.Or(kind, "(none)"))
		case b.Int64s("beyond")[i] > 0:
			figures[kind+"_outside"] = figure(b.Int64s("beyond")[i])
			beyond = append(beyond, fmt.Sprintf("%s of %s in %s lie outside %v to %v (they go from %v to %v)", spoken.Count(b.Int64s("beyond")[i]), spoken.Counted(answered, "score"), kind, scale.low, scale.high, low, high))
		}
	})
	switch {
	case err != nil:
		return finding{}, err
	case len(beyond) > 0:
		return warn("import scores on the scale of their kind: nps 0 to 10, csat 1 to 5, ces 1 to 7", "%s", strings.Join(beyond, "; ")).with(figures), nil
	case len(unknown) > 0:
		return warn("name the kinds nps, csat or ces: retain import surveys FILE --set kind=nps, or in the view that sources.surveys.table names",
			"no feature reads surveys of kind %s; %s", strings.Join(unknown, ", "), strings.Join(told, "; ")).with(figures), nil
	}
	return fine("%s", strings.Join(told, "; ")).with(figures), nil
}

// checkAnswers looks whether customers answer more than once: where nobody does, the ids are those of answers.
func checkAnswers(ctx context.Context, x *examination, p *profile) (finding, error) {
	rows, err := x.from(ctx, features.Surveys, "score")
	if err != nil {
		return finding{}, err
	}
	got, err := x.one(ctx, "SELECT toInt64(count()) AS customers, toInt64(countIf(answers > 0)) AS answering, toInt64(countIf(answers > 1)) AS again, toInt64(sum(answers)) AS answered "+
		"FROM (SELECT customer_id, count(score) AS answers FROM "+rows+" GROUP BY customer_id)")
	if err != nil {
		return finding{}, err
	}
	rate := share(got["answered"], p.rows)
	figures := Figures{"answers": figure(got["answered"]), "response_rate": figureOf(rate), "answering": figure(got["answering"]), "again": figure(got["again"])}
	switch {
	case got["answered"] == 0:
		return wrong("map the score: retain import surveys FILE --map score=COLUMN", "none of %s has a score", spoken.Counted(p.rows, "survey")).with(figures), nil
	case got["again"] == 0 && got["answering"] >= fewAnswers:
		return warn("map customer_id to the customer and not to the answer; if nobody was ever asked twice, no change of a score can be learned",
			"%s, one a customer: nobody answered twice, so there is no history of anybody", spoken.Counted(got["answered"], "answer")).with(figures), nil
	}
	told := fmt.Sprintf("%s by %s, %s of them more than once; response rate %s", spoken.Counted(got["answered"], "answer"), spoken.Counted(got["answering"], "customer"), spoken.Count(got["again"]), percent(rate))
	if rate == 1 && p.rows >= fewAnswers {
		told += ": invitations without an answer (score empty) are not in, so that who stays silent is not known"
	}
	return fine("%s", told).with(figures), nil
}

// checkTimezones looks whether customers.timezone holds names of time zones: the right moment and quiet hours go by them.
func checkTimezones(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.missing["timezone"] == p.rows {
		return skip("no customer has a timezone: all are contacted by the clock of UTC"), nil
	}
	rows, err := x.from(ctx, features.Customers, "timezone")
	if err != nil {
		return finding{}, err
	}
	var zones, customers, lost int64
	var unknown []string
	err = x.each(ctx, "SELECT toString(timezone) AS zone, toInt64(count()) AS n FROM "+rows+" WHERE timezone != '' GROUP BY zone ORDER BY n DESC, zone LIMIT 2000", func(b *warehouse.Block, i int) {
		zones++
		customers += b.Int64s("n")[i]
		if _, err := time.LoadLocation(b.Strings("zone")[i]); err != nil {
			unknown = append(unknown, b.Strings("zone")[i])
			lost += b.Int64s("n")[i]
		}
	})
	if err != nil {
		return finding{}, err
	}
	figures := Figures{"zones": figure(zones), "unknown": figure(lost)}
	if lost > 0 {
		return warn("write them as Europe/Berlin or UTC: retain import customers FILE --map timezone=COLUMN",
			"%s of %s with a timezone have one that is no name of a zone: %s", spoken.Count(lost), spoken.Counted(customers, "customer"), listOf(unknown)).with(figures), nil
	}
	return fine("%s of %s", spoken.Counted(zones, "zone"), spoken.Counted(customers, "customer")).with(figures), nil
}

func checkCurrency(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.missing["currency"] == p.rows {
		return fine("no row names a currency: all amounts count as one"), nil
	}
	rows, err := x.from(ctx, features.Purchases, "currency")
	if err != nil {
		return finding{}, err
	}
	figures := Figures{}
	var told, names []string
	err = x.each(ctx, "SELECT toString(currency) AS currency_name, toInt64(count()) AS n FROM "+rows+" GROUP BY currency_name ORDER BY n DESC, currency_name LIMIT 20", func(b *warehouse.Block, i int) {
		name, n := b.Strings("currency_name")[i], b.Int64s("n")[i]
		figures[cmp.Or(name, "(none)")] = figureOf(share(n, p.rows))
		told = append(told, fmt.Sprintf("%s in %s", cmp.Or(name, "(none)"), percent(share(n, p.rows))))
		if name != "" {
			names = append(names, name)
		}
	})
	if err != nil {
		return finding{}, err
	}
	switch {
	case len(names) > 1:
		return wrong("set currency: and rates: in retain.yaml and import the purchases again, or let a view convert them", "amounts of several currencies are added up: %s of the rows", strings.Join(told, ", ")).with(figures), nil
	case x.Currency != "" && !slices.Contains(names, x.Currency):
		return warn("set currency: "+names[0]+" in retain.yaml, or rates: and import again", "amounts are in %s, while currency: is %s", names[0], x.Currency).with(figures), nil
	}
	return fine("one currency: %s of the rows", strings.Join(told, ", ")).with(figures), nil
}
