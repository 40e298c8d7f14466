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

// NextMoment is when to do what the customer did not ask for, decided at now: at the policy's hour of the customer's clock on the
// first weekday where that lies not before now. Where the clock skips the hour (summer time), it is the instant that the hour
// would have been. An unknown time zone is UTC, as is the answer.
func (p *ContactPolicy) NextMoment(timezone string, now time.Time) time.Time {
	zone, err := time.LoadLocation(timezone)
	if err != nil || timezone == "Local" {
		zone = time.UTC
	}
	local := now.In(zone)
	for day := 0; ; day++ {
		at := time.Date(local.Year(), local.Month(), local.Day()+day, p.Hour, 0, 0, 0, zone)
		weekend := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
		if !weekend && !at.Before(now) {
			return at.UTC()
		}
	}
}
