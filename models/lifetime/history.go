package lifetime

import (
	"fmt"
	"math"
)

// History is what one customer has bought. The day is the grain: several purchases on one day are one.
type History struct {
	Repeats int     // x ≥ 0: days with a purchase after the first such day
	Recency float64 // t_x in [0, Age]: from the first day with a purchase to the last; 0 without repeats
	Age     float64 // T ≥ 0: from the first day with a purchase to the last observed one
	Spend   Spend
}

// Spend is the money of a customer's repeat purchase days with an amount above 0; the first purchase day is left out.
type Spend struct {
	Days      int     // such days; 0 = no spend is known
	Mean      float64 // of a day, above 0; not read without days
	Variation float64 // Σ(day - Mean)² over the days; NaN = not known
}

// HistoryError is a history that no purchases can have.
type HistoryError struct {
	Row    int // place in the histories, from 0
	Reason string
}

func (e *HistoryError) Error() string {
	return fmt.Sprintf("lifetime: customer %d: %s", e.Row+1, e.Reason)
}

// maxRepeats bounds x, and so the tables of the likelihood: a purchase on every day of a thousand years.
const maxRepeats = 365_250

// check returns what is wrong with the history, "" if nothing is.
func (h History) check() string {
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	switch {
	case h.Repeats < 0:
		return fmt.Sprintf("%d repeat purchases are below 0", h.Repeats)
	case h.Repeats > maxRepeats:
		return fmt.Sprintf("%d repeat purchases are more than %d", h.Repeats, maxRepeats)
	case !finite(h.Age) || h.Age < 0:
		return fmt.Sprintf("T = %v is no time of 0 or more", h.Age)
	case !finite(h.Recency) || h.Recency < 0:
		return fmt.Sprintf("recency %v is no time of 0 or more", h.Recency)
	case h.Recency > h.Age:
		return fmt.Sprintf("recency %v lies after T = %v", h.Recency, h.Age)
	case h.Repeats == 0 && h.Recency > 0:
		return fmt.Sprintf("recency %v without a repeat purchase; it counts from the first purchase", h.Recency)
	case h.Spend.Days < 0 || h.Spend.Days > h.Repeats:
		return fmt.Sprintf("%d days with spend among %d repeat purchases", h.Spend.Days, h.Repeats)
	case h.Spend.Days > 0 && !(finite(h.Spend.Mean) && h.Spend.Mean > 0):
		return fmt.Sprintf("mean spend %v is not above 0", h.Spend.Mean)
	case h.Spend.Days > 0 && (h.Spend.Variation < 0 || math.IsInf(h.Spend.Variation, 0)):
		return fmt.Sprintf("variation %v of the spend is below 0 or infinite", h.Spend.Variation)
	}
	return ""
}

// Check returns a *HistoryError for the first history that no purchases can have.
func Check(histories []History) error {
	for i, h := range histories {
		if reason := h.check(); reason != "" {
			return &HistoryError{Row: i, Reason: reason}
		}
	}
	return nil
}
