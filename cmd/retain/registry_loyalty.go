package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
	"retain/training"
)

// registeredLoyalty is a loyalty model of the registry, decoded.
type registeredLoyalty struct {
	row   warehouse.ModelRow
	model *models.Loyalty
}

// loyaltyChampion is the loyalty model that scores; nil if there is none.
func (s *session) loyaltyChampion(ctx context.Context) (*registeredLoyalty, error) {
	row, err := s.db.ChampionModel(ctx, training.KindLoyalty)
	if errors.Is(err, warehouse.ErrNoModel) {
		return nil, nil
	}
	return decodedLoyalty(row, err)
}

func decodedLoyalty(row warehouse.ModelRow, err error) (*registeredLoyalty, error) {
	r, err := decoded(row, err)
	if err != nil {
		return nil, err
	}
	if r.loyalty == nil {
		return nil, fmt.Errorf("model %s v%d: its bytes are not those of a loyalty model; train again", row.Name, row.Version)
	}
	return &registeredLoyalty{row, r.loyalty}, nil
}

// partCard is a part of loyalty in the JSON of `retain models show`.
type partCard struct {
	Part         string             `json:"part"`
	Family       string             `json:"family"`
	Rows         int                `json:"rows"`
	Positives    int                `json:"positives"`
	Features     []string           `json:"features"`
	Calibration  models.Calibration `json:"calibration"`
	Cutoffs      []time.Time        `json:"cutoffs"`
	TrainedUntil time.Time          `json:"trained_until"`
}

func partCards(l *models.Loyalty) []partCard {
	var cards []partCard
	for _, part := range features.LoyaltyParts {
		m := l.Part(part)
		card := partCard{Part: string(part), Family: m.Family, Rows: m.Rows, Positives: m.Positives, Calibration: m.Calibration, Cutoffs: m.Cutoffs, TrainedUntil: m.TrainedUntil}
		for _, column := range m.Schema {
			card.Features = append(card.Features, column.Name)
		}
		cards = append(cards, card)
	}
	return cards
}

func printParts(w io.Writer, parts []partCard) {
	for _, p := range parts {
		fmt.Fprintf(w, "%s: %s, %d features, trained on %s rows (%s positive) of %d cutoffs, known until %s\n", p.Part, p.Family, len(p.Features),
			spoken.Count(p.Rows), spoken.Count(p.Positives), len(p.Cutoffs), day(p.TrainedUntil))
	}
}

// serving decodes the models of both parts.
func (r *registeredLoyalty) serving() (*pipelines.LoyaltyModel, error) {
	out := &pipelines.LoyaltyModel{Artifact: r.model, Address: r.row.Artifact, Version: int(r.row.Version)}
	into := map[features.LoyaltyPart]*models.Model{features.PartRepeat: &out.Repeat, features.PartPromotes: &out.Promotes}
	for _, part := range features.LoyaltyParts {
		model, err := r.model.Part(part).LoadModel(training.Decoders())
		if err != nil {
			return nil, fmt.Errorf("model %s v%d, part %s: %w", r.row.Name, r.row.Version, part, err)
		}
		*into[part] = model
	}
	return out, nil
}
