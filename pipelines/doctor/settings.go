package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
)

// checkSetting holds churn: against the rows there are.
func checkSetting(ctx context.Context, x *examination) (finding, error) {
	if err := x.Churn.Validate(); err != nil {
		return wrong("retain config check", "%s", firstLine(err)), nil
	}
	switch x.Churn.Setting {
	case features.Contractual:
		if x.profile(features.Subscriptions).rows == 0 {
			return wrong("retain import subscriptions FILE; or set churn.setting: non_contractual, with churn.activity: ["+x.busiest()+"]",
				"churn.setting is contractual, and subscriptions has no rows"), nil
		}
		return fine("contractual: the labels are read from %s of subscriptions", spoken.Counted(x.profile(features.Subscriptions).rows, "period")), nil
	case features.EventSetting:
		return x.checkEvent(ctx)
	}
	var empty, full []string
	for _, source := range x.Churn.Activity {
		if x.profile(source).rows == 0 {
			empty = append(empty, source)
		} else {
			full = append(full, fmt.Sprintf("%s (%s)", source, spoken.Counted(x.profile(source).rows, "row")))
		}
	}
	if len(empty) > 0 {
		mend := fmt.Sprintf("retain import %s FILE; or import usage and set churn.activity: [usage]", empty[0])
		if b := x.busiest(); b != "" {
			mend = fmt.Sprintf("set churn.activity: [%s] in retain.yaml, or fill it: retain import %s FILE", b, empty[0])
		}
		return wrong(mend, "churn.activity names %s, which has no rows: no label can be read", strings.Join(empty, ", ")), nil
	}
	if p := x.profile(features.Subscriptions); p.rows > 0 {
		return warn("set churn.setting: contractual in retain.yaml, if customers leave by ending their subscription",
			"churn.setting is non_contractual, while subscriptions has %s", spoken.Counted(p.rows, "period")), nil
	}
	return fine("non-contractual: activity is %s", strings.Join(full, ", ")), nil
}

// busiest is the source of activity with the most rows; "" if none has any.
func (x *examination) busiest() string {
	best := ""
	for _, source := range []string{features.Usage, features.Purchases, features.Touchpoints} {
		if p := x.profile(source); p.rows > 0 && (best == "" || p.rows > x.profile(best).rows) {
			best = source
		}
	}
	return best
}

// checkEvent counts the rows that are the leaving event, and the start.
func (x *examination) checkEvent(ctx context.Context) (finding, error) {
	figures := Figures{}
	matches := []struct {
		key   string
		match features.EventMatch
	}{{"event", features.EventMatch{Source: x.Churn.Event.Source, Match: x.Churn.Event.Match}}}
	if x.Churn.Event.Start != nil {
		matches = append(matches, struct {
			key   string
			match features.EventMatch
		}{"event.start", *x.Churn.Event.Start})
	}
	var told []string
	for _, m := range matches {
		var columns, terms []string
		for column, value := range m.match.Match {
			columns = append(columns, column)
			terms = append(terms, column+" = "+features.QuoteText(value))
		}
		slices.Sort(columns)
		slices.Sort(terms)
		rows, err := x.from(ctx, m.match.Source, columns...)
		if err != nil {
			return finding{}, err
		}
		got, err := x.one(ctx, "SELECT toInt64(count()) AS n FROM "+rows+" WHERE "+strings.Join(terms, " AND "))
		if err != nil {
			return finding{}, err
		}
		figures[m.key] = figure(got["n"])
		if got["n"] == 0 {
			return wrong(fmt.Sprintf("correct churn.%s.match in retain.yaml; texts must be equal byte for byte", m.key), "no row of %s has %s", m.match.Source, strings.Join(terms, " and ")).with(figures), nil
		}
		told = append(told, fmt.Sprintf("%s of %s with %s", spoken.Counted(got["n"], "row"), m.match.Source, strings.Join(terms, " and ")))
	}
	return fine("event: %s", strings.Join(told, "; ")).with(figures), nil
}

// checkStatic looks whether what sources.customers.static names is there.
func checkStatic(ctx context.Context, x *examination) (finding, error) {
	declared := x.Store.Sources[features.Customers].Static
	var names []string
	for _, name := range declared {
		if !slices.Contains(layoutOf(features.Customers).columnNames(), name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return skip("no attribute of customers is declared static"), nil
	}
	if x.profile(features.Customers).rows == 0 {
		return warn("retain import customers FILE", "sources.customers.static names %s, and customers has no rows", strings.Join(names, ", ")), nil
	}
	there, err := x.attributeNames(ctx)
	if err != nil {
		return finding{}, err
	}
	var absent []string
	for _, name := range names {
		if !slices.Contains(there, name) {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		return warn("correct sources.customers.static in retain.yaml", "sources.customers.static names %s, which no customer has; there are %s", strings.Join(absent, ", "), listOf(there)), nil
	}
	return fine("declared static, and there: %s", strings.Join(names, ", ")), nil
}

// attributeNames are the attributes that customers have, the most frequent first, at most 1,000.
func (x *examination) attributeNames(ctx context.Context) ([]string, error) {
	rows, err := x.from(ctx, features.Customers, "attributes")
	if err != nil {
		return nil, err
	}
	var names []string
	err = x.each(ctx, "SELECT key FROM "+rows+" ARRAY JOIN mapKeys(attributes) AS key GROUP BY key ORDER BY count() DESC, key LIMIT 1000", func(b *warehouse.Block, i int) {
		names = append(names, b.Strings("key")[i])
	})
	return names, err
}

// listed is how many names a message holds.
const listed = 12

func listOf(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > listed:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}
