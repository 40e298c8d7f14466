package warehouse

import (
	"context"
	"errors"
	"fmt"

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

// Treatment is what a run meant for one customer of the actions that the control group does not get.
type Treatment struct {
	CustomerID string
	Chance     float64 // that one of them was chosen, as logged
	Chosen     bool    // one was
}

// Treatments are those of a run whose decisions stood any chance of one of the given actions, in the order of customer_id.
func (w *Warehouse) Treatments(ctx context.Context, run DecisionRun, actions []string) (out []Treatment, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT customer_id,
		arraySum((p, a) -> if(has({ids:Array(String)}, a), p, 0), propensities, actions) + arraySum(withheld_propensities) AS chance,
		has({ids:Array(String)}, chosen) AS treated
		FROM decisions
		WHERE toYYYYMM(cutoff) = toYYYYMM({cutoff:DateTime64(3, 'UTC')}) AND run_id = {run:String} AND (chance > 0 OR treated)
		ORDER BY customer_id`, clickhouse.Named("run", run.RunID), clickhouse.Named("cutoff", Instant(run.Cutoff)), clickhouse.Named("ids", Texts(actions)))
	if err != nil {
		return nil, fmt.Errorf("read treatments: %w", err)
	}
	for rows.Next() {
		var t Treatment
		var treated uint8
		if err := rows.Scan(&t.CustomerID, &t.Chance, &treated); err != nil {
			return nil, fmt.Errorf("read treatments: %w", errors.Join(err, rows.Close()))
		}
		t.Chosen = treated == 1
		out = append(out, t)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read treatments: %w", err)
	}
	return out, nil
}
