package training

import (
	"context"
	"fmt"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models/actions"
)

// contactWindow is where contacts make a customer treated.
type contactWindow struct {
	from, until time.Time // half-open
	known       time.Time // only rows with ingested_at before; zero = all
	withheld    []string  // actions
}

// contacted is what the contacts of a window were to a customer, marketing and withheld actions alone.
type contacted struct {
	ofDecision bool // one carries a decision or is of a withheld action; else all are other marketing
	undecided  bool // one brought a withheld action and names no decision
}

// contactsIn tells who was contacted.
func contactsIn(ctx context.Context, store *features.Store, w contactWindow) (map[string]contacted, error) {
	if w.known.IsZero() {
		w.known = warehouse.EndOfTime
	}
	from, err := store.Versions(ctx, features.Contacts, []string{"at", "class", "action", "decision_id"}, w.known)
	if err != nil {
		return nil, err
	}
	query := `SELECT customer_id, max(decision_id != '' OR has({ids:Array(String)}, action)) > 0 AS of_decision,
	max(decision_id = '' AND has({ids:Array(String)}, action)) > 0 AS undecided
FROM ` + from + `
WHERE at >= {from:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
	AND (lower(class) = 'marketing' OR has({ids:Array(String)}, action))
GROUP BY customer_id`
	parameters := map[string]string{"from": warehouse.Instant(w.from), "until": warehouse.Instant(w.until), "ids": warehouse.Texts(w.withheld)}
	out := map[string]contacted{}
	for b, err := range store.DB.Blocks(ctx, query, parameters) {
		if err != nil {
			return nil, fmt.Errorf("read contacts: %w", err)
		}
		ofDecision, undecided := b.Bools("of_decision"), b.Bools("undecided")
		for k, id := range b.Strings("customer_id") {
			out[id] = contacted{ofDecision[k], undecided[k]}
		}
	}
	return out, nil
}

// Contacts are those of a window.
func (p everyLabel) Contacts(ctx context.Context, w contactWindow) (map[string]contacted, error) {
	return contactsIn(ctx, p.store, w)
}

// contactsSince are the contacts of a run's label window while its control group lasted, which is to the end of the quarter. Whoever is in that group and has
// an undecided one was reached all the same. A panel that knows no contacts, and a run without a control group, give none.
func contactsSince(ctx context.Context, p panel, churn features.ChurnSpec, run warehouse.DecisionRun, known time.Time) (map[string]contacted, error) {
	contacts, ok := p.(interface {
		Contacts(ctx context.Context, w contactWindow) (map[string]contacted, error)
	})
	if !ok || run.Holdout == 0 {
		return nil, nil
	}
	withheld, err := withheldOf(run)
	if err != nil {
		return nil, err
	}
	w := contactWindow{from: run.Cutoff, until: run.Cutoff.AddDate(0, 0, churn.GapDays+churn.HorizonDays), known: known, withheld: withheld}
	if next := actions.Quarter(run.Cutoff).AddDate(0, 3, 0); w.until.After(next) { // from then on others are held out
		w.until = next
	}
	return contacts.Contacts(ctx, w)
}
