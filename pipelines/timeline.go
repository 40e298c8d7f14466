package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/features/timeline"
	"retain/internal/warehouse"
)

// Timeline reads what happened to customers over all sources, own tables among them. It keeps the outages it has found, and is
// safe for concurrent use.
type Timeline struct {
	Store *features.Store // required

	outages outageMemory
}

// Events returns the newest events first, at most q.Limit, and the place where the next stretch begins, nil at the end. Events of
// one instant stand in the order of timelineSources, then by key: the same question has the same answer, and stretches neither
// overlap nor leave anything out. A source without rows contributes nothing.
func (t *Timeline) Events(ctx context.Context, q timeline.Query) ([]timeline.Event, *timeline.Place, error) {
	if q.Limit < 1 || q.Limit > timeline.MaxLimit {
		return nil, nil, fmt.Errorf("read timeline: limit %d, want 1 to %d", q.Limit, timeline.MaxLimit)
	}
	if q.Source != "" && sourceRank(q.Source) < 0 {
		return nil, nil, fmt.Errorf("read timeline: no source %q", q.Source)
	}
	if q.From != nil && (sourceRank(q.From.Source) < 0 || q.From.Skip < 0 || q.From.Skip > maxSkip) {
		return nil, nil, fmt.Errorf("read timeline: %w", timeline.ErrPlace)
	}
	found := make([][]placed, len(timelineSources))
	work, ctx := errgroup.WithContext(oneThread(ctx))
	for rank, s := range timelineSources {
		if q.Source != "" && s.name != q.Source {
			continue
		}
		work.Go(func() (err error) {
			if found[rank], err = t.read(ctx, q, rank); err != nil {
				return fmt.Errorf("read timeline: %s: %w", s.name, err)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return nil, nil, impersonal(err)
	}
	events, next := stretch(slices.Concat(found...), q.From, q.Limit)
	return events, next, nil
}

// oneThread makes statements run on one thread each: what they read is a few granules, so that more threads cost up to two thirds
// more and gain nothing, and the sources are read side by side anyway.
func oneThread(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"max_threads": 1}))
}

// impersonal drops what ClickHouse says of a statement, because that repeats the statement, and in it the customer's id.
func impersonal(err error) error {
	var refused *clickhouse.Exception
	if errors.As(err, &refused) {
		return fmt.Errorf("read a customer's history: ClickHouse refuses the statement with code %d; `retain doctor` checks the sources", refused.Code)
	}
	return err
}

// placed is an event with what orders it among others of its instant.
type placed struct {
	timeline.Event
	rank int
	key  uint64
}

func (p placed) compare(q placed) int {
	return cmp.Or(q.At.Compare(p.At), cmp.Compare(p.rank, q.rank), cmp.Compare(p.key, q.key))
}

// stretch puts the events of all sources in order and cuts off what was given before and what is too much.
func stretch(all []placed, from *timeline.Place, limit int) ([]timeline.Event, *timeline.Place) {
	slices.SortStableFunc(all, placed.compare)
	skip := 0
	if from != nil {
		for skip < min(from.Skip, len(all)) && all[skip].At.Equal(from.At) && all[skip].Source == from.Source && all[skip].key == from.Key {
			skip++
		}
	}
	end := min(len(all), skip+limit)
	events := make([]timeline.Event, 0, end-skip)
	for _, p := range all[skip:end] {
		events = append(events, p.Event)
	}
	if end == len(all) {
		return events, nil
	}
	first := all[end]
	place := &timeline.Place{At: first.At, Source: first.Source, Key: first.key}
	for k := end - 1; k >= 0 && all[k].compare(first) == 0; k-- {
		place.Skip++
	}
	return events, place
}

