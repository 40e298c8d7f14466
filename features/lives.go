package features

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tenures is everybody's first life as a customer: when it began, since when it is on record, and when it ended. Instants are milliseconds
// since 1970.
type Tenures struct {
	Customer []string // sorted by bytes
	Born     []int64  // created_at where that is known and earlier, else First
	First    []int64  // the first period's begin, the first activity or the first joining
	Left     []int64  // when it left, whether by choice or not; StillThere = it was not seen to
	Group    []string // as asked for; "" = not known

	Since time.Time // the first row of the label's sources: who left before it is not on record
	Until time.Time // for how long it is known who left
}

// StillThere stands for no end.
const StillThere = int64(1) << 62

// TenureGroup says by what tenures are grouped.
type TenureGroup string

// The groups.
const (
	Ungrouped TenureGroup = ""
	ByPlan    TenureGroup = "plan"    // of the first paid period: the plan at the begin tells nothing of the end
	BySegment TenureGroup = "segment" // of the customers' newest row, where that is known by its ingested_at or declared static
)

// Tenures reads them from all that is held, the data being complete before the watermark of the specification. In the non-contractual setting a life ends
// when the customer has been silent for HorizonDays; contractual, with the first paid time that nothing follows within the grace.
func (s *Store) Tenures(ctx context.Context, c ChurnSpec, by TenureGroup) (*Tenures, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r, err := s.reach(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &Tenures{Since: r.first, Until: r.watermark}
	if c.Setting == Contractual {
		out.Until = out.Until.Add(-time.Duration(c.GraceDays) * day)
	}
	query, err := s.tenuresSQL(ctx, c, by, r.watermark)
	if err != nil {
		return nil, fmt.Errorf("tenures: %w", err)
	}
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, fmt.Errorf("tenures: %w", err)
		}
		out.Customer = append(out.Customer, b.Strings("customer_id")...)
		out.Born = append(out.Born, b.Int64s("born_ms")...)
		out.First = append(out.First, b.Int64s("first_ms")...)
		out.Left = append(out.Left, b.Int64s("left_ms")...)
		out.Group = append(out.Group, b.Strings("kind")...)
	}
	return out, nil
}

// tenuresSQL yields a row (customer_id, born_ms, first_ms, left_ms, kind) for everyone who was ever a customer before the watermark.
func (s *Store) tenuresSQL(ctx context.Context, c ChurnSpec, by TenureGroup, watermark time.Time) (string, error) {
	if by == ByPlan && c.Setting != Contractual {
		return "", errors.New("plans are those of subscriptions, and this setting is " + string(c.Setting) + "; group by segment")
	}
	lives, err := s.livesSQL(ctx, c, watermark)
	if err != nil {
		return "", err
	}
	profiles, err := s.Versions(ctx, Customers, []string{"created_at", "segment"}, endOfTime)
	if err != nil {
		return "", err
	}
	kind := map[TenureGroup]string{Ungrouped: "''", ByPlan: "toString(l.plan)", BySegment: "toString(k.segment)"}[by]
	if kind == "" {
		return "", fmt.Errorf("no group %q: there are plan and segment", string(by))
	}
	return strings.NewReplacer("{lives}", lives, "{profiles}", profiles, "{kind}", kind, "{until}", fmt.Sprint(milliseconds(watermark)), "{still}", fmt.Sprint(StillThere)).Replace(`SELECT
l.customer_id AS customer_id,
if(k.created_ms > 0 AND k.created_ms < l.first_ms, k.created_ms, l.first_ms) AS born_ms,
l.first_ms AS first_ms,
if(l.left_ms < {until}, l.left_ms, toInt64({still})) AS left_ms,
{kind} AS kind
FROM {lives} AS l
LEFT JOIN (
SELECT customer_id, assumeNotNull(ifNull(toUnixTimestamp64Milli(created_at), toInt64(0))) AS created_ms, segment
FROM {profiles}
) AS k ON k.customer_id = l.customer_id
WHERE l.customer_id != ''
ORDER BY l.customer_id
SETTINGS join_use_nulls = 0, ` + spill), nil
}

