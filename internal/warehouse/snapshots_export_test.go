package warehouse

import "context"

// PruneTrainingSnapshotsTo is PruneTrainingSnapshots with other bounds.
func PruneTrainingSnapshotsTo(ctx context.Context, w *Warehouse, used []string, kept, bytes int) error {
	return w.pruneTrainingSnapshots(ctx, used, kept, bytes)
}