// read returns what a source contributes: from the place on, one more than is asked, so that the end shows.
func (t *Timeline) read(ctx context.Context, q timeline.Query, rank int) ([]placed, error) {
	s := timelineSources[rank]
	from, err := t.Store.VersionsOf(ctx, s.name, s.columns, q.Cutoff, q.Customer)
	if err != nil {
		return nil, err
	}
	at, key, limit := q.Cutoff, uint64(0), q.Limit+1
	if q.From != nil {
		at = q.From.At
		switch place := sourceRank(q.From.Source); {
		case rank < place:
			at = at.Add(-time.Millisecond) // its events of that instant were given already
		case rank == place:
			key, limit = q.From.Key, limit+q.From.Skip
		}
	}
	unit, start := period(q.Source)
	statement := strings.NewReplacer("@from", from, "@unit", unit, "@period", start, "@grace", strconv.Itoa(int(lapse/time.Second))).Replace(s.statement)
	params := clickhouse.Parameters{
		"at": warehouse.Instant(at), "key": strconv.FormatUint(key, 10), "limit": strconv.Itoa(limit), "cutoff": warehouse.Instant(q.Cutoff),
	}
	var events []placed
	for b, err := range t.Store.DB.Blocks(ctx, `SELECT * FROM (`+statement+`)
		WHERE moment < {cutoff:DateTime64(3, 'UTC')} AND (moment < {at:DateTime64(3, 'UTC')} OR moment = {at:DateTime64(3, 'UTC')} AND key >= {key:UInt64})
		ORDER BY moment DESC, key
		LIMIT {limit:UInt64}`, params) {
		if err != nil {
			return nil, err
		}
		at, kinds, keys := b.Times("moment"), b.Strings("event"), b.UInt64s("key")
		details := s.details(b)
		for i := range at {
			events = append(events, placed{Event: timeline.Event{At: at[i], Source: s.name, Kind: kinds[i], Details: details[i]}, rank: rank, key: keys[i]})
		}
	}
	return events, nil
}

// sourceRank is the place of a source among those of one instant; -1 for none, before all others.
func sourceRank(name string) int {
	return slices.IndexFunc(timelineSources, func(s timelineSource) bool { return s.name == name })
}

// period is what a row of usage sums up and the SQL of its start: days when usage is asked for alone, weeks from Monday else.
func period(source string) (unit, start string) {
	if source == features.Usage {
		return "day", "toDateTime64(toStartOfDay(at, 'UTC'), 3, 'UTC')"
	}
	return "week", "toDateTime64(toMonday(at, 'UTC'), 3, 'UTC')"
}

// rows counts a customer's rows in each source as known at the cutoff, in the order of timelineSources, without sources that have
// none, and finds their first instant, zero without any.
func (t *Timeline) rows(ctx context.Context, customer string, cutoff time.Time) (rows []timeline.Rows, first time.Time, err error) {
	parts := make([]string, len(timelineSources))
	for k, s := range timelineSources {
		from, err := t.Store.VersionsOf(ctx, s.name, []string{"at"}, cutoff, customer)
		if err != nil {
			return nil, first, fmt.Errorf("%s: %w", s.name, err)
		}
		parts[k] = "SELECT toUInt8(" + strconv.Itoa(k) + ") AS rank, count() AS n, min(toNullable(at)) AS first FROM " + from
	}
	for b, err := range t.Store.DB.Blocks(ctx, "SELECT * FROM ("+strings.Join(parts, " UNION ALL ")+") WHERE n > 0 ORDER BY rank", nil) {
		if err != nil {
			return nil, first, err
		}
		n, firsts := b.UInt64s("n"), b.Times("first")
		for i, rank := range b.UInt64s("rank") {
			rows = append(rows, timeline.Rows{Source: timelineSources[rank].name, Rows: int(n[i])})
			if !firsts[i].IsZero() && (first.IsZero() || firsts[i].Before(first)) {
				first = firsts[i]
			}
		}
	}
	return rows, first, nil
}

// maxSkip bounds how many wholly equal events of one instant are stepped over.
const maxSkip = 100_000
