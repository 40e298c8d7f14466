package pipelines

import (
	"context"

	"retain/features"
	"retain/internal/warehouse"
)

// The columns before the features.
const (
	textCustomer = iota
	textStatus
	textCode
	inputTexts
)

// packInput is the input of scoring as the warehouse keeps it.
func packInput(in *scoringInput) *features.Packed {
	p := in.Population
	return &features.Packed{Texts: [][]string{textCustomer: p.Customer, textStatus: p.Status, textCode: p.StatusCode}, Numbers: [][]float64{in.Monthly}, X: in.X}
}

// loadInput reads a stored snapshot. Errors: features.ErrDamaged, or of the warehouse.
func loadInput(ctx context.Context, store *features.Store, row warehouse.SnapshotRow) (*scoringInput, error) {
	p, err := store.LoadPacked(ctx, row, inputTexts, 1)
	if err != nil {
		return nil, err
	}
	in := &scoringInput{X: p.X, Monthly: p.Numbers[0]}
	in.Population, err = store.Restore(ctx, row.Cutoff, p.Texts[textCustomer], p.Texts[textStatus], p.Texts[textCode])
	return in, err
}
