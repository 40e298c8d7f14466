package pipelines

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"slices"

	"retain/features"
	"retain/models"
)

// LoyaltyModel is a loyalty artifact with both parts' models decoded.
type LoyaltyModel struct {
	Artifact         *models.Loyalty
	Repeat, Promotes models.Model
	Address          string // sha256:…
	Version          int
}

// scoreLoyalty fills in both probabilities of everyone eligible. Features that churn's matrix x has are taken from there, the others computed
// for the same population.
func (s *scoring) scoreLoyalty(ctx context.Context, store *features.Store, x *features.Matrix) error {
	n := len(s.margin)
	s.loyalty = [2][]float64{make([]float64, n), make([]float64, n)}
	if n == 0 {
		return nil
	}
	l := s.o.Loyalty
	var entries []features.Entry
	for _, part := range features.LoyaltyParts {
		for _, e := range l.Artifact.Part(part).Catalogue.Entries {
			if !slices.ContainsFunc(entries, func(o features.Entry) bool { return o.Name == e.Name }) {
				entries = append(entries, e) // both parts learned from one catalogue: a name is one definition
			}
		}
	}
	raw, err := besideColumns(ctx, store, s.o.Model.Artifact, entries, besides{s.p, x})
	if err != nil {
		return fmt.Errorf("compute features: %w", err)
	}
	for k, model := range []models.Model{l.Repeat, l.Promotes} {
		part := l.Artifact.Part(features.LoyaltyParts[k])
		encoded, err := part.Encoding.Apply(raw)
		if err != nil {
			return fmt.Errorf("encode features of %s: %w", part.Name, err)
		}
		if err := model.Margin(s.loyalty[k], encoded); err != nil {
			return fmt.Errorf("predict %s: %w", part.Name, err)
		}
		for i, m := range s.loyalty[k] {
			s.loyalty[k][i] = part.Calibration.Probability(m)
		}
	}
	return nil
}

// hashLoyalty adds the loyalty model and what it says to the run's identity; a run without one has the identity that it had before there was any.
func (s *scoring) hashLoyalty(h hash.Hash) {
	if s.o.Loyalty == nil {
		return
	}
	hashText(h, fmt.Sprintf("loyalty %s v%d", s.o.Loyalty.Address, s.o.Loyalty.Version))
	var b [8]byte
	for _, part := range s.loyalty {
		for _, p := range part {
			binary.LittleEndian.PutUint64(b[:], math.Float64bits(p))
			h.Write(b[:])
		}
	}
}
