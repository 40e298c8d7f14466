package features

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	maxOutageShare  = .05 // of the label window; more makes its labels missing
	outageRatio     = .20 // a day with less than this share of its weekday's median is an outage
	outageMinMedian = 20  // rows; below, a quiet day says nothing
	outageWeeks     = 8   // weeks before a day that its median is taken over
	outageMonths    = 3   // earlier months with the same day that may tell that the calendar keeps it empty
	outageAround    = 3   // weeks on either side of such a day that it is held against
	outageReachWeek = 29  // weeks before a day that decide: 31 July, 31 May, 31 March, 31 January, and the three weeks before that one
)

// dayCounts are the rows of a source by UTC day at 00:00, over all customers; a day without rows has no key.
type dayCounts map[time.Time]float64

// outageShare is the share of the window that lies in outage days of any of the sources, from rows with ingested_at < knownBefore.
func (s *Store) outageShare(ctx context.Context, sources []string, w window, knownBefore time.Time) (float64, error) {
	return shareOfOutage(sources, w, func(source string) (dayCounts, error) {
		return s.rowsPerDay(ctx, source, outageReach(w), knownBefore)
	})
}

// shareOfOutage is outageShare where count tells the rows a day of a source, at least on the days of outageReach.
func shareOfOutage(sources []string, w window, count func(source string) (dayCounts, error)) (float64, error) {
	out := make(map[time.Time]bool)
	for _, source := range sources {
		counts, err := count(source)
		if err != nil {
			return 0, fmt.Errorf("outages of %s: %w", source, err)
		}
		for _, d := range counts.outages(w) {
			out[d] = true
		}
	}
	var covered time.Duration
	for d := range out {
		covered += overlap(w, window{d, d.Add(day)})
	}
	return float64(covered) / float64(w.until.Sub(w.from)), nil
}

func overlap(a, b window) time.Duration {
	from, until := a.from, a.until
	if b.from.After(from) {
		from = b.from
	}
	if b.until.Before(until) {
		until = b.until
	}
	return max(until.Sub(from), 0)
}

// OutageDays are the UTC days, at 00:00, that touch [from, cutoff) and on which the source, over all customers and as known at the
// cutoff, has less than a fifth of the median of the same weekday over the 8 weeks before, that median being at least 20 rows, unless
// the calendar of the month keeps that day empty (see calendarEmpty). A day without rows counts as 0, also in the median. It counts all
// rows of the source since 29 weeks before from.
func (s *Store) OutageDays(ctx context.Context, source string, from, cutoff time.Time) ([]time.Time, error) {
	return s.outageDays(ctx, source, window{from, cutoff}, cutoff)
}

// outageDays are the OutageDays of a window, from rows with ingested_at < knownBefore.
func (s *Store) outageDays(ctx context.Context, source string, w window, knownBefore time.Time) ([]time.Time, error) {
	counts, err := s.rowsPerDay(ctx, source, outageReach(w), knownBefore)
	return counts.outages(w), err
}

// outageReach are the days that decide which days of the window are outages.
func outageReach(w window) window {
	return window{w.from.Truncate(day).Add(-outageReachWeek * 7 * day), w.until.Add(-1).Truncate(day).Add(day)}
}

// rowsPerDay counts the rows of a source on the days of a window, from rows with ingested_at < knownBefore. A window without a beginning is all of history.
func (s *Store) rowsPerDay(ctx context.Context, source string, w window, knownBefore time.Time) (dayCounts, error) {
	rows, err := s.rows(ctx, read{Source: source, Columns: []string{"at"}, From: w.from, Cutoff: knownBefore})
	if err != nil {
		return nil, err
	}
	counts := make(dayCounts)
	for b, err := range s.DB.Blocks(ctx, "SELECT toInt64(intDiv(toUnixTimestamp64Milli(at), 86400000)) AS day, count() AS n\nFROM "+rows+
		"\nWHERE at < "+quoteInstant(w.until)+"\nGROUP BY day\nORDER BY day", nil) {
		if err != nil {
			return nil, err
		}
		n := b.UInt64s("n")
		for i, d := range b.Int64s("day") {
			counts[time.Unix(d*86400, 0).UTC()] = float64(n[i])
		}
	}
	return counts, nil
}

// outages are the days of the window that are outages.
func (counts dayCounts) outages(w window) []time.Time {
	var days []time.Time
	for d := w.from.Truncate(day); d.Before(w.until); d = d.Add(day) {
		if median := weekdayMedian(counts, d); median >= outageMinMedian && counts[d] < outageRatio*median && !counts.calendarEmpty(d) {
			days = append(days, d)
		}
	}
	return days
}

// calendarEmpty says that d lacks rows because of its day of the month: contracts are often billed from the 1st to the 28th only, and then nothing
// begins on the 29th to 31st of any month. The same day of the last months that have it must have been as empty, held against the same
// weekday in the three weeks before and after it, that median being at least 20 rows; up to three months are asked, and one that tells is needed.
func (counts dayCounts) calendarEmpty(d time.Time) bool {
	told := false
	for k, asked := 1, 0; asked < outageMonths; k++ {
		same := time.Date(d.Year(), d.Month()-time.Month(k), d.Day(), 0, 0, 0, 0, time.UTC)
		if same.Day() != d.Day() {
			continue // the month is too short
		}
		asked++
		n := make([]float64, 0, 2*outageAround)
		for w := 1; w <= outageAround; w++ {
			n = append(n, counts[same.Add(-time.Duration(w)*7*day)], counts[same.Add(time.Duration(w)*7*day)])
		}
		switch median := middle(n); {
		case median < outageMinMedian: // quiet anyway, or before the source began: tells nothing
		case counts[same] < outageRatio*median:
			told = true
		default:
			return false
		}
	}
	return told
}

// weekdayMedian is the median of the rows on the same weekday over the 8 weeks before d.
func weekdayMedian(counts dayCounts, d time.Time) float64 {
	n := make([]float64, outageWeeks)
	for k := range n {
		n[k] = counts[d.Add(-time.Duration(k+1)*7*day)]
	}
	return middle(n)
}

// middle is the median of an even number of counts, which it sorts.
func middle(n []float64) float64 {
	slices.Sort(n)
	return (n[len(n)/2-1] + n[len(n)/2]) / 2
}
