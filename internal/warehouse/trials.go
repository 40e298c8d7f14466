package warehouse

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// FirstDecision is a customer's first decision of a quarter that could give him anything which the control group does not get.
type FirstDecision struct {
	CustomerID           string
	RunID                string
	Cutoff               time.Time
	Holdout              bool
	Chosen               string
	Value                float64 // NaN = unknown
	Actions              []string
	Propensities         []float64
	Withheld             []string
	WithheldPropensities []float64
}

// FirstDecisions streams the first decision of each customer and quarter in the runs, by customer, then cutoff; withheld are the actions that
// the control group does not get.
func (w *Warehouse) FirstDecisions(ctx context.Context, in Window, runs, withheld []string) iter.Seq2[FirstDecision, error] {
	return func(yield func(FirstDecision, error) bool) {
		if err := w.firstDecisions(ctx, in, runs, withheld, func(d FirstDecision) bool { return yield(d, nil) }); err != nil {
			yield(FirstDecision{}, fmt.Errorf("read first decisions: %w", err))
		}
	}
}

func (w *Warehouse) firstDecisions(ctx context.Context, in Window, runs, withheld []string, yield func(FirstDecision) bool) error {
	where, args := in.sql()
	rows, err := w.Conn().Query(ctx, `SELECT customer_id, run_id, cutoff, holdout, chosen, value, actions, propensities, withheld, withheld_propensities FROM decisions
		WHERE `+where+` AND run_id IN {runs:Array(String)} AND (arrayExists(p -> p > 0, withheld_propensities)
			OR arrayExists((a, p) -> p > 0 AND has({withheld:Array(String)}, a), actions, propensities))
		ORDER BY customer_id, cutoff
		LIMIT 1 BY customer_id, toStartOfQuarter(cutoff)`,
		append(args, clickhouse.Named("runs", runs), clickhouse.Named("withheld", withheld))...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var d FirstDecision
		if err := rows.Scan(&d.CustomerID, &d.RunID, &d.Cutoff, &d.Holdout, &d.Chosen, &d.Value, &d.Actions, &d.Propensities, &d.Withheld, &d.WithheldPropensities); err != nil {
			return errors.Join(err, rows.Close())
		}
		d.Cutoff = d.Cutoff.UTC()
		if !yield(d) {
			_ = rows.Close() // the consumer has what it wanted
			return nil
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// NewlyPossible are the customers for whom an action was possible in one of the runs, but for chance, and not in the first of them; span
// holds the cutoffs of the first and the last.
func (w *Warehouse) NewlyPossible(ctx context.Context, runs []string, span [2]time.Time, action string) (customers []string, err error) {
	parameters := clickhouse.Parameters{"runs": Texts(runs), "first": Instant(span[0]), "last": Instant(span[1]), "action": Text(action)}
	for b, err := range w.Blocks(ctx, `SELECT customer_id FROM decisions
WHERE cutoff BETWEEN {first:DateTime64(3, 'UTC')} AND {last:DateTime64(3, 'UTC')} AND run_id IN {runs:Array(String)} AND (has(actions, {action:String}) OR has(withheld, {action:String}))
GROUP BY customer_id HAVING min(cutoff) > {first:DateTime64(3, 'UTC')} ORDER BY customer_id`, parameters) {
		if err != nil {
			return nil, fmt.Errorf("count the newly eligible: %w", err)
		}
		customers = append(customers, b.Strings("customer_id")...)
	}
	return customers, nil
}
