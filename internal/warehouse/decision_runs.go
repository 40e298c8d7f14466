package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// DecisionRuns are the runs whose decisions are kept, one for each cutoff (of several the one decided last, which was in force), oldest first.
func (w *Warehouse) DecisionRuns(ctx context.Context) (runs []DecisionRun, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, cutoff, policy, document, explore, holdout, decided_at FROM decision_runs
		ORDER BY cutoff, decided_at DESC, run_id LIMIT 1 BY cutoff`)
	if err != nil {
		return nil, fmt.Errorf("list decisions: %w", err)
	}
	for rows.Next() {
		var r DecisionRun
		if err := rows.Scan(&r.RunID, &r.Cutoff, &r.Policy, &r.Document, &r.Explore, &r.Holdout, &r.DecidedAt); err != nil {
			return nil, fmt.Errorf("list decisions: %w", errors.Join(err, rows.Close()))
		}
		r.Cutoff, r.DecidedAt = r.Cutoff.UTC(), r.DecidedAt.UTC()
		runs = append(runs, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("list decisions: %w", err)
	}
	return runs, nil
}

// TreatmentGroup is runs with one share held out, whose catalogues withhold the same actions from the control group.
type TreatmentGroup struct {
	Runs    []string
	Cutoffs [2]time.Time // of the first and the last of them
	Holdout float64      // share
	Actions []string     // that are withheld
}

// Treatment is what the runs of a group had for a customer.
type Treatment struct {
	CustomerID string
	Nothing    float64 // ∏ (1 - P/(1-h)): the probability that, not held out, none of them chose a withheld action
	Chosen     bool    // one of them did
}

// Treatments are those of the customers for whom a run of the group might have chosen a withheld action, in the order of customer_id. Products are taken in
// a fixed order, so that they are the same on any number of threads.
func (w *Warehouse) Treatments(ctx context.Context, g TreatmentGroup) (out []Treatment, err error) {
	parameters := clickhouse.Parameters{"runs": Texts(g.Runs), "ids": Texts(g.Actions), "share": strconv.FormatFloat(1-g.Holdout, 'g', -1, 64),
		"first": Instant(g.Cutoffs[0]), "last": Instant(g.Cutoffs[1])}
	for b, err := range w.Blocks(ctx, `SELECT customer_id, arrayProduct(arraySort(groupArray(nothing))) AS nothing_of_all, max(treated) > 0 AS chosen_once
FROM (
	SELECT customer_id,
		1 - least(1, (arraySum((p, a) -> if(has({ids:Array(String)}, a), p, 0), propensities, actions) + arraySum(withheld_propensities)) / {share:Float64}) AS nothing,
		has({ids:Array(String)}, chosen) AS treated
	FROM decisions
	WHERE toYYYYMM(cutoff) BETWEEN toYYYYMM({first:DateTime64(3, 'UTC')}) AND toYYYYMM({last:DateTime64(3, 'UTC')}) AND run_id IN {runs:Array(String)}
)
WHERE nothing < 1 OR treated
GROUP BY customer_id
ORDER BY customer_id`, parameters) {
		if err != nil {
			return nil, fmt.Errorf("read treatments: %w", err)
		}
		nothing, chosen := b.Float64s("nothing_of_all"), b.Bools("chosen_once")
		for k, id := range b.Strings("customer_id") {
			out = append(out, Treatment{CustomerID: id, Nothing: nothing[k], Chosen: chosen[k]})
		}
	}
	return out, nil
}

// CarriedOut tells whether any outcome was told of the actions in decisions of the runs.
func (w *Warehouse) CarriedOut(ctx context.Context, runs, actions []string) (bool, error) {
	var n uint64
	err := w.Conn().QueryRow(ctx, `SELECT count() FROM (SELECT 1 FROM outcomes WHERE run_id IN {runs:Array(String)} AND action IN {ids:Array(String)} LIMIT 1)`,
		clickhouse.Named("runs", runs), clickhouse.Named("ids", actions)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for outcomes: %w", err)
	}
	return n > 0, nil
}
