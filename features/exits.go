package features

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"
)

// Exits are when the eligible customers of a population left after its cutoff, whatever the horizon: a customer has label 1 for a
// horizon of H days exactly if its exit lies before H. Outages are not looked at.
type Exits struct {
	// Days, aligned with Population.Eligible, from T+L to leaving, at least 0. A silence counts with its last instant, just before the churn
	// horizon has passed in it. +Inf = not seen to leave, or not of its own choice (a failed payment); NaN = left before T+L, or not there at T after all.
	Days []float64
	// Seen is for how many days after T+L it is known who left; below 0, nothing is known.
	Seen float64
}

// Exits reads them from rows with ingested_at < knownBefore (the zero time means all that is held now), the data being complete before until.
// In the non-contractual setting a customer leaves when it has been silent for HorizonDays from T+L on or after a later activity.
func (s *Store) Exits(ctx context.Context, c ChurnSpec, p *Population, until, knownBefore time.Time) (*Exits, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if knownBefore.IsZero() {
		knownBefore = endOfTime
	}
	w := window{p.Cutoff.UTC().Add(time.Duration(c.GapDays) * day), until.UTC()}
	if c.Setting == Contractual { // one who has left may still renew within the grace
		w.until = w.until.Add(-time.Duration(c.GraceDays) * day)
	}
	e := &Exits{Days: make([]float64, 0, len(p.eligible)), Seen: w.until.Sub(w.from).Hours() / 24}
	if len(p.eligible) == 0 {
		return e, nil
	}
	query, err := s.exitsSQL(ctx, c, p, w, knownBefore.UTC())
	if err != nil {
		return nil, fmt.Errorf("exits after %s: %w", p.Cutoff.Format(time.RFC3339), err)
	}
	begin := milliseconds(w.from)
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, fmt.Errorf("exits after %s: %w", p.Cutoff.Format(time.RFC3339), err)
		}
		left, fate := b.Int64s("left_ms"), b.UInt8s("fate")
		for i, ms := range left {
			switch days := float64(ms-begin) / float64(day.Milliseconds()); {
			case fate[i] == fateLeftInGap || fate[i] == fateLeftBefore:
				e.Days = append(e.Days, math.NaN())
			case fate[i] == fateChurned && days < e.Seen:
				e.Days = append(e.Days, days)
			default:
				e.Days = append(e.Days, math.Inf(1))
			}
		}
	}
	if len(e.Days) != len(p.eligible) {
		return nil, fmt.Errorf("exits after %s: %d came back for %d eligible customers", p.Cutoff.Format(time.RFC3339), len(e.Days), len(p.eligible))
	}
	return e, nil
}

// exitsSQL yields one row (fate, left_ms) for each eligible customer, in their order: who left in w, which begins at T+L, and when.
func (s *Store) exitsSQL(ctx context.Context, c ChurnSpec, p *Population, w window, knownBefore time.Time) (string, error) {
	switch c.Setting {
	case Contractual:
		return s.contractualSQL(ctx, c, p, w, knownBefore)
	case EventSetting:
		return s.eventSQL(ctx, c, p, w, knownBefore)
	}
	days, err := s.activeDaysSQL(ctx, c, w, knownBefore)
	if err != nil {
		return "", err
	}
	// The silence that follows an activity begins a millisecond after it, the one that follows T+L with that instant itself.
	fill := strings.NewReplacer("{stayed}", fmt.Sprint(fateStayed), "{churned}", fmt.Sprint(fateChurned), "{eligible}", quoteName(p.Table), "{days}", days,
		"{from}", fmt.Sprint(milliseconds(w.from)), "{until}", fmt.Sprint(milliseconds(w.until)), "{silence}", fmt.Sprint(int64(c.HorizonDays)*day.Milliseconds()))
	return fill.Replace(`SELECT
toUInt8(if(p.gap > 0, {churned}, {stayed})) AS fate,
if(p.gap > 0, p.points[p.gap] + {silence}, 0) AS left_ms
FROM (
SELECT
e.customer_id AS customer_id,
arrayConcat([toInt64({from} - 1)], l.active, [toInt64({until})]) AS points,
arrayFirstIndex(silent -> silent > {silence}, arrayPopFront(arrayDifference(points))) AS gap
FROM {eligible} AS e
LEFT JOIN (
SELECT customer_id, arraySort(arrayConcat(groupArray(first_ms), groupArray(last_ms))) AS active
FROM {days}
WHERE customer_id IN (SELECT customer_id FROM {eligible})
GROUP BY customer_id
) AS l ON l.customer_id = e.customer_id
) AS p
ORDER BY p.customer_id
SETTINGS join_use_nulls = 0`), nil
}

// activeDaysSQL yields the FROM-expression of the days of activity in the window: customer_id, first_ms and last_ms of each. Within a day there
// is no silence that could be a churn.
func (s *Store) activeDaysSQL(ctx context.Context, c ChurnSpec, w window, knownBefore time.Time) (string, error) {
	var active []string
	for _, source := range c.LabelSources() {
		rows, err := s.rows(ctx, read{Source: source, Columns: []string{"at"}, From: w.from, Cutoff: knownBefore})
		if err != nil {
			return "", err
		}
		active = append(active, "SELECT customer_id, toDate32(at) AS active_day, toUnixTimestamp64Milli(min(at)) AS first_ms, toUnixTimestamp64Milli(max(at)) AS last_ms\nFROM "+rows+
			"\nWHERE "+w.sql()+"\nGROUP BY customer_id, active_day")
	}
	return "(\n" + strings.Join(active, "\nUNION ALL\n") + "\n)", nil
}
