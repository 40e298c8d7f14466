package simulation

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// DefaultEnd is where the records end unless a world says otherwise. It is fixed, so that the same command gives the same world.
var DefaultEnd = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

// Bounds of a world.
const (
	MaxCustomers = 10_000_000 // ids have seven digits
	MinDays      = 28         // below, nobody can be watched for a month
	MaxDays      = 3650
)

// Effects says what the actions do to the hazard.
type Effects string

// The worlds of effects.
const (
	NoEffects           Effects = "none"         // nothing does anything
	ProportionalEffects Effects = "proportional" // every action but the thank-you lowers the log hazard by the same amount for everyone
	MixedEffects        Effects = "mixed"        // an action helps some and harms others, by what can be seen of them
)

// Options describe a world.
type Options struct {
	Customers int       // 1 … MaxCustomers; they have the indices 0 … Customers-1
	Days      int       // length of the records, MinDays … MaxDays
	Seed      uint64    // any
	End       time.Time // the records end here, exclusive; a midnight UTC, the zero time means DefaultEnd
	Effects   Effects   // "" means MixedEffects
	Quiet     time.Time // from this midnight on nobody is contacted; the zero time means never. For comparing outcomes with a truth in which nothing is done
}

// World makes customers. It is immutable and safe for concurrent use.
type World struct {
	options  Options
	startMs  int64    // first instant of the records
	until    int      // day on which the records end
	quiet    int      // day from which on nobody is contacted
	everyone *contact // is done to everyone, whatever else is; nil outside tests
	futures  int      // that a truth is the mean of
	course   *course  // what a policy did; nil in a world that is made at once
	epoch    int      // days from 1970 to the first day of the records

	productOutage int // day on which nearly nobody could use the product
	recordsOutage int // day of which the usage records are lost
	season        []float64
}

// New checks the options and makes the world.
func New(o Options) (*World, error) {
	if o.End.IsZero() {
		o.End = DefaultEnd
	}
	if o.Effects == "" {
		o.Effects = MixedEffects
	}
	o.End = o.End.UTC()
	var errs []error
	if o.Customers < 1 || o.Customers > MaxCustomers {
		errs = append(errs, fmt.Errorf("customers: %d is not between 1 and %d", o.Customers, MaxCustomers))
	}
	if o.Days < MinDays || o.Days > MaxDays {
		errs = append(errs, fmt.Errorf("days: %d is not between %d and %d", o.Days, MinDays, MaxDays))
	}
	if !o.End.Equal(o.End.Truncate(24 * time.Hour)) {
		errs = append(errs, fmt.Errorf("end: %s is no midnight UTC", o.End.Format(time.RFC3339)))
	}
	if y := o.End.Year(); y < 1990 || y > 2200 {
		errs = append(errs, fmt.Errorf("end: the year %d is not between 1990 and 2200", y))
	}
	switch o.Effects {
	case NoEffects, ProportionalEffects, MixedEffects:
	default:
		errs = append(errs, fmt.Errorf("effects: %q is none of none, proportional, mixed", o.Effects))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	start := o.End.AddDate(0, 0, -o.Days)
	w := &World{options: o, startMs: start.UnixMilli(), epoch: int(start.UnixMilli() / dayMs), until: o.Days, futures: defaultFutures, quiet: math.MaxInt}
	if !o.Quiet.IsZero() {
		w.quiet = w.Day(o.Quiet)
	}
	w.productOutage = wednesday(w.epoch, o.Days*55/100)
	w.recordsOutage = wednesday(w.epoch, o.Days*80/100)
	w.season = make([]float64, o.Days)
	for d := range w.season {
		w.season[d] = usageSeason(w.Time(d))
	}
	return w, nil
}

const dayMs = 86_400_000

// Start is the first instant of the records.
func (w *World) Start() time.Time { return time.UnixMilli(w.startMs).UTC() }

// End is the first instant after the records.
func (w *World) End() time.Time { return w.Time(w.until) }

// Customers is the number of customers.
func (w *World) Customers() int { return w.options.Customers }

// Day is the number of whole days from the start of the records to t; negative before it.
func (w *World) Day(t time.Time) int { return floorDiv(int(t.UnixMilli()-w.startMs), dayMs) }

// Time is the midnight that begins a day of the records.
func (w *World) Time(day int) time.Time { return time.UnixMilli(w.startMs + int64(day)*dayMs).UTC() }

// ms is the midnight that begins a day, in milliseconds since 1970.
func (w *World) ms(day int) int64 { return w.startMs + int64(day)*dayMs }

// wednesday moves a day to the Wednesday on or after it, so that an outage hits a working day.
func wednesday(epoch, day int) int {
	const thursday = 0 // 1970-01-01 was one
	return day + ((thursday-1-epoch-day)%7+7)%7
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// usageSeason is what holidays leave of usage: -15 % in summer, -25 % around the year's end.
func usageSeason(t time.Time) float64 {
	switch month, day := t.Month(), t.Day(); {
	case month == time.July || month == time.August:
		return .85
	case month == time.December && day >= 20, month == time.January && day <= 5:
		return .75
	}
	return 1
}
