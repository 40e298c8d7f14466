package pipelines

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-co-op/gocron/v2"
)

// Cron is a cron expression (five fields, or @daily and the like) on the clocks of a time zone. It is immutable.
//
// A time of day that the clocks skip in spring fires when they have jumped, one that they show twice in autumn fires once, at the first. Expressions
// whose hour begins with * mean a distance rather than a time of day, and go by elapsed time.
type Cron struct {
	expression string
	zone       *time.Location
	elapsed    bool
	next       func(time.Time) time.Time // of elapsed: in zone; else on a clock that never changes
}

// ParseCron reads an expression. Errors: it is none, or no time matches it.
func ParseCron(expression string, zone *time.Location) (*Cron, error) {
	expression = strings.TrimSpace(expression)
	if strings.Contains(expression, "TZ=") {
		return nil, errors.New("the time zone stands in schedule.timezone")
	}
	if strings.HasPrefix(expression, "@every") {
		// Its firings count from the start of the process: what was missed cannot be told, nor can two schedulers agree.
		return nil, errors.New(`@every has no times that a restart would keep: write "0 */6 * * *" for every six hours`)
	}
	fields := strings.Fields(expression)
	if len(fields) == 5 {
		fields[4] = sundays(fields[4])
		expression = strings.Join(fields, " ")
	}
	c := &Cron{expression: expression, zone: zone}
	c.elapsed = len(fields) > 1 && strings.HasPrefix(fields[1], "*") || expression == "@hourly"
	clock := time.UTC
	if c.elapsed {
		clock = zone
	}
	parsed := gocron.NewDefaultCron(false)
	if err := parsed.IsValid(expression, clock, time.Now()); err != nil {
		if errors.Is(err, gocron.ErrCronJobInvalid) {
			return nil, errors.New("no day ever matches it")
		}
		if len(fields) == 5 {
			return nil, errors.New("one of its five fields holds what it cannot: minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7, or * and lists, ranges and steps of them")
		}
		return nil, errors.New(`it is no cron expression of five fields (minute hour day month weekday), such as "0 3 * * *"`)
	}
	c.next = parsed.Next
	return c, nil
}

// sundays writes the Sunday that cron also knows as 7 as 0: 7 is 0, and 5-7 is 5-6,0.
func sundays(weekday string) string {
	days := strings.Split(weekday, ",")
	for i, d := range days {
		first, isRange := strings.CutSuffix(d, "-7")
		switch {
		case d == "7", isRange && first == "7":
			days[i] = "0"
		case isRange && first == "0":
			days[i] = "0-6"
		case isRange:
			days[i] = first + "-6,0"
		}
	}
	return strings.Join(days, ",")
}

// String is the expression.
func (c *Cron) String() string { return c.expression }

// Next is the first firing after an instant; the zero time if there is none within five years.
func (c *Cron) Next(after time.Time) time.Time {
	after = after.In(c.zone)
	if c.elapsed {
		return c.next(after)
	}
	// The face of the clock, read as if it were UTC, has neither gaps nor repetitions.
	face := faceOf(after)
	for range 200 { // an hour that is shown twice holds 60 minutes; then the faces have passed the instant
		if face = c.next(face); face.IsZero() {
			return face
		}
		if t := onClock(face, c.zone); t.After(after) {
			return t
		}
	}
	return time.Time{}
}

// onClock is when the clocks of the zone show a face: the first time if they do twice, and the jump itself if they jump over it.
func onClock(face time.Time, zone *time.Location) time.Time {
	t := time.Date(face.Year(), face.Month(), face.Day(), face.Hour(), face.Minute(), face.Second(), 0, zone)
	from, until := t.ZoneBounds()
	switch shown := faceOf(t); {
	case shown.After(face): // time.Date has gone by the offset before the jump
		return from
	case shown.Before(face): // or by the one after it
		return until
	}
	if from.IsZero() {
		return t
	}
	_, now := t.Zone()
	_, before := from.Add(-time.Second).Zone()
	if earlier := t.Add(time.Duration(now-before) * time.Second); earlier.Before(from) && faceOf(earlier).Equal(face) {
		return earlier
	}
	return t
}

// faceOf is what a clock shows, read as if it were UTC.
func faceOf(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// Last is the latest firing that is not after an instant; ok is false if there is none within five years.
func (c *Cron) Last(now time.Time) (last time.Time, ok bool) {
	const day = 24 * time.Hour
	for _, back := range []time.Duration{time.Hour, day, 8 * day, 32 * day, 370 * day, 5 * 366 * day} {
		for t := c.Next(now.Add(-back)); !t.IsZero() && !t.After(now); t = c.Next(t) {
			last, ok = t, true
		}
		if ok {
			return last, true
		}
	}
	return last, false
}

// crontab gives gocron a Cron of ours in place of its own.
type crontab struct{ *Cron }

// IsValid is gocron's question; ParseCron has answered it.
func (crontab) IsValid(expression string, _ *time.Location, _ time.Time) error {
	if expression == "" {
		return fmt.Errorf("schedule: %w", gocron.ErrCronJobInvalid)
	}
	return nil
}
