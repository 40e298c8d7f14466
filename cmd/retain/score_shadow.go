package main

import (
	"context"
	"errors"
	"fmt"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
	"retain/training"
)

// scoreShadow scores the challenger in the shadow of a run. The run stands, whatever becomes of it.
func (a *app) scoreShadow(ctx context.Context, s *session, run models.Run, champion *models.Artifact) {
	out, err := pipelines.Shadow(ctx, pipelines.ShadowOptions{DB: s.db, Sources: s.config.sources(), Run: run, Model: champion})
	switch {
	case err != nil:
		a.say("warning: beside the run: " + err.Error())
	case out.Version > 0 && !out.Done:
		until := "for one horizon from this cutoff on"
		if !out.Ends.IsZero() {
			until = "until cutoff " + day(out.Ends)
		}
		a.say(fmt.Sprintf("%s v%d scored %s in the champion's shadow, %s; nothing of it is served", training.KindChurn, out.Version, spoken.Counted(out.Rows, "customer"), until))
	}
}

// shadowBeside names the shadow that a run from v is scored with, for the name of the work; "" without one.
func (s *session) shadowBeside(ctx context.Context, v vantage) (string, error) {
	shadow, err := s.db.Shadow(ctx, training.KindChurn)
	if errors.Is(err, warehouse.ErrNoModel) || err == nil && !shadow.Joins(v.cutoff, v.champion.row.Artifact) {
		return "", nil
	}
	return fmt.Sprintf(" shadow v%d", shadow.Version), err
}
