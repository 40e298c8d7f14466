package doctor

import (
	"context"
	"fmt"

	"retain/features"
	"retain/internal/spoken"
)

const fewPeriods = 20 // with an end, and without: fewer say nothing

// checkEndsAt looks whether ends_at is set only for those who left. An end that is known in advance stands in running periods, too; one that is written
// down afterwards tells who left.
func checkEndsAt(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.missing["ends_at"] == p.rows {
		return fine("no period has ends_at, so no end can be known too early"), nil
	}
	rows, err := x.from(ctx, features.Subscriptions, "ends_at", "ended_at", "billing_days", "ingested_mapped")
	if err != nil {
		return finding{}, err
	}
	end := x.dataEnd().Truncate(day).Add(day)
	over := "ifNull(toUnixTimestamp64Milli(coalesce(ended_at, ends_at)) < " + millis(end) + ", false)"
	got, err := x.one(ctx, `SELECT
toInt64(countIf(isNotNull(ends_at))) AS with_end,
toInt64(countIf(isNotNull(ends_at) AND `+over+`)) AS with_end_over,
toInt64(countIf(isNull(ends_at))) AS without_end,
toInt64(countIf(isNull(ends_at) AND `+over+`)) AS without_end_over,
toInt64(countIf(isNotNull(ends_at) AND NOT ingested_mapped AND ifNull(billing_days, 0) = 0)) AS visible
FROM `+rows)
	if err != nil {
		return finding{}, err
	}
	with, without := got["with_end"], got["without_end"]
	runningWith, runningWithout := with-got["with_end_over"], without-got["without_end_over"]
	ended := got["with_end_over"] + got["without_end_over"]
	figures := Figures{
		"with_ends_at": figure(with), "over_with_ends_at": figureOf(share(got["with_end_over"], with)),
		"without_ends_at": figure(without), "over_without_ends_at": figureOf(share(got["without_end_over"], without)),
		"running_with_ends_at": figureOf(share(runningWith, runningWith+runningWithout)),
	}
	told := fmt.Sprintf("ends_at is set in %s of the %s periods that were over by %s, and in %s of the %s that run on",
		spoken.Count(got["with_end_over"]), spoken.Count(ended), dayOf(end), spoken.Count(runningWith), spoken.Count(runningWith+runningWithout))
	onlyLeavers := got["with_end_over"] >= fewPeriods && runningWithout >= fewPeriods && share(runningWith, runningWith+runningWithout) < .02
	const mend = "import that column as ended_at (--map ended_at=COLUMN) and leave ends_at, until which a period is paid, unmapped: it must be known in advance"
	switch {
	case onlyLeavers && got["visible"] > 0:
		return wrong(mend, "%s: it is set only for those who left, and tells the outcome before it happens", told).with(figures), nil
	case onlyLeavers:
		return warn(mend, "%s: it is set only for those who left; billing_days or ingested_at hide it until then", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

// periodsOf is a subquery of the paid periods of each group, sorted by start: p Array(Tuple(started_ms, end_ms)).
func (x *examination) periodsOf(ctx context.Context, group string) (string, error) {
	rows, err := x.from(ctx, features.Subscriptions, "subscription_id", "started_at", "ends_at", "ended_at")
	if err != nil {
		return "", err
	}
	return `(SELECT
` + group + `,
arraySort(groupArray((toUnixTimestamp64Milli(started_at), ifNull(toUnixTimestamp64Milli(coalesce(ended_at, ends_at)), 4000000000000000)))) AS p
FROM ` + rows + `
GROUP BY ` + group + `)`, nil
}

// overlapping is the condition that some period of p starts before the one before it has ended.
const overlapping = "arrayExists((a, b) -> b.1 < a.2, arrayPopBack(p), arrayPopFront(p))"

func checkOverlaps(ctx context.Context, x *examination, p *profile) (finding, error) {
	if p.missing["subscription_id"] == p.rows {
		return skip("no row has subscription_id"), nil
	}
	periods, err := x.periodsOf(ctx, "customer_id, subscription_id")
	if err != nil {
		return finding{}, err
	}
	got, err := x.one(ctx, "SELECT toInt64(count()) AS n, toInt64(countIf(length(p) > 1)) AS renewed, toInt64(countIf("+overlapping+")) AS overlapping FROM "+periods+" WHERE subscription_id != ''")
	if err != nil {
		return finding{}, err
	}
	s := share(got["overlapping"], got["n"])
	figures := Figures{"subscriptions": figure(got["n"]), "renewed": figure(got["renewed"]), "overlapping": figure(got["overlapping"])}
	told := fmt.Sprintf("%s of %s (%s) have periods that overlap", spoken.Count(got["overlapping"]), spoken.Counted(got["n"], "subscription"), percent(s))
	if s > strangeShare {
		return warn("let each period of a subscription_id start where the one before it ends: ends_at or ended_at of the earlier one is missing or late", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

// manyAtOnce is the share of customers with several subscriptions at once from which it is told.
const manyAtOnce = .3

func checkAtOnce(ctx context.Context, x *examination, _ *profile) (finding, error) {
	periods, err := x.periodsOf(ctx, "customer_id")
	if err != nil {
		return finding{}, err
	}
	end := millis(x.dataEnd())
	got, err := x.one(ctx, "SELECT toInt64(count()) AS n, toInt64(countIf("+overlapping+")) AS several, toInt64(sum(length(arrayFilter(q -> q.1 <= "+end+" AND q.2 > "+end+", p)))) AS running, "+
		"toInt64(countIf(arrayExists(q -> q.1 <= "+end+" AND q.2 > "+end+", p))) AS alive FROM "+periods)
	if err != nil {
		return finding{}, err
	}
	s := share(got["several"], got["n"])
	each := 0.
	if got["alive"] > 0 {
		each = float64(got["running"]) / float64(got["alive"])
	}
	figures := Figures{"customers": figure(got["n"]), "several_at_once": figureOf(s), "running_each": figureOf(each)}
	told := fmt.Sprintf("%s of %s (%s) have had several subscriptions at once", spoken.Count(got["several"]), spoken.Counted(got["n"], "customer"), percent(s))
	if got["alive"] > 0 {
		told += fmt.Sprintf("; who has one at the end of the data has %.1f", each)
	}
	if s > manyAtOnce {
		return warn("such a customer churns with the last of them only; if each subscription is to be kept, make it the customer: --map customer_id=SUBSCRIPTION in every source", "%s", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}
