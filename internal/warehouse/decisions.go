package warehouse

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// DecisionRow is one row of decisions. Arrays of actions have one element per action; a zero instant is none.
type DecisionRow struct {
	CustomerID           string
	DecisionID           string
	Holdout              bool
	Chosen               string
	Value, Pressure      float64 // NaN = unknown
	Risk                 float64 // of churn, as the run scored it; NaN = not scored, scored in hindsight, or an older program decided
	Actions              []string
	Channels             []string
	Priorities           []float64
	Uplifts              []float64
	UpliftSources        []string
	Levers               []float64
	Fatigues             []float64
	ContactCosts         []float64
	PAccepts             []float64
	Incentives           []float64
	Propensities         []float64
	Moments              []time.Time
	Expiries             []time.Time
	Withheld             []string
	WithheldPropensities []float64
	Suppressed           []string
	Reasons              []string
}

// DecisionRun is one row of decision_runs.
type DecisionRun struct {
	RunID     string
	Cutoff    time.Time
	Policy    string
	Document  string
	Explore   bool
	Holdout   float64
	Account   string // JSON: what the decisions come to; "" = an older program decided
	DecidedAt time.Time
}

// ErrNoDecisions says that a run has no decisions: it was scored by a program that made none.
var ErrNoDecisions = errors.New("warehouse: the run has no decisions")

// decisionBatch rows go in one insert: about 50 MB.
const decisionBatch = 20_000

// decisionsKept is how many months of decisions stay, counted back from the newest cutoff: outcomes mature within months, and
// what is learned looks back two years.
const decisionsKept = 24

// PutDecisions writes the decisions of a run, unless they are all there: they outlive the run itself, which may be made again. Batches carry tokens, so that
// what a killed process has written, or two at once, is there once.
func (w *Warehouse) PutDecisions(ctx context.Context, run DecisionRun, n int, row func(i int) DecisionRow) error {
	if _, err := w.DecisionRun(ctx, run.RunID); !errors.Is(err, ErrNoDecisions) {
		return err
	}
	for lo := 0; lo < n; lo += decisionBatch {
		if err := w.putDecisionBatch(ctx, run, lo, min(lo+decisionBatch, n), row); err != nil {
			return fmt.Errorf("write decisions: %w", err)
		}
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "decision run " + run.RunID}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO decision_runs (run_id, cutoff, policy, document, explore, holdout, account, decided_at)`)
	if err != nil {
		return fmt.Errorf("write decisions: %w", err)
	}
	if err := batch.Append(run.RunID, run.Cutoff, run.Policy, run.Document, run.Explore, run.Holdout, run.Account, run.DecidedAt); err != nil {
		return fmt.Errorf("write decisions: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write decisions: %w", err)
	}
	return nil
}

func (w *Warehouse) putDecisionBatch(ctx context.Context, run DecisionRun, lo, hi int, row func(i int) DecisionRow) error {
	token := fmt.Sprintf("decisions %s %d", run.RunID, lo)
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO decisions (run_id, cutoff, customer_id, decision_id, holdout, chosen, value, pressure,
		actions, channels, priorities, uplifts, uplift_sources, levers, fatigues, contact_costs, p_accepts, incentives, propensities,
		moments, expiries, withheld, withheld_propensities, suppressed, reasons, risk)`)
	if err != nil {
		return err
	}
	for i := lo; i < hi; i++ {
		r := row(i)
		if err := batch.Append(run.RunID, run.Cutoff, r.CustomerID, r.DecisionID, r.Holdout, r.Chosen, r.Value, r.Pressure, r.Actions, r.Channels,
			r.Priorities, r.Uplifts, r.UpliftSources, r.Levers, r.Fatigues, r.ContactCosts, r.PAccepts, r.Incentives, r.Propensities,
			storedInstants(r.Moments), storedInstants(r.Expiries), r.Withheld, r.WithheldPropensities, r.Suppressed, r.Reasons, r.Risk); err != nil {
			return errors.Join(err, batch.Abort())
		}
	}
	return batch.Send()
}

// storedInstants puts 1970 where there is no instant.
func storedInstants(times []time.Time) []time.Time {
	out := make([]time.Time, len(times))
	for i, t := range times {
		if t.IsZero() {
			t = time.Unix(0, 0)
		}
		out[i] = t.UTC()
	}
	return out
}

// DecisionRun is what the decisions of a run share; ErrNoDecisions if it has none.
func (w *Warehouse) DecisionRun(ctx context.Context, runID string) (r DecisionRun, err error) {
	err = w.Conn().QueryRow(ctx, `SELECT run_id, cutoff, policy, document, explore, holdout, account, decided_at FROM decision_runs
		WHERE run_id = {run:String} ORDER BY decided_at LIMIT 1`, clickhouse.Named("run", runID)).
		Scan(&r.RunID, &r.Cutoff, &r.Policy, &r.Document, &r.Explore, &r.Holdout, &r.Account, &r.DecidedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNoDecisions
	}
	if err != nil {
		return r, fmt.Errorf("read decisions: %w", err)
	}
	r.Cutoff, r.DecidedAt = r.Cutoff.UTC(), r.DecidedAt.UTC()
	return r, nil
}

