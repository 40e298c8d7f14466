package training

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"retain/internal/warehouse"
	"retain/models"
)

// Registry keeps models and who of them serves. *warehouse.Warehouse is one.
type Registry interface {
	// RegisterModel stores a model and returns its version, counted per name from 1. The same artifact under the same name keeps its version.
	RegisterModel(ctx context.Context, m warehouse.ModelRow) (version uint32, err error)
	// ChampionModel is the model of the latest promotion of a kind; warehouse.ErrNoModel if there is none.
	ChampionModel(ctx context.Context, kind string) (warehouse.ModelRow, error)
	// PromoteModel makes a registered model the champion of its kind. Errors: warehouse.ErrAliasMoved if the champion is not the one that it was judged
	// against, warehouse.ErrRolledBack if it was taken back by hand.
	PromoteModel(ctx context.Context, p warehouse.PromotionRow) error
	// Challenge notes a registered model that was not promoted, and whether it is scored in the champion's shadow from now on.
	Challenge(ctx context.Context, r warehouse.AliasRow) (shadowed bool, err error)
}

// GateVerdict is the gate's word on a model. It is kept with the model: who promotes it by hand later is told what the gate said, and of whom.
type GateVerdict struct {
	Pass    bool     `json:"pass"`
	Over    *string  `json:"over"` // artifact of the champion that it was judged against; "" = there was none; null = none was named
	Verdict []string `json:"verdict"`
}

// gate is the judgement as it is kept.
func (j judgement) gate() GateVerdict {
	return GateVerdict{Pass: j.Promote, Over: j.Over, Verdict: listed(j.Verdict)}
}

// standing is the champion as the registry holds it.
type standing struct {
	row      warehouse.ModelRow
	artifact *models.Artifact
}

// readChampion reads the champion of a kind; nil if there is none.
func readChampion(ctx context.Context, r Registry, kind string) (*standing, error) {
	row, err := r.ChampionModel(ctx, kind)
	if errors.Is(err, warehouse.ErrNoModel) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	artifact, err := models.DecodeArtifact(row.Blob)
	if err != nil {
		return nil, fmt.Errorf("read champion %s version %d: %w", row.Name, row.Version, err)
	}
	return &standing{row: row, artifact: artifact}, nil
}

// address is the champion's artifact, "" where there is none: what a judgement was made over.
func (s *standing) address() *string {
	artifact := ""
	if s != nil {
		artifact = s.row.Artifact
	}
	return &artifact
}

// enrolled is what the registry made of a model.
type enrolled struct {
	Version  int
	Promoted bool
	Told     []string // what the gate could not know, in words
}

// enrol registers a model as of now. It becomes champion if the judgement says so and the champion is still the one that it was judged against, else challenger.
func enrol(ctx context.Context, o Options, j judgement, m warehouse.ModelRow) (e enrolled, err error) {
	m.CreatedAt = o.Now().UTC()
	version, err := o.Registry.RegisterModel(ctx, m)
	if err != nil {
		return e, err
	}
	e.Version = int(version)
	why := strings.Join(j.Verdict, "; ")
	if j.Promote {
		err := o.Registry.PromoteModel(ctx, warehouse.PromotionRow{
			At: m.CreatedAt, Kind: m.Kind, Artifact: m.Artifact, Name: m.Name, Version: version, Who: o.Who, Why: why, Over: j.Over,
		})
		switch {
		case err == nil:
			e.Promoted = true
			return e, nil
		case errors.Is(err, warehouse.ErrAliasMoved):
			why = "another model became champion while this one was trained, so the verdict is not about that one: this one is registered; train again, or promote it by hand"
		case errors.Is(err, warehouse.ErrRolledBack):
			why = "this very model was champion and was rolled back by hand: it is registered; promote it by hand to have it back"
		default:
			return e, err
		}
		e.Told = append(e.Told, why)
	}
	if champion, err := o.Registry.ChampionModel(ctx, m.Kind); err != nil && !errors.Is(err, warehouse.ErrNoModel) || err == nil && champion.Artifact == m.Artifact {
		return e, err
	}
	shadowed, err := o.Registry.Challenge(ctx, warehouse.AliasRow{At: m.CreatedAt, Kind: m.Kind, Artifact: m.Artifact, Name: m.Name, Version: version, Who: o.Who, Why: why})
	if shadowed {
		e.Told = append(e.Told, "it is scored in the champion's shadow for one horizon, never served; `retain run monitor` compares them when the labels are known")
	}
	return e, err
}
