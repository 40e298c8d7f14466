package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ShadowRun is one row of shadow_runs: what a shadow said beside a run of the champion. Its presence makes the shadow's scores count.
type ShadowRun struct {
	RunID      string // of the champion's run
	Kind       string
	Cutoff     time.Time
	Artifact   string // of the shadow
	Name       string
	Version    uint32
	Rows       uint64 // scored customers
	FinishedAt time.Time
	Seconds    float64
}

// shadowBatch rows go in one insert: about 10 MB.
const shadowBatch = 200_000

// PutShadow writes what a shadow says of the scored customers of a run, then the row that makes it count. Written again, or by two at once, it counts once.
func (w *Warehouse) PutShadow(ctx context.Context, r ShadowRun, customer []string, margin, probability []float64) error {
	for lo := 0; lo < len(customer); lo += shadowBatch {
		hi := min(lo+shadowBatch, len(customer))
		batch, err := w.Conn().PrepareBatch(withToken(ctx, fmt.Sprintf("shadow %s %s %d", r.RunID, r.Artifact, lo)),
			"INSERT INTO shadow_scores (run_id, artifact, customer_id, margin, churn_probability)")
		if err != nil {
			return fmt.Errorf("write shadow scores: %w", err)
		}
		for i := lo; i < hi; i++ {
			if err := batch.Append(r.RunID, r.Artifact, customer[i], margin[i], probability[i]); err != nil {
				return fmt.Errorf("write shadow scores: %w", errors.Join(err, batch.Abort()))
			}
		}
		if err := batch.Send(); err != nil {
			return fmt.Errorf("write shadow scores: %w", err)
		}
	}
	batch, err := w.Conn().PrepareBatch(withToken(ctx, "shadow run "+r.RunID+" "+r.Artifact),
		"INSERT INTO shadow_runs (run_id, kind, cutoff, artifact, name, version, rows, finished_at, seconds)")
	if err != nil {
		return fmt.Errorf("write shadow run: %w", err)
	}
	if err := batch.Append(r.RunID, r.Kind, r.Cutoff, r.Artifact, r.Name, r.Version, r.Rows, r.FinishedAt, r.Seconds); err != nil {
		return fmt.Errorf("write shadow run: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write shadow run: %w", err)
	}
	return nil
}

