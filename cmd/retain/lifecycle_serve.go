package main

import (
	"context"
	"errors"

	"retain/features"
	"retain/features/lifecycle"
	"retain/models"
	"retain/pipelines"
	"retain/serving"
)

// stageReader gives the service the lifecycle stages of the warehouse.
type stageReader struct{ store *features.Store }

func (r stageReader) run(ctx context.Context, runID string) (models.Run, error) {
	return pipelines.Scores{DB: r.store.DB}.Run(ctx, runID)
}

func (r stageReader) Board(ctx context.Context, runID string, span serving.StageSpan) (*lifecycle.Board, error) {
	run, err := r.run(ctx, runID)
	if err != nil {
		return nil, err
	}
	board, err := pipelines.StageBoard(ctx, r.store.DB, run, pipelines.BoardSpan(span))
	return board, servedStages(err)
}

func (r stageReader) Journey(ctx context.Context, runID string, span serving.StageSpan) (*lifecycle.Journey, error) {
	run, err := r.run(ctx, runID)
	if err != nil {
		return nil, err
	}
	journey, err := pipelines.JourneyMap(ctx, r.store, run, pipelines.BoardSpan(span))
	return journey, servedStages(err)
}

// servedStages is the error as the service knows it.
func servedStages(err error) error {
	if errors.Is(err, pipelines.ErrNoStages) {
		return serving.ErrNoStages
	}
	return err
}
