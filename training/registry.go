package training

import (
	"context"

	"retain/internal/warehouse"
)

// Registry keeps models and who of them serves. *warehouse.Warehouse is one.
type Registry interface {
	// RegisterModel stores a model and returns its version, counted per name from 1. The same artifact under the same name keeps its version.
	RegisterModel(ctx context.Context, m warehouse.ModelRow) (version uint32, err error)
	// ChampionModel is the model of the latest promotion of a kind; warehouse.ErrNoModel if there is none.
	ChampionModel(ctx context.Context, kind string) (warehouse.ModelRow, error)
	// PromoteModel makes a registered model the champion of its kind.
	PromoteModel(ctx context.Context, p warehouse.PromotionRow) error
}
