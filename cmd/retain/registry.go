package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
	"retain/training"
)

// errNoChampion says that nothing can score yet.
var errNoChampion = errors.New("no model serves yet: `retain train churn` trains one")

// registered is a model of the registry, decoded.
type registered struct {
	row      warehouse.ModelRow
	artifact *models.Artifact // of loyalty: its first part
	loyalty  *models.Loyalty  // nil: another kind
}

// champion is the churn model that scores; errNoChampion if there is none.
func (s *session) champion(ctx context.Context) (registered, error) {
	return s.championOf(ctx, training.KindChurn)
}

// championOf is the model of a kind that serves. Its error, if there is none, is errNoChampion for churn.
func (s *session) championOf(ctx context.Context, kind string) (registered, error) {
	row, err := s.db.ChampionModel(ctx, kind)
	if errors.Is(err, warehouse.ErrNoModel) {
		if kind == training.KindChurn {
			return registered{}, errNoChampion
		}
		return registered{}, noChampionAt(kind, time.Time{})
	}
	return decoded(row, err)
}

// version is the churn model of a version.
func (s *session) version(ctx context.Context, version uint32) (registered, error) {
	return s.versionOf(ctx, training.KindChurn, version)
}

// versionOf is the model of a kind and version.
func (s *session) versionOf(ctx context.Context, kind string, version uint32) (registered, error) {
	row, err := s.db.ModelByVersion(ctx, kind, version)
	if errors.Is(err, warehouse.ErrNoModel) {
		return registered{}, noVersion(kind, version)
	}
	return decoded(row, err)
}

func noVersion(kind string, version uint32) error {
	return fmt.Errorf("there is no version %d of %s; `retain models list --kind %s` has them", version, kind, kind)
}

// byArtifact is the model of a content address.
func byArtifact(ctx context.Context, db *warehouse.Warehouse, address string) (registered, error) {
	return decoded(db.ModelByArtifact(ctx, address))
}

func decoded(row warehouse.ModelRow, err error) (registered, error) {
	if err != nil {
		return registered{}, err
	}
	if models.Address(row.Blob) != row.Artifact {
		return registered{}, fmt.Errorf("model %s v%d: its bytes are not those of %s; train again", row.Name, row.Version, row.Artifact)
	}
	if models.IsLoyalty(row.Blob) {
		l, err := models.DecodeLoyalty(row.Blob)
		if err != nil {
			return registered{}, fmt.Errorf("model %s v%d: %w", row.Name, row.Version, err)
		}
		return registered{row: row, artifact: l.Repeat, loyalty: l}, nil
	}
	artifact, err := models.DecodeArtifact(row.Blob)
	if err != nil {
		return registered{}, fmt.Errorf("model %s v%d: %w", row.Name, row.Version, err)
	}
	return registered{row: row, artifact: artifact}, nil
}

// serving decodes the model itself.
func (r registered) serving() (pipelines.ServingModel, error) {
	model, err := r.artifact.LoadModel(training.Decoders())
	if err != nil {
		return pipelines.ServingModel{}, err
	}
	explainer, ok := model.(models.Explainer)
	if !ok {
		return pipelines.ServingModel{}, fmt.Errorf("model %s v%d (%s) has no exact reasons and cannot score", r.row.Name, r.row.Version, r.row.Family)
	}
	return pipelines.ServingModel{Artifact: r.artifact, Model: explainer, Address: r.row.Artifact, Version: int(r.row.Version)}, nil
}
