package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training"
)

// ShadowOptions is what scoring in the shadow of a run needs.
type ShadowOptions struct {
	DB      *warehouse.Warehouse // required
	Sources features.Sources
	Run     models.Run       // of the champion; required
	Model   *models.Artifact // the champion's; required
	Now     func() time.Time // nil means time.Now
}

// ShadowOutcome is what became of it.
type ShadowOutcome struct {
	Version int       // of the shadow; 0: none is under way at the run's cutoff
	Rows    int       // customers scored
	Done    bool      // it was scored beside this run before
	Ends    time.Time // cutoffs from here on are scored without it; zero if this is its first run
}

// ErrNoShadow says why a shadow cannot be scored beside a run.
var ErrNoShadow = errors.New("the shadow is not scored")

// Shadow scores the model of the alias shadow beside a run of the champion, for the customers whom the run scored, at cutoffs of one horizon from its first run on. The scores
// are kept apart and never served. What the champion's vectors tell is read back from them, the rest is computed. Where no shadow is under way that costs four
// short queries and no more. Errors: ErrNoShadow with the reason, or of the warehouse; the champion's run stands whatever becomes of its shadow.
func Shadow(ctx context.Context, o ShadowOptions) (out ShadowOutcome, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	begin := o.Now()
	state, err := o.DB.Shadow(ctx, KindChurn)
	switch {
	case errors.Is(err, warehouse.ErrNoModel):
		return out, nil
	case err != nil:
		return out, err
	case !state.Joins(o.Run.Cutoff, o.Run.Artifact):
		return out, nil
	}
	out.Version, out.Ends = int(state.Version), state.Ends
	runs, err := o.DB.ShadowRuns(ctx, KindChurn, state.Artifact)
	if err != nil {
		return out, err
	}
	if slices.ContainsFunc(runs, func(r warehouse.ShadowRun) bool { return r.RunID == o.Run.ID }) {
		out.Done = true
		return out, nil
	}
	s, err := readShadow(ctx, o, state)
	if err != nil {
		return out, err
	}
	customer, x, err := s.matrix(ctx)
	if err != nil {
		return out, err
	}
	margin, probability := make([]float64, len(customer)), make([]float64, len(customer))
	if len(customer) > 0 {
		if err := s.model.Margin(margin, x); err != nil {
			return out, fmt.Errorf("predict: %w", err)
		}
	}
	for i, v := range margin {
		probability[i] = s.artifact.Calibration.Probability(v)
	}
	now := o.Now()
	out.Rows = len(customer)
	return out, o.DB.PutShadow(ctx, warehouse.ShadowRun{RunID: o.Run.ID, Kind: KindChurn, Cutoff: o.Run.Cutoff, Artifact: state.Artifact, Name: state.Name, Version: state.Version,
		Rows: uint64(len(customer)), FinishedAt: now, Seconds: now.Sub(begin).Seconds()}, customer, margin, probability)
}

// shadow is a model about to be scored beside a run.
type shadow struct {
	o        ShadowOptions
	artifact *models.Artifact
	model    models.Model
}

func readShadow(ctx context.Context, o ShadowOptions, state warehouse.ShadowState) (*shadow, error) {
	row, err := o.DB.ModelByVersion(ctx, state.Name, state.Version)
	if err != nil {
		return nil, err
	}
	s := &shadow{o: o}
	if s.artifact, err = models.DecodeArtifact(row.Blob); err != nil {
		return nil, err
	}
	if s.model, err = s.artifact.LoadModel(training.Decoders()); err != nil {
		return nil, err
	}
	if !sameLabel(s.artifact.Churn, o.Model.Churn) {
		return nil, fmt.Errorf("%w: v%d was trained for another definition of churn than the champion", ErrNoShadow, state.Version)
	}
	if o.Run.Cutoff.Before(s.artifact.TrainedUntil) {
		return nil, fmt.Errorf("%w: v%d learned from labels until %s, after the run's cutoff", ErrNoShadow, state.Version, s.artifact.TrainedUntil.Format(time.DateOnly))
	}
	return s, nil
}

// sameLabel compares two label specifications but for how far the data reached.
func sameLabel(a, b features.ChurnSpec) bool {
	a.DataUntil, b.DataUntil = nil, nil
	return reflect.DeepEqual(a, b)
}

// matrix is the shadow's view of the customers whom the run scored, sorted by their ids.
func (s *shadow) matrix(ctx context.Context) (customer []string, x *features.Matrix, err error) {
	schema := s.artifact.Encoding.Schema()
	own := s.o.Model.Encoding.Schema()
	var positions []int // in the champion's vectors
	var lacking []string
	raw := &features.Matrix{}
	for _, c := range schema {
		at := slices.IndexFunc(own, func(k features.Column) bool {
			return k.Name == c.Name && k.Kind == c.Kind && k.Definition == c.Definition && slices.Equal(k.Levels, c.Levels)
		})
		if at < 0 {
			lacking = append(lacking, c.Name)
			continue
		}
		positions = append(positions, at)
		raw.Schema = append(raw.Schema, c)
	}
	if customer, raw.X, err = s.o.DB.ScoredColumns(ctx, s.o.Run.ID, positions); err != nil {
		return nil, nil, err
	}
	if len(lacking) > 0 && len(customer) > 0 {
		if err := s.compute(ctx, lacking, customer, raw); err != nil {
			return nil, nil, err
		}
	}
	x, err = s.artifact.Encoding.Apply(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("encode features: %w", err)
	}
	return customer, x, nil
}

// compute adds the columns that the champion has not, computed at the run's cutoff. A customer who is not eligible any more, because rows of before the cutoff came later, has
// no value of them.
func (s *shadow) compute(ctx context.Context, names, customer []string, raw *features.Matrix) (err error) {
	store := &features.Store{DB: s.o.DB, Sources: s.o.Sources}
	p, err := store.Population(ctx, s.artifact.Churn, s.o.Run.Cutoff)
	if err != nil {
		return fmt.Errorf("find who exists: %w", err)
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	snapshot, err := store.Snapshot(ctx, s.artifact.Catalogue.Only(names), p)
	if err != nil {
		return fmt.Errorf("compute features: %w", err)
	}
	row := make(map[string]int, len(snapshot.Customer))
	for i, id := range snapshot.Customer {
		row[id] = i
	}
	for j, c := range snapshot.X.Schema {
		column := make([]float32, len(customer))
		for i, id := range customer {
			column[i] = float32(math.NaN())
			if at, ok := row[id]; ok {
				column[i] = snapshot.X.X[j][at]
			}
		}
		raw.Schema, raw.X = append(raw.Schema, c), append(raw.X, column)
	}
	return nil
}
