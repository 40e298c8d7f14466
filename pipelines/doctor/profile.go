package doctor

import (
	"context"
	"strconv"
	"strings"
	"time"

	"retain/internal/warehouse"
)

// profile is what one pass over a source tells. Counts are of rows.
type profile struct {
	layout   layout
	own      bool      // your own table
	rows     int64     // all of them
	dated    int64     // with a time: all but in customers
	first    time.Time // the oldest
	last     time.Time // the newest, be it in the future
	newest   time.Time // the newest that is not after now
	future   int64     // after now
	mapped   int64     // with an ingested_at of their own
	foreseen int64     // of those, later than their ingested_at
	midnight int64     // at 00:00:00.000
	hours    [24]int64 // by the hour of UTC
	clocks   []int64   // the clock times there are, milliseconds of the day, while no hour has more than one; else nil
	missing  map[string]int64
	odd      map[string]int64 // by the subject of the oddity
}

// readProfile reads the figures of a source in one statement: grouped by the hour of the day, which gives the profile of the clock for nothing.
func (x *examination) readProfile(ctx context.Context, l layout) (*profile, error) {
	rows, err := x.from(ctx, l.name, append(l.columnNames(), "at", "ingested_at", "ingested_mapped")...)
	if err != nil {
		return nil, err
	}
	const ms = "toUnixTimestamp64Milli(at)"
	clock := "positiveModulo(" + ms + ", 86400000)"
	now := millis(x.now)
	counts := []string{
		"count() AS n", "countIf(ingested_mapped) AS mapped", "countIf(" + ms + " > " + now + ") AS future",
		"countIf(ingested_mapped AND at > ingested_at) AS foreseen", "countIf(" + clock + " = 0) AS midnight",
	}
	for i, c := range l.columns {
		counts = append(counts, "countIf("+missingSQL(c)+") AS missing_"+strconv.Itoa(i))
	}
	for i, o := range oddities {
		if o.source == l.name {
			counts = append(counts, "countIf(ifNull("+o.condition+", false)) AS odd_"+strconv.Itoa(i))
		}
	}
	for i, c := range counts {
		expression, name, _ := strings.Cut(c, " AS ")
		counts[i] = "toInt64(" + expression + ") AS " + name
	}
	query := "SELECT\nifNull(toInt64(intDiv(" + clock + ", 3600000)), -1) AS hour,\n" +
		"ifNull(toInt64(min(" + ms + ")), 0) AS first_ms,\nifNull(toInt64(max(" + ms + ")), 0) AS last_ms,\n" +
		"ifNull(toInt64(maxIf(" + ms + ", " + ms + " <= " + now + ")), 0) AS newest_ms,\n" +
		"ifNull(toInt64(min(" + clock + ")), 0) AS clock_low,\nifNull(toInt64(max(" + clock + ")), 0) AS clock_high,\n" +
		strings.Join(counts, ",\n") + "\nFROM " + rows + "\nGROUP BY hour\nORDER BY hour"
	p := &profile{layout: l, own: x.Store.Sources[l.name].Table != "", missing: map[string]int64{}, odd: map[string]int64{}}
	oneClock := true
	err = x.each(ctx, query, func(b *warehouse.Block, i int) {
		get := func(name string) int64 { return b.Int64s(name)[i] }
		n := get("n")
		p.rows += n
		p.mapped += get("mapped")
		for k, c := range l.columns {
			p.missing[c.Name] += get("missing_" + strconv.Itoa(k))
		}
		for k, o := range oddities {
			if o.source == l.name {
				p.odd[o.subject] += get("odd_" + strconv.Itoa(k))
			}
		}
		hour := get("hour")
		if hour < 0 {
			return
		}
		p.dated += n
		p.hours[hour] = n
		p.future += get("future")
		p.foreseen += get("foreseen")
		p.midnight += get("midnight")
		p.widen(get("first_ms"), get("last_ms"))
		if newest := time.UnixMilli(get("newest_ms")).UTC(); n > get("future") && newest.After(p.newest) {
			p.newest = newest
		}
		if low := get("clock_low"); low == get("clock_high") {
			p.clocks = append(p.clocks, low)
		} else {
			oneClock = false
		}
	})
	if !oneClock {
		p.clocks = nil
	}
	return p, err
}

// datesElsewhere says that the times of the day look like midnights of another zone, in winter and in summer.
func (p *profile) datesElsewhere() bool { return len(p.clocks) == 1 || len(p.clocks) == 2 }

// widen makes the span hold the instants.
func (p *profile) widen(firstMs, lastMs int64) {
	first, last := time.UnixMilli(firstMs).UTC(), time.UnixMilli(lastMs).UTC()
	if p.first.IsZero() || first.Before(p.first) {
		p.first = first
	}
	if last.After(p.last) {
		p.last = last
	}
}

// dates tells whether all times are midnights.
func (p *profile) dates() bool { return p.dated > 0 && p.midnight == p.dated }