// livesSQL yields the FROM-expression of customer_id, first_ms, left_ms (StillThere where nobody knows of an end) and plan.
func (s *Store) livesSQL(ctx context.Context, c ChurnSpec, watermark time.Time) (string, error) {
	fill := []string{"{silence}", fmt.Sprint(int64(c.HorizonDays) * day.Milliseconds()),
		"{until}", fmt.Sprint(milliseconds(watermark)), "{still}", fmt.Sprint(StillThere)}
	switch c.Setting {
	case Contractual:
		periods, err := s.periodsSQL(ctx, watermark, endOfTime)
		if err != nil {
			return "", err
		}
		return strings.NewReplacer(append(fill, "{periods}", periods, "{joined}", c.joinedPaidSQL("spans", "spans[1].2"))...).Replace(`(
SELECT
customer_id,
min(started_ms) AS first_ms,
arraySort(groupArray((started_ms, end_ms))) AS spans,
{joined} AS left_ms,
argMin(plan, (started_ms, end_ms)) AS plan
FROM {periods}
WHERE end_ms > started_ms
GROUP BY customer_id
)`), nil
	case EventSetting:
		joined, err := s.joinedSQL(ctx, c, watermark)
		if err != nil {
			return "", err
		}
		left, err := s.Versions(ctx, c.Event.Source, append([]string{"at"}, sortedKeys(c.Event.Match)...), watermark)
		if err != nil {
			return "", err
		}
		return strings.NewReplacer(append(fill, "{joined}", joined, "{left}", left, "{match}", matchSQL(c.Event.Match))...).Replace(`(
SELECT j.customer_id AS customer_id, j.first_ms AS first_ms,
arrayFirstOrNull(ms -> ms >= j.first_ms, l.leavings) AS found_ms,
ifNull(found_ms, toInt64({still})) AS left_ms, '' AS plan
FROM {joined} AS j
LEFT JOIN (
SELECT customer_id, arraySort(groupArray(toUnixTimestamp64Milli(at))) AS leavings
FROM {left}
WHERE {match}
GROUP BY customer_id
) AS l ON l.customer_id = j.customer_id
)`), nil
	}
	days, err := s.activeDaysSQL(ctx, c, window{time.Unix(0, 0).UTC(), watermark}, endOfTime)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(append(fill, "{days}", days)...).Replace(`(
SELECT
customer_id,
min(first_ms) AS first_ms,
arraySort(arrayConcat(groupArray(d.first_ms), groupArray(d.last_ms))) AS active,
arrayFirstIndex(silent -> silent > {silence}, arrayPopFront(arrayDifference(arrayConcat(active, [toInt64({until})])))) AS gap,
if(gap > 0, active[gap] + {silence}, toInt64({still})) AS left_ms,
'' AS plan
FROM {days} AS d
GROUP BY customer_id
)`), nil
}

// joinedSQL yields the FROM-expression of customer_id and first_ms: the first start event, or where there is none to ask for the first row of any source.
func (s *Store) joinedSQL(ctx context.Context, c ChurnSpec, watermark time.Time) (string, error) {
	const first = "SELECT customer_id, toUnixTimestamp64Milli(min(at)) AS first_ms\nFROM "
	if start := c.Event.Start; start != nil {
		rows, err := s.Versions(ctx, start.Source, append([]string{"at"}, sortedKeys(start.Match)...), watermark)
		return "(\n" + first + rows + "\nWHERE " + matchSQL(start.Match) + "\nGROUP BY customer_id\n)", err
	}
	var union []string
	for _, source := range eventSources() {
		rows, err := s.Versions(ctx, source, []string{"at"}, watermark)
		if err != nil {
			return "", err
		}
		union = append(union, first+rows+"\nGROUP BY customer_id")
	}
	return "(\nSELECT customer_id, min(first_ms) AS first_ms\nFROM (\n" + strings.Join(union, "\nUNION ALL\n") + "\n)\nGROUP BY customer_id\n)", nil
}