const selectDecision = `SELECT customer_id, decision_id, holdout, chosen, value, pressure, actions, channels, priorities, uplifts, uplift_sources,
	levers, fatigues, contact_costs, p_accepts, incentives, propensities, moments, expiries, withheld, withheld_propensities,
	suppressed, reasons, risk FROM decisions WHERE toYYYYMM(cutoff) = toYYYYMM({cutoff:DateTime64(3, 'UTC')}) AND run_id = {run:String} `

// Decisions streams the decisions of a run in the order of customer_id.
func (w *Warehouse) Decisions(ctx context.Context, run DecisionRun) iter.Seq2[DecisionRow, error] {
	return func(yield func(DecisionRow, error) bool) {
		err := w.scanDecisions(ctx, run, "ORDER BY customer_id", nil, func(r DecisionRow) bool { return yield(r, nil) })
		if err != nil {
			yield(DecisionRow{}, fmt.Errorf("read decisions: %w", err))
		}
	}
}

// Decision is one customer's decision of a run; ok is false if the run has no such customer.
func (w *Warehouse) Decision(ctx context.Context, run DecisionRun, customer string) (row DecisionRow, ok bool, err error) {
	err = w.scanDecisions(ctx, run, "AND customer_id = {id:String} LIMIT 1", []any{clickhouse.Named("id", customer)}, func(r DecisionRow) bool {
		row, ok = r, true
		return false
	})
	if err != nil {
		return row, false, fmt.Errorf("read decision: %w", err)
	}
	return row, ok, nil
}

// scanDecisions reads rows until yield refuses one.
func (w *Warehouse) scanDecisions(ctx context.Context, run DecisionRun, rest string, args []any, yield func(DecisionRow) bool) (err error) {
	args = append(args, clickhouse.Named("run", run.RunID), clickhouse.Named("cutoff", Instant(run.Cutoff)))
	rows, err := w.Conn().Query(ctx, selectDecision+rest, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		var r DecisionRow
		if err := rows.Scan(&r.CustomerID, &r.DecisionID, &r.Holdout, &r.Chosen, &r.Value, &r.Pressure, &r.Actions, &r.Channels, &r.Priorities,
			&r.Uplifts, &r.UpliftSources, &r.Levers, &r.Fatigues, &r.ContactCosts, &r.PAccepts, &r.Incentives, &r.Propensities, &r.Moments,
			&r.Expiries, &r.Withheld, &r.WithheldPropensities, &r.Suppressed, &r.Reasons, &r.Risk); err != nil {
			return errors.Join(err, rows.Close())
		}
		for _, times := range [][]time.Time{r.Moments, r.Expiries} {
			for k, t := range times {
				if times[k] = t.UTC(); t.Unix() == 0 {
					times[k] = time.Time{}
				}
			}
		}
		if !yield(r) {
			_ = rows.Close() // the consumer has what it wanted
			return nil
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// PruneDecisions drops the decisions of cutoffs in months more than 24 before that of the newest, or before now where that lies in the future: a
// mistyped cutoff must not cost the log.
func (w *Warehouse) PruneDecisions(ctx context.Context) error {
	var months []uint32
	if err := w.Conn().QueryRow(ctx, `WITH (SELECT least(max(cutoff), now64(3, 'UTC')) FROM decision_runs) AS newest
		SELECT groupUniqArray(toYYYYMM(cutoff)) FROM decision_runs
		WHERE cutoff < toStartOfMonth(newest) - toIntervalMonth({kept:UInt32})`, clickhouse.Named("kept", fmt.Sprint(decisionsKept))).Scan(&months); err != nil {
		return fmt.Errorf("list old decisions: %w", err)
	}
	for _, month := range months {
		if err := w.Conn().Exec(ctx, fmt.Sprintf(`ALTER TABLE decisions DROP PARTITION %d`, month)); err != nil {
			return fmt.Errorf("drop old decisions: %w", err)
		}
		if err := w.Conn().Exec(ctx, fmt.Sprintf(`ALTER TABLE outcomes DROP PARTITION %d`, month)); err != nil {
			return fmt.Errorf("drop old outcomes: %w", err)
		}
		if err := w.Conn().Exec(ctx, `DELETE FROM decision_runs WHERE toYYYYMM(cutoff) = {month:UInt32}`, clickhouse.Named("month", fmt.Sprint(month))); err != nil {
			return fmt.Errorf("drop old decisions: %w", err)
		}
	}
	return nil
}