// ShadowRuns lists the runs of a kind that a shadow was scored beside, greatest cutoff first.
func (w *Warehouse) ShadowRuns(ctx context.Context, kind, artifact string) (list []ShadowRun, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT run_id, kind, cutoff, artifact, name, version, rows, finished_at, seconds FROM shadow_runs
		WHERE kind = {kind:String} AND artifact = {artifact:String}
		ORDER BY cutoff DESC, run_id, finished_at LIMIT 1 BY run_id`,
		clickhouse.Named("kind", kind), clickhouse.Named("artifact", artifact))
	if err != nil {
		return nil, fmt.Errorf("list shadow runs: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r ShadowRun
		if err := rows.Scan(&r.RunID, &r.Kind, &r.Cutoff, &r.Artifact, &r.Name, &r.Version, &r.Rows, &r.FinishedAt, &r.Seconds); err != nil {
			return nil, fmt.Errorf("list shadow runs: %w", err)
		}
		r.Cutoff, r.FinishedAt = r.Cutoff.UTC(), r.FinishedAt.UTC()
		list = append(list, r)
	}
	return list, rows.Err()
}

// ShadowScored are the customers of a run as a shadow scores them: ids in the order of bytes, each once, margins and calibrated probabilities.
func (w *Warehouse) ShadowScored(ctx context.Context, runID, artifact string) (customer []string, margin, probability []float64, err error) {
	for b, err := range w.Blocks(ctx, `SELECT customer_id, margin, churn_probability FROM shadow_scores
		WHERE run_id = {run:String} AND artifact = {artifact:String} ORDER BY customer_id LIMIT 1 BY customer_id`,
		clickhouse.Parameters{"run": Text(runID), "artifact": Text(artifact)}) {
		if err != nil {
			return nil, nil, nil, fmt.Errorf("read shadow scores: %w", err)
		}
		customer = append(customer, b.Strings("customer_id")...)
		margin = append(margin, b.Float64s("margin")...)
		probability = append(probability, b.Float64s("churn_probability")...)
	}
	return customer, margin, probability, nil
}

// ShadowState is how far the shadow of a kind has come.
type ShadowState struct {
	AliasRow
	First, Latest time.Time // cutoffs of the runs it was scored beside; zero without one
	Runs          int
	Ends          time.Time // cutoffs from here on are scored without it: one horizon after First; zero while it has none
	Over          bool      // it serves, its horizon has passed, or runs are made without it because it cannot be scored
}

// Joins says whether a run at a cutoff by a champion's artifact is one that the shadow is scored beside.
func (s ShadowState) Joins(cutoff time.Time, champion string) bool {
	return s.Artifact != "" && s.Artifact != champion && (s.Runs == 0 || cutoff.Before(s.Ends))
}

// Shadow is the shadow of a kind, also one whose time is over; ErrNoModel if there is none or it was stopped.
func (w *Warehouse) Shadow(ctx context.Context, kind string) (s ShadowState, err error) {
	s.AliasRow, err = w.Alias(ctx, kind, AliasShadow, time.Time{})
	switch {
	case errors.Is(err, ErrNoAlias), err == nil && s.Artifact == "":
		return s, ErrNoModel
	case err != nil:
		return s, err
	}
	champion, err := w.Alias(ctx, kind, AliasChampion, time.Time{})
	if err != nil && !errors.Is(err, ErrNoAlias) {
		return s, err
	}
	runs, err := w.ShadowRuns(ctx, kind, s.Artifact)
	if err != nil {
		return s, err
	}
	var begun, latest time.Time // of the champion's runs
	var horizon uint16
	if err := w.Conn().QueryRow(ctx, `SELECT max(finished_at), max(cutoff), argMax(horizon_days, cutoff) FROM runs WHERE kind = {kind:String}`,
		clickhouse.Named("kind", kind)).Scan(&begun, &latest, &horizon); err != nil {
		return s, fmt.Errorf("read runs: %w", err)
	}
	s.Over = s.Artifact == champion.Artifact
	for _, r := range runs {
		if r.FinishedAt.Before(s.At.Truncate(time.Millisecond)) {
			continue // of an earlier time as shadow
		}
		if s.Runs++; s.Latest.IsZero() {
			s.Latest = r.Cutoff
		}
		s.First = r.Cutoff
	}
	if s.Runs > 0 {
		s.Ends = s.First.Add(time.Duration(horizon) * 24 * time.Hour)
		s.Over = s.Over || !latest.Before(s.Ends)
	} else {
		s.Over = s.Over || begun.After(s.At)
	}
	return s, nil
}

// shadowKind is the kind of the runs that a shadow is scored beside. Other models have no runs of their own.
const shadowKind = "churn"

// Challenge notes that a model was trained and not promoted: it is the challenger from now on, and, if it tells churn and no other is under way, the shadow. r tells the model,
// who, why and when. shadowed says that its time as shadow begins.
func (w *Warehouse) Challenge(ctx context.Context, r AliasRow) (shadowed bool, err error) {
	last, err := w.Alias(ctx, r.Kind, AliasChallenger, time.Time{})
	if err != nil && !errors.Is(err, ErrNoAlias) {
		return false, err
	}
	if last.Artifact != r.Artifact {
		r.Alias, r.Action = AliasChallenger, ActionRegistered
		if _, err := w.SetAlias(ctx, r, nil); err != nil {
			return false, err
		}
	}
	if r.Kind != shadowKind {
		return false, nil
	}
	shadow, err := w.Shadow(ctx, r.Kind)
	if err != nil && !errors.Is(err, ErrNoModel) {
		return false, err
	}
	if shadow.Artifact != "" && (!shadow.Over || shadow.Artifact == r.Artifact) {
		return false, nil
	}
	r.Alias, r.Action = AliasShadow, ActionShadowed
	_, err = w.SetAlias(ctx, r, &shadow.Artifact)
	if errors.Is(err, ErrAliasMoved) {
		return false, nil // another training was first
	}
	return err == nil, err
}

// dropShadows drops what shadows said beside one run.
func (w *Warehouse) dropShadows(ctx context.Context, runID string) error {
	if !hexID(runID) {
		return fmt.Errorf("drop shadow scores: %q is no run id", runID)
	}
	if err := w.Conn().Exec(ctx, `DELETE FROM shadow_runs WHERE run_id = {id:String}`, clickhouse.Named("id", runID)); err != nil {
		return fmt.Errorf("drop shadow run: %w", err)
	}
	if err := w.Conn().Exec(ctx, `ALTER TABLE shadow_scores DROP PARTITION '`+runID+`'`); err != nil {
		return fmt.Errorf("drop shadow scores of run %s: %w", runID, err)
	}
	return nil
}
