package doctor

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
)

const (
	fewForClock = 1_000 // rows below which the hours of a day say nothing
	quietHours  = 6     // in a row; a night
	quietShare  = .15   // of the rows in the quietest six hours: more is no rhythm (a quarter would be none at all)
	night       = 3.5   // the hour around which people are quiet, by their own clock
)

// rhythm is the middle of the six hours in a row that have the fewest rows, and their share. Of several such runs, as in a day with long silence, it is
// the mean one on the dial.
func rhythm(hours [24]int64) (middle float64, low float64) {
	var all int64
	for _, n := range hours {
		all += n
	}
	best := int64(math.MaxInt64)
	var x, y float64
	for h := range hours {
		var n int64
		for k := range quietHours {
			n += hours[(h+k)%24]
		}
		if n < best {
			best, x, y = n, 0, 0
		}
		if n == best {
			angle := float64(h) * math.Pi / 12
			x, y = x+math.Cos(angle), y+math.Sin(angle)
		}
	}
	start := math.Round(math.Atan2(y, x)*120/math.Pi) / 10 // tenths of an hour, so that the last bits of the sines do not tell
	return math.Mod(start+24+quietHours/2, 24), share(best, all)
}

// hour writes a time of the day as a whole hour.
func hour(h float64) string { return fmt.Sprintf("%02d", int(math.Round(h+24))%24) }

// behindUTC is how many hours the people are behind UTC who are quiet around the hour, in (-12, 12]; below 0 they are ahead.
func behindUTC(middle float64) float64 {
	d := math.Mod(middle-night+48, 24)
	if d > 12 {
		d -= 24
	}
	return d
}

func checkClock(ctx context.Context, x *examination, p *profile) (finding, error) {
	figures := Figures{"midnight": figureOf(share(p.midnight, p.dated))}
	mend := fmt.Sprintf("import again with the zone the times are in: retain import %s FILE --timezone Europe/Berlin, for example", p.layout.name)
	switch {
	case p.dates():
		return fine("all times are 00:00: dates, without an hour").with(figures), nil
	case p.dated >= fewPeriods && p.datesElsewhere():
		return warn(mend, "all times of the day are %s UTC: dates that were written in another zone", clockTimes(p.clocks)).with(figures), nil
	case p.dated >= fewForClock && share(p.midnight, p.dated) > partlyMissing:
		return warn("give those rows their hour, or import them all as dates: hours and days mean different things in the two kinds",
			"%s of %s (%s) are exactly 00:00, while the others have an hour", spoken.Count(p.midnight), spoken.Counted(p.dated, "row"), percent(share(p.midnight, p.dated))).with(figures), nil
	case p.dated < fewForClock:
		return skip("%s: too few to tell a rhythm of the day", spoken.Counted(p.dated, "row")).with(figures), nil
	}
	middle, low := rhythm(p.hours)
	figures["quiet_share"], figures["quiet_middle_hour"] = figureOf(low), figureOf(middle)
	if low > quietShare || p.layout.name == features.Contacts || p.layout.name == features.Subscriptions {
		return fine("times have an hour, and the day no clear rhythm (the quietest six hours hold %s of the rows)", percent(low)).with(figures), nil
	}
	quiet := fmt.Sprintf("the quietest six hours are %s to %s UTC (%s of the rows)", hour(middle-quietHours/2), hour(middle+quietHours/2), percent(low))
	local, n, err := x.localRhythm(ctx, p)
	if err != nil {
		return finding{}, err
	}
	if n >= fewForClock {
		figures["quiet_middle_local_hour"] = figureOf(local)
		off := behindUTC(local)
		if math.Abs(off) > 4 && math.Abs(behindUTC(middle)) < 2.5 {
			return warn(mend, "%s, but by customers.timezone they lie around %s o'clock local time: the times look local and not UTC", quiet, hour(local)).with(figures), nil
		}
		return fine("%s, around %s o'clock by customers.timezone", quiet, hour(local)).with(figures), nil
	}
	hours := behindUTC(middle)
	if hours > 9.25 && hours < 11.5 {
		return warn(mend, "%s, as if all customers lived %s behind UTC, where next to nobody lives: the times look shifted", quiet, spoken.Counted(int64(math.Round(hours)), "hour")).with(figures), nil
	}
	return fine("%s, as for customers %s", quiet, offset(hours)).with(figures), nil
}

// offset tells a distance from UTC.
func offset(behind float64) string {
	n := int(math.Round(behind))
	switch {
	case n == 0:
		return "at UTC"
	case n > 0:
		return fmt.Sprintf("about %s behind UTC", spoken.Counted(int64(n), "hour"))
	}
	return fmt.Sprintf("about %s ahead of UTC", spoken.Counted(int64(-n), "hour"))
}

