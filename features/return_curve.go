package features

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// ReturnPoint is R(H): how likely a customer who has been silent for H days is to come back within a year of that day.
type ReturnPoint struct {
	SilentDays        int      `json:"silent_days"`        // H
	ReturnProbability *float64 `json:"return_probability"` // in [0, 1]; null where the history is too short to tell
	Customers         int      `json:"customers"`          // with a silence that reached H days and was seen to go on
}

// ReturnGaps are quantiles of the silences, in days, that an activity ended; each customer weighs 1.
type ReturnGaps struct {
	Median int `json:"median_days"`
	P90    int `json:"p90_days"`
	P99    int `json:"p99_days"`
}

// horizonChoices are the horizons that are tried, in days (metrics.md §4).
var horizonChoices = []int{7, 14, 30, 60, 90, 180, 365}

const (
	returnDays        = 365 // a return within this many days counts
	maxReturn         = .15 // recommended: the smallest horizon after which fewer come back
	silenceWeightUnit = 1 << 32
)

// recommendHorizon is the smallest H with R(H) < .15; nil if there is none.
func recommendHorizon(curve []ReturnPoint) *int {
	for _, p := range curve {
		if p.ReturnProbability != nil && *p.ReturnProbability < maxReturn {
			return &p.SilentDays
		}
	}
	return nil
}

// silences are the times between consecutive active days of a customer, in whole days, and the one from the last active day to D.
// A customer's silences together weigh 1.
type silences struct {
	returned  []float64 // [d]: weight of those that an active day ended after d days
	censored  []float64 // [d]: weight of those that D cut off after d days: nothing is known of day d itself
	customers []int     // [d]: customers whose longest silence was seen to day d, day d included
}

// returnCurve is the Kaplan–Meier estimate of R(H) and how long silences last that an activity ends, from all activity before the last midnight that is not after D.
func (s *Store) returnCurve(ctx context.Context, c ChurnSpec, watermark time.Time) ([]ReturnPoint, *ReturnGaps, error) {
	all, err := s.silences(ctx, c, watermark.Truncate(day))
	if err != nil {
		return nil, nil, err
	}
	return all.curve(), all.gaps(), nil
}

func (s *Store) silences(ctx context.Context, c ChurnSpec, end time.Time) (silences, error) {
	var active []string
	for _, source := range c.LabelSources() {
		rows, err := s.rows(ctx, read{Source: source, Columns: []string{"at"}, Cutoff: endOfTime})
		if err != nil {
			return silences{}, err
		}
		active = append(active, "SELECT customer_id, toInt32(toDate32(at)) AS active_day\nFROM "+rows+"\nWHERE at < "+quoteInstant(end))
	}
	// Weights are whole numbers, so that their sums do not depend on the order of the threads.
	query := fmt.Sprintf(`SELECT silence.1 AS kind, silence.2 AS silent_days, sum(silence.3) AS weight
FROM (
SELECT
arraySort(arrayDistinct(groupArray(a.active_day))) AS days,
intDiv(toInt64(%d), toInt64(length(days))) AS share,
arrayPopFront(arrayDifference(days)) AS returned,
toInt64(%d - days[-1]) AS open,
arrayJoin(arrayConcat(
arrayMap(d -> (toUInt8(0), toInt64(d), share), returned),
[(toUInt8(1), open, share), (toUInt8(2), greatest(toInt64(arrayMax(arrayConcat(returned, [0]))), open - 1), toInt64(1))])) AS silence
FROM (
%s
) AS a
GROUP BY a.customer_id
)
GROUP BY kind, silent_days
ORDER BY kind, silent_days
SETTINGS %s`, int64(silenceWeightUnit), end.Unix()/86400, strings.Join(active, "\nUNION ALL\n"), spill)
	var out silences
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return silences{}, err
		}
		kind, days, weight := b.UInt8s("kind"), b.Int64s("silent_days"), b.Int64s("weight")
		for i := range kind {
			switch d := int(days[i]); kind[i] {
			case 0:
				out.returned = addAt(out.returned, d, float64(weight[i])/silenceWeightUnit)
			case 1:
				out.censored = addAt(out.censored, d, float64(weight[i])/silenceWeightUnit)
			default:
				out.customers = addAt(out.customers, d, int(weight[i]))
			}
		}
	}
	return out, nil
}

// addAt adds v to s[i], growing s as needed.
func addAt[T int | float64](s []T, i int, v T) []T {
	if i >= len(s) {
		s = append(s, make([]T, i+1-len(s))...)
	}
	s[i] += v
	return s
}

// curve is R(H) = 1 - Π (1 - returned(d) / at risk(d)) over the days d in [H, H+365). At risk on day d are the silences that ended
// on day d or later and those cut off after it. R is undefined when nobody was watched to the end of that year.
// See Klein & Moeschberger, Survival Analysis, 2nd ed., §4.2 and §4.6 (conditioning on having reached H).
func (s silences) curve() []ReturnPoint {
	n := max(len(s.returned), len(s.censored), len(s.customers), horizonChoices[len(horizonChoices)-1]) + returnDays + 1
	returned, censored, customers := padded(s.returned, n), padded(s.censored, n), padded(s.customers, n)
	atRisk := make([]float64, n)
	reached := make([]int, n)
	var risk float64
	var count int
	for d := n - 1; d >= 0; d-- {
		risk += returned[d]
		atRisk[d] = risk
		risk += censored[d]
		count += customers[d]
		reached[d] = count
	}
	out := make([]ReturnPoint, len(horizonChoices))
	for i, h := range horizonChoices {
		out[i] = ReturnPoint{SilentDays: h, Customers: reached[h]}
		away := 1.0
		for d := h; d < h+returnDays && away > 0; d++ {
			if atRisk[d] == 0 {
				away = -1
				break
			}
			away *= 1 - returned[d]/atRisk[d]
		}
		if away >= 0 {
			r := 1 - away
			out[i].ReturnProbability = &r
		}
	}
	return out
}

// gaps are the quantiles of the silences that ended; nil without any.
func (s silences) gaps() *ReturnGaps {
	total := 0.
	for _, w := range s.returned {
		total += w
	}
	if total == 0 {
		return nil
	}
	at := func(q float64) int {
		held := 0.
		for d, w := range s.returned {
			if held += w; held >= q*total {
				return d
			}
		}
		return len(s.returned) - 1
	}
	return &ReturnGaps{Median: at(.5), P90: at(.9), P99: at(.99)}
}

func padded[T int | float64](s []T, n int) []T {
	return append(s[:len(s):len(s)], make([]T, n-len(s))...)
}
