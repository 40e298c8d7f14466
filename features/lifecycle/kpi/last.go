package kpi

import (
	"context"
	"fmt"
	"time"

	"retain/features"
)

// LastRow is the event time of the last row of any source that is known at the cutoff; ok is false without any.
func LastRow(ctx context.Context, store *features.Store, cutoff time.Time) (last time.Time, ok bool, err error) {
	store = store.Remembering()
	for _, source := range eventSources {
		rows, err := store.Versions(ctx, source, []string{"at"}, cutoff)
		if err != nil {
			return last, false, fmt.Errorf("last row of %s: %w", source, err)
		}
		for b, err := range store.DB.Blocks(ctx, "SELECT count() AS n, toUnixTimestamp64Milli(max(at)) AS last_ms\nFROM "+rows, nil) {
			if err != nil {
				return last, false, fmt.Errorf("last row of %s: %w", source, err)
			}
			if b.UInt64s("n")[0] > 0 {
				last, ok = later(last, time.UnixMilli(b.Int64s("last_ms")[0]).UTC()), true
			}
		}
	}
	return last, ok, nil
}
