package doctor

import (
	"context"
	"fmt"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training/metrics"
)

// ownFeatures are the checks of your own feature table, where one is configured.
var ownFeatures = []check{
	{"features.columns", checkOwnColumns},
	{"features.rows", checkOwnRows},
	{"features.stamps", checkOwnStamps},
}

// checkOwnColumns tells which columns are features and which are left out.
func checkOwnColumns(ctx context.Context, x *examination) (finding, error) {
	own, err := x.Store.OwnFeatures(ctx)
	if err != nil {
		return finding{}, err
	}
	table := x.Store.Sources[features.OwnFeatures].Table
	if len(own.Columns) == 0 {
		return wrong("name a table with a column that is a number, a Bool or a text, beside customer_id and at, in sources.features.table", "no column of %s can be a feature", table), nil
	}
	if len(own.LeftOut) == 0 {
		return fine("features of %s: %s", table, listOf(own.Columns)), nil
	}
	names := make([]string, len(own.LeftOut))
	for i, d := range own.LeftOut {
		names[i] = d.Name
	}
	return warn(own.LeftOut[0].Why+"; or name it in sources.features.exclude", "features of %s: %s; left out: %s", table, listOf(own.Columns), listOf(names)), nil
}

// ownPause is how many days a feature table may lag behind the sources: a month, and a fortnight to write it.
const ownPause = 45

// checkOwnRows looks whether the table has rows, new ones, and one a customer and instant.
func checkOwnRows(ctx context.Context, x *examination) (finding, error) {
	rows, err := x.Store.OwnRows(ctx, warehouse.EndOfTime)
	if err != nil {
		return finding{}, err
	}
	table := x.Store.Sources[features.OwnFeatures].Table
	if rows == "" {
		return wrong("correct sources.features.table in retain.yaml", "%s is not there: its features are missing", table), nil
	}
	got, err := x.one(ctx, "SELECT toInt64(sum(rows)) AS n, toInt64(uniqExact(customer_id)) AS customers, toInt64(sumIf(rows, rows > 1)) AS alike, toInt64(ifNull(max(toUnixTimestamp64Milli(at)), 0)) AS newest FROM "+
		"(SELECT customer_id, at, count() AS rows FROM "+rows+" GROUP BY customer_id, at, ingested_at)")
	if err != nil {
		return finding{}, err
	}
	figures := Figures{"rows": figure(got["n"]), "customers": figure(got["customers"]), "alike": figure(got["alike"])}
	if got["n"] == 0 {
		return wrong("fill "+table+", or take sources.features out of retain.yaml", "%s has no rows", table).with(figures), nil
	}
	if got["alike"] > 0 {
		return warn(fmt.Sprintf("keep one row per customer, at and ingested_at in %s", table), "%s of %s share customer, at and ingested_at with another one: which of them serves is not yours to say",
			spoken.Counted(got["alike"], "row"), table).with(figures), nil
	}
	if end := x.dataEnd(); !end.IsZero() {
		if late := (end.UnixMilli() - got["newest"]) / day.Milliseconds(); late > ownPause {
			return warn("write its newest rows; sources.features.max_age_days bounds how old a row may serve", "the newest row of %s is %s older than the newest event", table, spoken.Counted(late, "day")).with(figures), nil
		}
	}
	return fine("%s of %s in %s", spoken.Counted(got["n"], "row"), spoken.Counted(got["customers"], "customer"), table).with(figures), nil
}

// checkOwnStamps looks for rows stamped at the very cutoffs of training, which serve from the next one on only.
func checkOwnStamps(ctx context.Context, x *examination) (finding, error) {
	rows, err := x.Store.OwnRows(ctx, warehouse.EndOfTime)
	if err != nil {
		return finding{}, err
	}
	if rows == "" {
		return skip("the table is not there"), nil
	}
	grid, step := "toDayOfMonth(at) = 1", "month"
	if x.Grid.Every == "week" || x.Grid.Renewal() { // both stand on Mondays
		grid, step = "toDayOfWeek(at) = 1", "week"
	}
	got, err := x.one(ctx, "SELECT toInt64(count()) AS n, toInt64(countIf(toUnixTimestamp64Milli(at) % 86400000 = 0 AND "+grid+")) AS stamped FROM "+rows)
	if err != nil {
		return finding{}, err
	}
	figures := Figures{"share": metrics.Figure(share(got["stamped"], got["n"]))}
	if 2*got["stamped"] <= got["n"] {
		return fine("rows are not stamped at the very cutoffs").with(figures), nil
	}
	return warn("if such a row holds only what was known before it, give a view with at - INTERVAL 1 SECOND", "%s of the rows are stamped at the very cutoffs, where they are the future: each serves one %s late",
		percent(share(got["stamped"], got["n"])), step).with(figures), nil
}
