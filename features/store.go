package features

import "retain/internal/warehouse"

// Store reads features, populations and labels out of a warehouse. It keeps nothing between calls, unless it is
// Remembering, and is safe for concurrent use; every read is bounded by a cutoff in both clocks.
type Store struct {
	DB      *warehouse.Warehouse // required
	Sources Sources              // nil = the canonical tables

	memory *remembered // of Remembering; nil keeps nothing
}
