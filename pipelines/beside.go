package pipelines

import (
	"context"
	"slices"

	"retain/features"
	"retain/models"
)

// besides is a population and the raw matrix of the model that scores it.
type besides struct {
	population *features.Population
	x          *features.Matrix
}

// besideColumns is the raw matrix of entries: those of the model's own matrix as they are, the others computed beside it.
func besideColumns(ctx context.Context, store *features.Store, a *models.Artifact, entries []features.Entry, of besides) (*features.Matrix, error) {
	out := &features.Matrix{Schema: make(features.Schema, len(entries)), X: make([][]float32, len(entries))}
	rest := &features.Catalogue{Version: a.Catalogue.Version}
	var lacking []int
	for k, e := range entries {
		if own, ok := a.Catalogue.Entry(e.Name); !ok || own.Definition() != e.Definition() {
			lacking, rest.Entries = append(lacking, k), append(rest.Entries, e)
			continue
		}
		j := slices.IndexFunc(of.x.Schema, func(c features.Column) bool { return c.Name == e.Name })
		out.Schema[k], out.X[k] = of.x.Schema[j], of.x.X[j]
	}
	if len(lacking) == 0 {
		return out, nil
	}
	snapshot, err := store.Snapshot(ctx, rest, of.population)
	if err != nil {
		return nil, err
	}
	for j, k := range lacking {
		out.Schema[k], out.X[k] = snapshot.X.Schema[j], snapshot.X.X[j]
	}
	return out, nil
}
