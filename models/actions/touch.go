package actions

import (
	"cmp"
	"slices"
	"time"
)

// Touch is one telling of a contact: a row of the source contacts, or what was told as an outcome of a decision and is in no row that names the decision.
type Touch struct {
	Contact           // but for Ignored and Answered
	Came    string    // what came of it, in lower case; "" = not told
	Decided bool      // it names a decision
	Told    bool      // an outcome, and no row
	Since   time.Time // of an outcome: when it was decided
}

// How far the row of a contact may lie from what was told of it as an outcome.
const (
	// sameActionBefore: silence counts as an answer after a week, so that what is told later is of another contact.
	sameActionBefore = 7 * 24 * time.Hour
	// sameDay: rows may know the date alone, and may be written when the message is through. Where channels alone are compared a wider bound would
	// take the newsletter of the week for the offer.
	sameDay = 24 * time.Hour
)

// sameTouch tells whether a row that names no decision is the contact that was told as an outcome, and how sure that is: the less, the surer. A row of another
// action of the catalogue, and one from before the decision, is not. A row of the action is, up to 7 days before the outcome and a day after. A row that names
// no action of the catalogue is, where the channel is the same, within a day.
func (c *Catalogue) sameTouch(row, outcome *Touch) (unsure time.Duration, same bool) {
	if row.Told || row.Decided || row.At.Before(outcome.Since) {
		return 0, false
	}
	apart := row.At.Sub(outcome.At)
	switch {
	case row.Action == outcome.Action:
		return apart.Abs(), -sameActionBefore <= apart && apart <= sameDay
	case c.Index(row.Action) >= 0 || row.Channel != outcome.Channel:
		return 0, false
	}
	return sameActionBefore + apart.Abs(), apart.Abs() <= sameDay // after all that name the action
}

// Once leaves of a customer's touches each contact once, in their order: an outcome that a row carries without naming its decision falls away, and the row is of
// the decision, with the outcome's response where it has none. A row carries one outcome, and the surest pairs come first. touches is overwritten.
func (c *Catalogue) Once(touches []Touch) []Touch {
	type pair struct {
		row, outcome int
		unsure       time.Duration
	}
	var pairs []pair
	for k := range touches {
		if !touches[k].Told {
			continue
		}
		for i := range touches {
			if unsure, same := c.sameTouch(&touches[i], &touches[k]); same {
				pairs = append(pairs, pair{i, k, unsure})
			}
		}
	}
	if pairs == nil {
		return touches
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.unsure, b.unsure) })
	gone := make([]bool, len(touches))
	for _, p := range pairs {
		if row := &touches[p.row]; !row.Decided && !gone[p.outcome] {
			gone[p.outcome], row.Decided = true, true
			if row.Came == "" {
				row.Came = touches[p.outcome].Came
			}
		}
	}
	out := touches[:0]
	for k := range touches {
		if !gone[k] {
			out = append(out, touches[k])
		}
	}
	return out
}
