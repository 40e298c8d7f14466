package features

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// EmptySourceError tells that a source from which labels are read has no rows.
type EmptySourceError struct {
	Source string
	Other  string // a source with rows from which labels could be read; "" if there is none, or another setting is configured
}

func (e *EmptySourceError) Error() string {
	told := fmt.Sprintf("the labels are read from %s, which has no rows; fill it with: retain import %s FILE", e.Source, e.Source)
	switch e.Other {
	case "":
	case Subscriptions:
		told += "; or, since subscriptions has rows, set churn.setting: contractual"
	default:
		told += fmt.Sprintf("; or, since %s has rows, set churn.activity: [%s]", e.Other, e.Other)
	}
	return told
}

// reach is how far sources go.
type reach struct {
	first     time.Time // their oldest event
	watermark time.Time // D: the least of theirs, or data_until
	source    string    // the one that ends first; "" under data_until
}

// Watermark is D, the instant until which the data behind the labels are complete: data_until if it is set, else the least over the label's
// sources of their newest time minus their settling time. The newest time is that of the newest row (started_at of subscriptions;
// ingested_at where a row was known in advance), or the end of its day if all times of the source are midnights. The settling
// time is the 99th percentile of ingested_at - at, in whole minutes rounded up. The error of an empty source is *EmptySourceError.
func (s *Store) Watermark(ctx context.Context, c ChurnSpec) (time.Time, error) {
	if err := c.Validate(); err != nil {
		return time.Time{}, err
	}
	if c.DataUntil != nil {
		return c.DataUntil.UTC(), nil
	}
	r, err := s.reach(ctx, c)
	return r.watermark, err
}

func (s *Store) reach(ctx context.Context, c ChurnSpec) (reach, error) {
	if err := c.Validate(); err != nil {
		return reach{}, err
	}
	least, err := s.reachOfAll(ctx, c.LabelSources())
	if empty := new(EmptySourceError); errors.As(err, &empty) && c.Setting == NonContractual {
		return reach{}, fmt.Errorf("watermark of %s: %w", empty.Source, &EmptySourceError{Source: empty.Source, Other: s.labelled(ctx)})
	}
	if err != nil {
		return reach{}, err
	}
	return least.under(c), nil
}

// labelled is a source with rows from which labels are often read, "" without any. What cannot be read is passed over: this is for a mend alone.
func (s *Store) labelled(ctx context.Context) string {
	for _, source := range []string{Subscriptions, Purchases, Usage} {
		if _, err := s.reachOf(ctx, source); err == nil {
			return source
		}
	}
	return ""
}

// FutureWarning warns where labels take the data for complete until a time that has not come; "" where they do not, or where data_until says until when.
func (c ChurnSpec) FutureWarning(watermark, now time.Time) string {
	if c.DataUntil != nil || !watermark.After(now) {
		return ""
	}
	return "the data are taken for complete until " + watermark.UTC().Format(time.DateOnly) +
		", which is still to come: rows with a time after now make labels wrong; retain doctor finds them, churn.data_until ends the labels before them"
}

// under is the reach with data_until in place of the watermark, if it is set.
func (r reach) under(c ChurnSpec) reach {
	if c.DataUntil != nil {
		r.watermark, r.source = c.DataUntil.UTC(), ""
	}
	return r
}

// reachOfAll is the reach of several sources together.
func (s *Store) reachOfAll(ctx context.Context, sources []string) (reach, error) {
	var least reach
	for _, source := range sources {
		r, err := s.reachOf(ctx, source)
		if err != nil {
			return reach{}, fmt.Errorf("watermark of %s: %w", source, err)
		}
		if least.first.IsZero() || r.first.Before(least.first) {
			least.first = r.first
		}
		if least.watermark.IsZero() || r.watermark.Before(least.watermark) {
			least.watermark, least.source = r.watermark, source
		}
	}
	return least, nil
}

// reachOf counts the lags in whole minutes before it takes their quantile: a quantile over the rows would hold every row in memory.
func (s *Store) reachOf(ctx context.Context, source string) (reach, error) {
	rows, err := s.Versions(ctx, source, []string{"at", "ingested_at"}, endOfTime)
	if err != nil {
		return reach{}, err
	}
	var n uint64
	var first, newest, lagMinutes int64
	var dated uint8
	err = s.DB.Conn().QueryRow(ctx, `SELECT
sum(n) AS n_rows,
min(first_ms) AS first,
max(newest_ms) AS newest,
toInt64(quantileExactWeighted(0.99)(lag_minutes, n)) AS lag,
toUInt8(max(clocked) = 0) AS dated
FROM (
SELECT
intDiv(greatest(toUnixTimestamp64Milli(ingested_at) - toUnixTimestamp64Milli(at), 0) + 59999, 60000) AS lag_minutes,
count() AS n,
toUnixTimestamp64Milli(min(at)) AS first_ms,
toUnixTimestamp64Milli(max(least(at, ingested_at))) AS newest_ms,
max(toUnixTimestamp64Milli(at) % 86400000 != 0) AS clocked
FROM `+rows+`
GROUP BY lag_minutes
)`).Scan(&n, &first, &newest, &lagMinutes, &dated)
	if err != nil {
		return reach{}, err
	}
	if n == 0 {
		return reach{}, &EmptySourceError{Source: source}
	}
	r := reach{first: time.UnixMilli(first).UTC(), watermark: time.UnixMilli(newest).UTC()}
	if dated == 1 {
		r.watermark = r.watermark.Truncate(day).Add(day)
	}
	r.watermark = r.watermark.Add(-time.Duration(lagMinutes) * time.Minute)
	return r, nil
}
