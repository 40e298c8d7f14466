package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/features/timeline"
	"retain/internal/warehouse"
)

const (
	week           = 7 * 24 * time.Hour
	trendWeeks     = 52
	npsYears       = 2
	maxAnswers     = 60 // one every twelve days for two years; more are too close to tell apart
	outagePatience = 2 * time.Second
	outageRetry    = 10 * time.Minute
)

// Overview reads how many rows each source has of a customer, and the customer's sparklines. All is empty, and not an error, where
// there is nothing.
func (t *Timeline) Overview(ctx context.Context, customer string, cutoff time.Time) (timeline.Overview, error) {
	o := timeline.Overview{NPSFrom: cutoff.AddDate(-npsYears, 0, 0)}
	var first time.Time
	var out []time.Time
	work, whole := errgroup.WithContext(ctx)
	ctx = oneThread(whole)
	work.Go(func() (err error) {
		if o.Rows, first, err = t.rows(ctx, customer, cutoff); err != nil {
			return fmt.Errorf("count rows of a customer: %w", err)
		}
		return nil
	})
	work.Go(func() (err error) {
		if o.NPS, err = t.answers(ctx, customer, o.NPSFrom, cutoff); err != nil {
			return fmt.Errorf("read NPS answers: %w", err)
		}
		return nil
	})
	work.Go(func() (err error) {
		if o.Usage, err = t.usageWeeks(ctx, customer, cutoff); err != nil {
			return fmt.Errorf("read weeks of usage: %w", err)
		}
		out = t.outageDays(whole, cutoff) // which reads everyone's rows
		return nil
	})
	if err := work.Wait(); err != nil {
		return timeline.Overview{}, impersonal(err)
	}
	if !slices.ContainsFunc(o.Rows, func(r timeline.Rows) bool { return r.Source == features.Usage }) {
		o.Usage = nil
	}
	for k := range o.Usage {
		w := &o.Usage[k]
		w.Before = !first.IsZero() && !first.Before(w.From.Add(week))
		for _, d := range out {
			if !d.Before(w.From) && d.Before(w.From.Add(week)) {
				w.OutageDays++
			}
		}
	}
	return o, nil
}

func (t *Timeline) answers(ctx context.Context, customer string, from, cutoff time.Time) ([]timeline.Answer, error) {
	versions, err := t.Store.VersionsOf(ctx, features.Surveys, []string{"at", "kind", "score", "event_hash"}, cutoff, customer)
	if err != nil {
		return nil, err
	}
	var answers []timeline.Answer
	params := clickhouse.Parameters{"from": warehouse.Instant(from)}
	for b, err := range t.Store.DB.Blocks(ctx, `SELECT at, toFloat64(score) AS score FROM `+versions+`
		WHERE kind = 'nps' AND at >= {from:DateTime64(3, 'UTC')}
		ORDER BY at DESC, event_hash
		LIMIT `+strconv.Itoa(maxAnswers), params) {
		if err != nil {
			return nil, err
		}
		scores := b.Float64s("score")
		for i, at := range b.Times("at") {
			answers = append(answers, timeline.Answer{At: at, Score: orNull(scores[i])})
		}
	}
	slices.Reverse(answers)
	return answers, nil
}

// usageWeeks sums up the use in each of the weeks before the cutoff, oldest first, without looking at outages.
func (t *Timeline) usageWeeks(ctx context.Context, customer string, cutoff time.Time) ([]timeline.Week, error) {
	versions, err := t.Store.VersionsOf(ctx, features.Usage, []string{"at", "feature", "duration_s"}, cutoff, customer)
	if err != nil {
		return nil, err
	}
	weeks := make([]timeline.Week, trendWeeks)
	for k := range weeks {
		weeks[k].From = cutoff.Add(-time.Duration(trendWeeks-k) * week)
	}
	params := clickhouse.Parameters{"cutoff": warehouse.Instant(cutoff), "from": warehouse.Instant(weeks[0].From)}
	for b, err := range t.Store.DB.Blocks(ctx, `SELECT intDiv(dateDiff('millisecond', at, {cutoff:DateTime64(3, 'UTC')}) - 1, 604800000) AS back,
			count() AS uses, toFloat64(sum(duration_s)) / 60 AS minutes, uniqExactIf(feature, feature != '') AS features
		FROM `+versions+`
		WHERE at >= {from:DateTime64(3, 'UTC')}
		GROUP BY back`, params) {
		if err != nil {
			return nil, err
		}
		uses, minutes, kinds := b.UInt64s("uses"), b.Float64s("minutes"), b.UInt64s("features")
		for i, back := range b.Int64s("back") {
			w := &weeks[trendWeeks-1-back]
			w.Uses, w.Features = int(uses[i]), int(kinds[i])
			if minutes[i] > 0 { // NaN where durations are not known
				w.Minutes = minutes[i]
			}
		}
	}
	return weeks, nil
}

// outageMemory holds the outage days of the cutoff that was asked for last: they are the same for every customer.
type outageMemory struct {
	mu     sync.Mutex
	cutoff time.Time
	days   []time.Time
	until  time.Time // when a look that failed is tried again; zero after one that did not
}

// outageDays are the UTC days of the 52 weeks before the cutoff on which usage was missing for everyone. The first call for a cutoff
// counts the days of the whole source, for at most outagePatience; others wait for it and share what it found. Where that is too
// long none are known, and none are drawn.
func (t *Timeline) outageDays(ctx context.Context, cutoff time.Time) []time.Time {
	o := &t.outages
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cutoff.Equal(cutoff) && (o.until.IsZero() || time.Now().Before(o.until)) {
		return o.days
	}
	bounded, cancel := context.WithTimeout(ctx, outagePatience)
	defer cancel()
	days, err := t.Store.OutageDays(bounded, features.Usage, cutoff.Add(-trendWeeks*week), cutoff)
	if err != nil && ctx.Err() != nil {
		return nil // the reader gave up, which says nothing about the next one
	}
	o.cutoff, o.days, o.until = cutoff, days, time.Time{}
	if err != nil {
		o.until = time.Now().Add(outageRetry)
	}
	return days
}
