package actions

import (
	"time"
	_ "time/tzdata" // so that a customer's clock is the same on every machine
)

// QuietHours are those of the customer's clock at which nobody is disturbed: from ≤ hour or hour < until when from > until (over
// midnight), else from ≤ hour < until. From = Until is no quiet time.
type QuietHours struct {
	From  int `json:"from" yaml:"from"`   // 0..23
	Until int `json:"until" yaml:"until"` // 0..23
}

// Quiet tells whether an hour of the day is quiet.
func (q QuietHours) Quiet(hour int) bool {
	if q.From <= q.Until {
		return q.From <= hour && hour < q.Until
	}
	return hour >= q.From || hour < q.Until
}

// Habit is when a customer is usually there, by the customer's clock. The zero value is: not known.
type Habit struct {
	Hour uint8 // 1 + the hour of the day; 0 = not known
	Day  uint8 // 1 + the weekday, Sunday being 0; 0 = not known
}

const (
	habitLeast = 8 // hours of use from which on there is a habit
	momentDays = 7 // from now, in which the moment lies; a habit of a certain weekday is waited for so long
)

// HabitOf finds the hour and weekday at which the customer was there most often, the quiet hours left out. slots counts by hour of
// the week in UTC, from Monday 00:00 on, on how many days he used the product in that hour. Among equals the hour nearest to the
// policy's counts, the earlier first, and the earlier weekday. An unknown time zone is UTC; its offset is that at now, in whole hours.
func (p *ContactPolicy) HabitOf(slots *[168]uint16, timezone string, now time.Time) (h Habit) {
	_, offset := now.In(zoneOf(timezone)).Zone()
	var hours [24]int
	var days [7]int
	total := 0
	for slot, n := range slots {
		local := (slot + offset/3600 + 2*168) % 168
		if hour := local % 24; !p.Quiet.Quiet(hour) {
			hours[hour] += int(n)
			days[(local/24+1)%7] += int(n)
			total += int(n)
		}
	}
	if total < habitLeast {
		return h
	}
	best := -1
	for away := range 24 {
		for _, hour := range []int{p.Hour - away, p.Hour + away} {
			if hour >= 0 && hour < 24 && hours[hour] > 0 && (best < 0 || hours[hour] > hours[best]) {
				best = hour
			}
		}
	}
	day := 0
	for d, n := range days {
		if n > days[day] {
			day = d
		}
	}
	return Habit{Hour: uint8(best + 1), Day: uint8(day + 1)}
}

// zoneOf is a time zone by name; UTC where it is unknown.
func zoneOf(timezone string) *time.Location {
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		return time.UTC
	}
	return zone
}

// Awake is now or, in the quiet hours of the customer's clock, their end: when to send what is due and waits for no better hour. An unknown time zone is UTC,
// as is the answer.
func (p *ContactPolicy) Awake(timezone string, now time.Time) time.Time {
	zone := zoneOf(timezone)
	local := now.In(zone)
	if !p.Quiet.Quiet(local.Hour()) {
		return now.UTC()
	}
	end := time.Date(local.Year(), local.Month(), local.Day(), p.Quiet.Until, 0, 0, 0, zone)
	if end.Before(now) {
		end = time.Date(local.Year(), local.Month(), local.Day()+1, p.Quiet.Until, 0, 0, 0, zone)
	}
	return end.UTC()
}

// MomentOf is when to do what the customer did not ask for, decided at now: at the hour and on the weekday at which he is usually
// there, else at the policy's hour on the first weekday from Monday to Friday; not before now, and never in the quiet hours. Where
// the clock skips the hour (summer time), it is the instant that the hour would have been. An unknown time zone is UTC, as is the
// answer.
func (p *ContactPolicy) MomentOf(timezone string, h Habit, now time.Time) time.Time {
	zone := zoneOf(timezone)
	local := now.In(zone)
	hour := p.Hour
	if h.Hour > 0 && !p.Quiet.Quiet(int(h.Hour)-1) {
		hour = int(h.Hour) - 1
	}
	for day := 0; ; day++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+day, hour, 0, 0, 0, zone)
		suits := at.Weekday() != time.Saturday && at.Weekday() != time.Sunday
		if h.Day > 0 && day <= momentDays {
			suits = at.Weekday() == time.Weekday(h.Day-1)
		}
		if suits && !at.Before(now) {
			return at.UTC()
		}
	}
}
