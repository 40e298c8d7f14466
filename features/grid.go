package features

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// firstCutoffDays is the history in front of the first default cutoff: the longest default usage window.
const firstCutoffDays = 84

// manyGridPoints is where a grid is looked over for points at which nobody can be alive: ten years of months.
const manyGridPoints = 120

// maxGridPoints bounds a grid: 100 years of weeks. More means a wrong year in the rows or in the configuration.
const maxGridPoints = 5300

// Grid is where snapshots for training stand, `snapshots:` of the configuration.
type Grid struct {
	Every string     `yaml:"every" json:"every"`           // week (Monday 00:00 UTC) | month (the 1st, 00:00 UTC) | renewal (Monday 00:00 UTC, those due only: renewal.go); "" = month
	From  *time.Time `yaml:"from" json:"from,omitempty"`   // no cutoff before; nil = 84 days after the first event of the label's sources
	Until *time.Time `yaml:"until" json:"until,omitempty"` // no cutoff after; nil = the last one whose labels are known
}

// DefaultGrid is the first of every month.
func DefaultGrid() Grid { return Grid{Every: "month"} }

// Validate names every problem at once; nil if there is none.
func (g Grid) Validate() error {
	var errs []error
	switch g.Every {
	case "", "week", "month", everyRenewal:
	default:
		errs = append(errs, fmt.Errorf("snapshots.every: %q is none of week, month, renewal", g.Every))
	}
	if g.From != nil && g.Until != nil && g.Until.Before(*g.From) {
		errs = append(errs, fmt.Errorf("snapshots.until: %s is before snapshots.from, %s", g.Until.UTC().Format(time.RFC3339), g.From.UTC().Format(time.RFC3339)))
	}
	return errors.Join(errs...)
}

// points are the grid points in [from, until], oldest first.
func (g Grid) points(from, until time.Time) ([]time.Time, error) {
	var points []time.Time
	for t := g.firstFrom(from); !t.After(until); t = g.next(t) {
		if len(points) == maxGridPoints {
			return nil, fmt.Errorf("snapshots: more than %d cutoffs between %s and %s; set snapshots.from", maxGridPoints, from.Format(time.DateOnly), until.Format(time.DateOnly))
		}
		points = append(points, t)
	}
	return points, nil
}

// firstFrom is the first grid point that is not before t.
func (g Grid) firstFrom(t time.Time) time.Time {
	t = t.UTC()
	midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	if midnight.Before(t) {
		midnight = midnight.AddDate(0, 0, 1)
	}
	if g.weekly() {
		return midnight.AddDate(0, 0, (8-int(midnight.Weekday()))%7)
	}
	if midnight.Day() == 1 {
		return midnight
	}
	return time.Date(midnight.Year(), midnight.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// weekly says that the points are Mondays.
func (g Grid) weekly() bool { return g.Every == "week" || g.Renewal() }

func (g Grid) next(t time.Time) time.Time {
	if g.weekly() {
		return t.AddDate(0, 0, 7)
	}
	return t.AddDate(0, 1, 0)
}

// Cutoffs are the grid points whose labels are known, oldest first; none is no error. Both ends of the grid count:
// From ≤ T ≤ Until and T + M ≤ the watermark. Of more than 120 points those at which nobody can be alive are left out. Outages do not remove a cutoff: its labels are then missing (Labels.Outage).
func (s *Store) Cutoffs(ctx context.Context, c ChurnSpec, g Grid) ([]time.Time, error) {
	reach, err := s.reach(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := g.fits(c); err != nil {
		return nil, err
	}
	points, err := g.between(reach, reach.watermark)
	if err != nil {
		return nil, err
	}
	if points, err = s.inhabited(ctx, c, points); err != nil {
		return nil, err
	}
	return c.knownOf(points, reach.watermark), nil
}

// inhabited leaves the points out of a long grid at which nobody can be alive, because no activity lies in the window that decides. One row with a time that
// stands for none, such as 1970-01-01, would otherwise cost a population and its labels at each of hundreds of points.
func (s *Store) inhabited(ctx context.Context, c ChurnSpec, points []time.Time) ([]time.Time, error) {
	if c.Setting != NonContractual || len(points) <= manyGridPoints {
		return points, nil
	}
	var days []time.Time
	for _, source := range c.Activity {
		counts, err := s.rowsPerDay(ctx, source, window{until: endOfTime}, endOfTime)
		if err != nil {
			return nil, fmt.Errorf("days with %s: %w", source, err)
		}
		days = slices.AppendSeq(days, maps.Keys(counts))
	}
	slices.SortFunc(days, time.Time.Compare)
	return slices.DeleteFunc(points, func(t time.Time) bool {
		from := t.Add(-time.Duration(c.ActiveDays) * day)
		k, _ := slices.BinarySearchFunc(days, from.Truncate(day), time.Time.Compare) // the day that holds the window's beginning may count
		return k == len(days) || !days[k].Before(t)
	}), nil
}

// between are the grid points from From (or its default) to Until, and no later than last.
func (g Grid) between(r reach, last time.Time) ([]time.Time, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	from := r.first.Add(firstCutoffDays * day)
	if g.From != nil {
		from = *g.From
	}
	if g.Until != nil && g.Until.Before(last) {
		last = *g.Until
	}
	return g.points(from, last)
}
