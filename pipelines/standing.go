package pipelines

import (
	"context"
	"errors"
	"time"

	"retain/features"
	"retain/features/lifecycle/kpi"
	"retain/internal/warehouse"
)

// ErrNothingKnown says that the warehouse holds no row of any source.
var ErrNothingKnown = errors.New("no source holds a row yet")

// standingCutoff is where reports stand unless told otherwise: at the cutoff of the run in force, else at the midnight after the last row, and never after
// now (nil means time.Now). Errors: ErrNothingKnown.
func standingCutoff(ctx context.Context, store *features.Store, now func() time.Time) (time.Time, error) {
	run, err := store.DB.RunInForce(ctx, KindChurn)
	if err == nil {
		return run.Cutoff.UTC(), nil
	}
	if !errors.Is(err, warehouse.ErrNoRun) {
		return time.Time{}, err
	}
	if now == nil {
		now = time.Now
	}
	midnight := now().UTC().Truncate(24 * time.Hour)
	last, ok, err := kpi.LastRow(ctx, store, midnight)
	if err != nil {
		return time.Time{}, err
	}
	if !ok {
		return time.Time{}, ErrNothingKnown
	}
	if after := last.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1); after.Before(midnight) {
		return after, nil
	}
	return midnight, nil
}
