package simulation

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

var features = []string{
	"dashboard", "search", "reports", "export", "alerts", "api", "automation", "integrations", "sharing", "forecast", "audit", "templates",
}

// Usage in a week is Poisson with a gamma mean: log rate 1.3 + .8 E + .4 log seats; every user has busy and idle weeks, of shape 1.2.
const (
	usageLog        = 1.3
	usageEngagement = .8
	usageSeats      = .4
	usageShape      = 1.2
	leavingUsage    = .4 // of usage is left once it cancelled

	lateRows       = .02
	duplicateRows  = .005
	correctedRows  = .01
	weekendShare   = .3
	workdayShare   = (7 - 2*weekendShare) / 5
	coreFeatures   = 3 // everyone begins with
	featureWeeks   = 3 // and finds one more in so many weeks
	outageLeftOver = .03
)

// use writes the usage.
func (w *World) use(c *Customer) {
	p, r := &c.path, w.stream(c.path.index, forUsage, 0)
	c.Usage = c.Usage[:0]
	c.own = append(c.own[:0], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	rest := c.own[coreFeatures-1:]
	r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	c.users = userShares(c.users, p.seats)
	from, until := w.here(p)
	rate := math.Exp(usageLog + usageSeats*math.Log(float64(p.seats)))
	event := 0
	for i := range p.weeks {
		k := &p.weeks[i]
		c.busy = c.busy[:0]
		total := 0.
		for _, share := range c.users {
			total += share * gamma(r, usageShape) / usageShape
			c.busy = append(c.busy, total)
		}
		weekly := rate * math.Exp(usageEngagement*k.engagement) * total
		monday := 7 * (p.first + i)
		for day := max(monday, from); day < min(monday+7, until); day++ {
			mean := weekly * w.season[day] * w.workday(day) / 7
			if day >= p.cancelled {
				mean *= leavingUsage
			}
			if day == w.productOutage {
				mean *= outageLeftOver
			}
			known := min(p.breadth, coreFeatures+(day-p.start)/(7*featureWeeks))
			begin := len(c.Usage)
			for range poisson(r, mean) {
				w.session(c, r, session{day, known, k.engagement, k.pain})
			}
			if day == w.recordsOutage {
				c.Usage = c.Usage[:begin]
				continue
			}
			event = c.order(begin, event)
		}
	}
	if end := w.endMs(); w.course != nil {
		c.Usage = slices.DeleteFunc(c.Usage, func(u Usage) bool { return u.Known >= end })
	}
}

// maxUsers bounds the users of a customer: beyond them seats are shared.
const maxUsers = 24

// userShares are the parts of the usage that come from each user on average; the first use it most.
func userShares(shares []float64, seats int) []float64 {
	n := min(1+int(.7*float64(seats)), maxUsers)
	shares = shares[:0]
	for i := range n {
		shares = append(shares, math.Sqrt(float64(i+1)/float64(n))-math.Sqrt(float64(i)/float64(n)))
	}
	return shares
}

// session is what a use of the product depends on.
type session struct {
	day, features    int
	engagement, pain float64
}

// session appends one use, with what went wrong with its record.
func (w *World) session(c *Customer, r *rand.Rand, s session) {
	u := r.Float64() * c.busy[len(c.busy)-1]
	user := 0
	for c.busy[user] < u {
		user++
	}
	v := r.Float64()
	at := w.workTime(&c.path, s.day, (r.Float64()+r.Float64())/2)
	row := Usage{
		At:         at,
		User:       user,
		Feature:    features[c.own[int(v*v*float64(s.features))]],
		Channel:    "web",
		DurationMs: 1000 * int64(math.Min(30+math.Exp(5.6+.15*s.engagement+.8*r.NormFloat64()), 14_400)),
		Known:      loaded(at),
	}
	luck := r.Float64()
	if luck < .25 {
		row.Channel = "mobile"
	} else if luck < .30 {
		row.Channel = "api"
	}
	if r.Float64() < .04+.02*math.Min(s.pain, 3) {
		row.Errors = 1 + int64(r.IntN(3))
	}
	fault := r.Float64()
	if fault < lateRows {
		row.Known += int64((2 + 8*r.Float64()) * dayMs)
	}
	end := w.endMs()
	if w.course != nil {
		end = math.MaxInt64 // use drops them, once events have their numbers
	}
	if row.Known >= end {
		return
	}
	c.Usage = append(c.Usage, row)
	again := row
	switch {
	case fault < lateRows:
		return
	case fault < lateRows+duplicateRows:
		again.Known += loadMs * int64(r.IntN(8)) // delivered once more, some of them at once
	case fault < lateRows+duplicateRows+correctedRows:
		again.Known += loadMs * int64(96+r.IntN(20*96))
		again.DurationMs += again.DurationMs/1000/3*1000 + 1000
	default:
		return
	}
	if again.Known < end {
		again.Event = -1 // of the row before
		c.Usage = append(c.Usage, again)
	}
}

// order sorts the rows of a day from begin on, each with its further versions, and numbers the events.
func (c *Customer) order(begin, event int) int {
	rows := c.Usage[begin:]
	slices.SortStableFunc(rows, func(a, b Usage) int { return cmp.Compare(a.At, b.At) }) // versions share their instant, and stay in order
	for i := range rows {
		if rows[i].Event >= 0 {
			event++
		}
		rows[i].Event = event
	}
	return event
}

// workday is the weight of a day within its week.
func (w *World) workday(day int) float64 {
	switch (w.epoch + day + 4) % 7 { // 1970-01-01 was a Thursday; 0 is Sunday
	case 0, 6:
		return weekendShare
	}
	return workdayShare
}
