package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// OutcomeRow is one version of what came of a decision.
type OutcomeRow struct {
	RunID      string    // of the decision
	Cutoff     time.Time // likewise
	DecisionID string
	CustomerID string
	Action     string
	Outcome    string
	At         time.Time
	IngestedAt time.Time
	Late       bool
	Source     string

	Version int // how many versions of this decision's outcome came before; not stored
}

// outcomeBatch rows go in one insert: about 30 MB.
const outcomeBatch = 200_000

// PutOutcomes appends versions. Rows that two processes write at once, after having seen the same versions, are there once.
func (w *Warehouse) PutOutcomes(ctx context.Context, rows []OutcomeRow) error {
	for lo := 0; lo < len(rows); lo += outcomeBatch {
		if err := w.putOutcomeBatch(ctx, rows[lo:min(lo+outcomeBatch, len(rows))]); err != nil {
			return fmt.Errorf("write outcomes: %w", err)
		}
	}
	return nil
}

func (w *Warehouse) putOutcomeBatch(ctx context.Context, rows []OutcomeRow) error {
	h := sha256.New()
	for _, r := range rows {
		fmt.Fprintf(h, "%q %q %q %d %d\n", r.DecisionID, r.Outcome, r.Action, r.At.UnixMilli(), r.Version)
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "outcomes " + hex.EncodeToString(h.Sum(nil))}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO outcomes (run_id, cutoff, decision_id, customer_id, action, outcome, at, ingested_at, late, source)`)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if err := batch.Append(r.RunID, r.Cutoff, r.DecisionID, r.CustomerID, r.Action, r.Outcome, r.At, r.IngestedAt, r.Late, r.Source); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// selectOutcomes reads the versions that count: the latest of each decision and outcome.
const selectOutcomes = `SELECT run_id, cutoff, decision_id, customer_id, action, outcome, at, ingested_at, late, source, versions FROM (
	SELECT *, count() OVER (PARTITION BY decision_id, outcome) AS versions
	FROM outcomes WHERE %s
	ORDER BY decision_id, outcome, ingested_at DESC, at DESC, action
	LIMIT 1 BY decision_id, outcome) ORDER BY decision_id, at, outcome`

// OutcomesOf are the outcomes of decisions that count, by decision, then by time. Version is the number of those before and it.
func (w *Warehouse) OutcomesOf(ctx context.Context, decisions []string) ([]OutcomeRow, error) {
	return w.outcomes(ctx, "decision_id IN {ids:Array(String)}", clickhouse.Named("ids", decisions))
}

// OutcomesOfRun are the outcomes of a run's decisions that count, of decisions of which anything was told at since or later.
func (w *Warehouse) OutcomesOfRun(ctx context.Context, runID string, since time.Time) ([]OutcomeRow, error) {
	return w.outcomes(ctx, `run_id = {run:String} AND decision_id IN (SELECT decision_id FROM outcomes WHERE run_id = {run:String} AND ingested_at >= {since:DateTime64(3, 'UTC')})`,
		clickhouse.Named("run", runID), clickhouse.Named("since", Instant(since)))
}

func (w *Warehouse) outcomes(ctx context.Context, where string, args ...any) (list []OutcomeRow, err error) {
	rows, err := w.Conn().Query(ctx, fmt.Sprintf(selectOutcomes, where), args...)
	if err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r OutcomeRow
		var versions uint64
		if err := rows.Scan(&r.RunID, &r.Cutoff, &r.DecisionID, &r.CustomerID, &r.Action, &r.Outcome, &r.At, &r.IngestedAt, &r.Late, &r.Source, &versions); err != nil {
			return nil, fmt.Errorf("read outcomes: %w", err)
		}
		r.Cutoff, r.At, r.IngestedAt, r.Version = r.Cutoff.UTC(), r.At.UTC(), r.IngestedAt.UTC(), int(versions)
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	return list, nil
}

// DecisionHead is what of a decision tells the outcomes it can have.
type DecisionHead struct {
	RunID      string
	Cutoff     time.Time
	DecisionID string
	CustomerID string
	Holdout    bool
	Chosen     string
	Actions    []string
	Expiries   []time.Time // of each action; zero = never
}

// DecisionHeads finds decisions by their ids. Those of runs that count only; ids that are not known are absent.
func (w *Warehouse) DecisionHeads(ctx context.Context, ids []string) (heads map[string]DecisionHead, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, cutoff, decision_id, customer_id, holdout, chosen, actions, expiries FROM decisions
		WHERE decision_id IN {ids:Array(String)} AND run_id IN (SELECT run_id FROM decision_runs)`, clickhouse.Named("ids", ids))
	if err != nil {
		return nil, fmt.Errorf("find decisions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	heads = map[string]DecisionHead{}
	for rows.Next() {
		var d DecisionHead
		if err := rows.Scan(&d.RunID, &d.Cutoff, &d.DecisionID, &d.CustomerID, &d.Holdout, &d.Chosen, &d.Actions, &d.Expiries); err != nil {
			return nil, fmt.Errorf("find decisions: %w", err)
		}
		d.Cutoff = d.Cutoff.UTC()
		for k, t := range d.Expiries {
			if d.Expiries[k] = t.UTC(); t.Unix() == 0 {
				d.Expiries[k] = time.Time{}
			}
		}
		heads[d.DecisionID] = d
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("find decisions: %w", err)
	}
	return heads, nil
}

// TakenOtherwise are the customers of a run, sorted, of whose decision an outcome that counts names another action than the chosen one. Outcomes that were
// told at knownBefore or later are not looked at; zero: all are.
func (w *Warehouse) TakenOtherwise(ctx context.Context, run DecisionRun, knownBefore time.Time) ([]string, error) {
	if knownBefore.IsZero() {
		knownBefore = EndOfTime
	}
	told := fmt.Sprintf(selectOutcomes, "run_id = {run:String} AND ingested_at < {known:DateTime64(3, 'UTC')}")
	return w.outcomeIDs(ctx, `SELECT DISTINCT customer_id FROM (`+told+`) AS o
		INNER JOIN (SELECT decision_id, chosen FROM decisions WHERE toYYYYMM(cutoff) = toYYYYMM({cutoff:DateTime64(3, 'UTC')}) AND run_id = {run:String}) AS d USING (decision_id)
		WHERE o.action != d.chosen ORDER BY customer_id`,
		clickhouse.Named("run", run.RunID), clickhouse.Named("cutoff", Instant(run.Cutoff)), clickhouse.Named("known", Instant(knownBefore)))
}

// RunsTold are the runs, sorted, of whose decisions any outcome was told.
func (w *Warehouse) RunsTold(ctx context.Context) ([]string, error) {
	return w.outcomeIDs(ctx, `SELECT DISTINCT run_id FROM outcomes ORDER BY run_id`)
}

// outcomeIDs reads the one column of a query about outcomes.
func (w *Warehouse) outcomeIDs(ctx context.Context, query string, parameters ...any) (ids []string, err error) {
	rows, err := w.Conn().Query(ctx, query, parameters...)
	if err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read outcomes: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// OutcomeCount is how often an outcome came of an action.
type OutcomeCount struct {
	Action, Outcome string
	Decisions       uint64 // with this outcome
	Late            uint64 // of them
}

// EndOfTime is the last instant of ClickHouse's DateTime64 in whole years, UTC: reads up to it see rows of the future, too.
var EndOfTime = time.Date(2299, 1, 1, 0, 0, 0, 0, time.UTC)

// Window is [From, To) of cutoffs; a zero bound is none.
type Window struct{ From, To time.Time }

// Holds tells whether a cutoff lies in the window.
func (r Window) Holds(cutoff time.Time) bool {
	return !cutoff.Before(r.From) && (r.To.IsZero() || cutoff.Before(r.To))
}

// sql is the condition on cutoff, with its arguments.
func (r Window) sql() (string, []any) {
	to := r.To
	if to.IsZero() {
		to = EndOfTime
	}
	from := r.From
	if from.IsZero() {
		from = time.Unix(0, 0)
	}
	return `cutoff >= {from:DateTime64(3, 'UTC')} AND cutoff < {to:DateTime64(3, 'UTC')}`, []any{clickhouse.Named("from", Instant(from)), clickhouse.Named("to", Instant(to))}
}

// CountOutcomes counts the outcomes that count, of decisions whose cutoffs lie in the window.
func (w *Warehouse) CountOutcomes(ctx context.Context, in Window) (list []OutcomeCount, err error) {
	where, args := in.sql()
	rows, err := w.Conn().Query(ctx, `SELECT action, outcome, count() AS decisions, countIf(late) AS after_expiry FROM (`+fmt.Sprintf(selectOutcomes, where)+`)
		GROUP BY action, outcome ORDER BY action, outcome`, args...)
	if err != nil {
		return nil, fmt.Errorf("count outcomes: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c OutcomeCount
		if err := rows.Scan(&c.Action, &c.Outcome, &c.Decisions, &c.Late); err != nil {
			return nil, fmt.Errorf("count outcomes: %w", err)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// CountChosen counts the decisions for each action in the window.
func (w *Warehouse) CountChosen(ctx context.Context, in Window) (count map[string]uint64, err error) {
	where, args := in.sql()
	rows, err := w.Conn().Query(ctx, `SELECT chosen, count() FROM decisions WHERE `+where+` AND run_id IN (SELECT run_id FROM decision_runs) GROUP BY chosen`, args...)
	if err != nil {
		return nil, fmt.Errorf("count decisions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	count = map[string]uint64{}
	for rows.Next() {
		var action string
		var n uint64
		if err := rows.Scan(&action, &n); err != nil {
			return nil, fmt.Errorf("count decisions: %w", err)
		}
		count[action] = n
	}
	return count, rows.Err()
}
