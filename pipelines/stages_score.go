package pipelines

import (
	"context"

	"retain/features/lifecycle"
)

// findStages finds the stage of everyone at the run's cutoff, after the past month starts that it follows.
func (s *scoring) findStages(ctx context.Context) (err error) {
	rules := s.o.Stages
	if rules == nil {
		if rules, err = lifecycle.Load(lifecycle.Presets[0], nil); err != nil {
			return err
		}
	}
	s.stages = &Stages{DB: s.o.DB, Sources: s.o.Sources, Rules: rules, Churn: s.o.Model.Artifact.Churn, Now: s.o.Now}
	if _, err := s.stages.Fill(ctx, s.o.Cutoff); err != nil {
		return err
	}
	former, err := s.stages.before(ctx, s.o.Cutoff)
	if err != nil {
		return err
	}
	s.staged, err = s.stages.at(ctx, s.p, former)
	return err
}

// stageName is the stage of customer i of the population.
func (s *scoring) stageName(i int) string { return s.stages.Rules.Name(int(s.staged.place[i])) }