// clockTimes writes milliseconds of the day as clock times.
func clockTimes(ms []int64) string {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = time.UnixMilli(m).UTC().Format("15:04:05")
	}
	return strings.Join(out, " or ")
}

// localRhythm is the middle of the quietest hours by the clocks of the customers whose time zone is known, and the number of their rows.
func (x *examination) localRhythm(ctx context.Context, p *profile) (middle float64, n int64, err error) {
	people := x.profile(features.Customers)
	if people.rows == 0 || people.missing["timezone"] == people.rows {
		return 0, 0, nil
	}
	zones, err := x.from(ctx, features.Customers, "timezone")
	if err != nil {
		return 0, 0, err
	}
	rows, err := x.from(ctx, p.layout.name, "at")
	if err != nil {
		return 0, 0, err
	}
	condition, _ := sampleOf("customer_id", p.rows)
	query := "SELECT c.zone AS zone, toInt64(toUnixTimestamp(toStartOfMonth(f.at))) AS month, toInt64(toHour(f.at)) AS hour, toInt64(count()) AS n\nFROM (SELECT customer_id, at FROM " + rows + " WHERE " + condition +
		") AS f\nJOIN (SELECT customer_id, toString(timezone) AS zone FROM " + zones + " WHERE timezone != '') AS c ON c.customer_id = f.customer_id\nGROUP BY zone, month, hour\nORDER BY zone, month, hour\nLIMIT 500000"
	var hours [24]int64
	known := map[string]*time.Location{}
	err = x.each(ctx, query, func(b *warehouse.Block, i int) {
		zone := b.Strings("zone")[i]
		at, seen := known[zone]
		if !seen {
			at, _ = time.LoadLocation(zone) // an unknown zone is nil, and its rows are left out
			known[zone] = at
		}
		if at == nil {
			return
		}
		middle := time.Unix(b.Int64s("month")[i], 0).UTC().Add(14*day + time.Duration(b.Int64s("hour")[i])*time.Hour)
		hours[middle.In(at).Hour()] += b.Int64s("n")[i]
		n += b.Int64s("n")[i]
	})
	middle, _ = rhythm(hours)
	return middle, n, err
}

// human are the sources whose hours are those of people, so that they can be held against each other.
var human = []string{features.Usage, features.Purchases, features.Tickets, features.Touchpoints}

// checkShift looks for a source whose day has the shape of another's, some hours later: one of the two is in another zone.
func checkShift(_ context.Context, x *examination) (finding, error) {
	var clocked []*profile
	for _, source := range human {
		p := x.profile(source)
		if p.dated < fewForClock || p.dates() || p.datesElsewhere() {
			continue
		}
		if _, low := rhythm(p.hours); low <= quietShare {
			clocked = append(clocked, p)
		}
	}
	if len(clocked) < 2 {
		return skip("fewer than two sources have hours with a rhythm of the day"), nil
	}
	slices.SortStableFunc(clocked, func(a, b *profile) int { return int(min(max(b.dated-a.dated, -1), 1)) })
	var shifted []string
	figures := Figures{}
	for _, p := range clocked[1:] {
		together, best, shift := alike(clocked[0].hours, p.hours)
		figures[p.layout.name+"_shift_hours"] = figure(int64(shift))
		if best > .9 && best-together > .5 && (shift >= 3 || shift <= -3) {
			shifted = append(shifted, fmt.Sprintf("the day of %s has the shape of that of %s %d hours %s (correlation %.2f, unshifted %.2f)",
				p.layout.name, clocked[0].layout.name, max(shift, -shift), map[bool]string{true: "later", false: "earlier"}[shift > 0], best, together))
		}
	}
	if len(shifted) > 0 {
		return warn("import one of them again with the zone its times are in: --timezone", "%s", strings.Join(shifted, "; ")).with(figures), nil
	}
	return fine("the sources are busy at the same hours").with(figures), nil
}

// alike is the correlation of two days as they are, the best one of the second moved by whole hours, and by how many hours it is later than the
// first, in [-11, 12].
func alike(a, b [24]int64) (together, best float64, shift int) {
	best = math.Inf(-1)
	for k := range 24 {
		var moved [24]int64
		for h := range moved {
			moved[h] = b[(h+k)%24]
		}
		c := correlation(a, moved)
		if k == 0 {
			together = c
		}
		if c > best {
			best, shift = c, k
		}
	}
	if shift > 12 {
		shift -= 24
	}
	return together, best, shift
}

// correlation is Pearson's; 0 where one is constant.
func correlation(a, b [24]int64) float64 {
	var ma, mb float64
	for h := range a {
		ma += float64(a[h]) / 24
		mb += float64(b[h]) / 24
	}
	var ab, aa, bb float64
	for h := range a {
		x, y := float64(a[h])-ma, float64(b[h])-mb
		ab += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
