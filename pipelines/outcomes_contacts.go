package pipelines

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models/actions"
)

// contactBatch contacts are joined at a time.
const contactBatch = 8192

// ContactOutcomes is what came of joining contacts to decisions.
type ContactOutcomes struct {
	Contacts      int `json:"contacts"`      // that name a decision and were not joined before
	Recorded      int `json:"recorded"`      // outcomes that are new
	Late          int `json:"late"`          // of them
	Duplicates    int `json:"duplicates"`    // outcomes that were told already
	Unknown       int `json:"unknown"`       // contacts of decisions that are not in the log
	Contradicting int `json:"contradicting"` // contacts that cannot be true of their decision
}

// contactReports are what a contact tells: that the action was shown, and what came of it where that is one of the known outcomes.
func contactReports(decision, customer, action, outcome string, at, outcomeAt time.Time) []actions.Report {
	r := actions.Report{Decision: decision, Customer: customer, Action: action, Outcome: actions.OutcomeShown, At: at}
	out := []actions.Report{r}
	if slices.Contains(actions.Outcomes, outcome) && outcome != actions.OutcomeShown {
		r.Outcome = outcome
		if !outcomeAt.IsZero() {
			r.At = outcomeAt
		}
		out = append(out, r)
	}
	return out
}

// JoinContacts records what the source contacts tells of decisions: each contact with a decision_id was shown, and its outcome, where it is
// one of ours, came of it. Contacts that are in the log of outcomes already are passed over, so that it costs what is new. Contacts that
// cannot be joined are counted, never an error: they are facts, only not of our decisions.
func (o Outcomes) JoinContacts(ctx context.Context, store *features.Store) (ContactOutcomes, error) {
	var counts ContactOutcomes
	log := o.open(OutcomeFromContacts)
	from, err := store.Versions(ctx, features.Contacts, []string{"at", "action", "decision_id", "outcome", "outcome_at"}, log.now.Add(time.Millisecond))
	if err != nil {
		return counts, fmt.Errorf("read contacts: %w", err)
	}
	query := `SELECT customer_id, at, action, decision_id, lower(outcome) AS came, ifNull(outcome_at, at) AS came_at
FROM ` + from + `
WHERE decision_id != '' AND (
	(decision_id, 'shown', at) NOT IN (SELECT decision_id, toString(outcome), at FROM outcomes)
	OR came IN ('accepted', 'rejected', 'ignored', 'converted', 'saved')
		AND (decision_id, came, came_at) NOT IN (SELECT decision_id, toString(outcome), at FROM outcomes))
ORDER BY decision_id, at, came_at, came, action`
	var rows []warehouse.OutcomeRow
	take := func(reports []actions.Report) error {
		all, err := log.judge(ctx, reports)
		if err != nil {
			return err
		}
		rows = rows[:0]
		for i, j := range all {
			var contradiction *actions.ContradictionError
			switch {
			case errors.Is(j.fault, actions.ErrUnknownDecision):
				if reports[i].Outcome == actions.OutcomeShown {
					counts.Unknown++
				}
			case errors.As(j.fault, &contradiction):
				if reports[i].Outcome == actions.OutcomeShown {
					counts.Contradicting++
				}
			case j.fault != nil:
				return j.fault
			case j.duplicate:
				counts.Duplicates++
			default:
				counts.Recorded++
				if j.late {
					counts.Late++
				}
				rows = append(rows, j.row)
			}
		}
		return o.DB.PutOutcomes(ctx, slices.Clone(rows))
	}
	var reports []actions.Report
	for b, err := range store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return counts, fmt.Errorf("read contacts: %w", err)
		}
		customer, action, decision, came := b.Strings("customer_id"), b.Strings("action"), b.Strings("decision_id"), b.Strings("came")
		at, cameAt := b.Times("at"), b.Times("came_at")
		for k := range customer {
			counts.Contacts++
			reports = append(reports, contactReports(decision[k], customer[k], action[k], came[k], at[k], cameAt[k])...)
			if len(reports) >= contactBatch {
				if err := take(reports); err != nil {
					return counts, err
				}
				reports = reports[:0]
			}
		}
	}
	return counts, take(reports)
}
