package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"retain/features/lifecycle"
	"retain/features/lifecycle/kpi"
	"retain/models"
	"retain/pipelines"
)

// lifecycleFlags are what `retain lifecycle` is asked for.
type lifecycleFlags struct {
	preset, rules string
	span          pipelines.BoardSpan
}

func (a *app) lifecycleCommand() *cobra.Command {
	var l lifecycleFlags
	var from, to string
	cmd := &cobra.Command{
		Use:   "lifecycle",
		Short: "Where customers stand on their way: stages, what moves them, key figures",
		Long: `Tell how many customers stand in which stage, how they move from month to month, and how long they stay.

Every scoring run finds the stages by the rule set of the configuration (lifecycle: in retain.yaml) and keeps them, with those of the
12 month starts before it. Another preset is computed on the run in force and the months before it; nothing of it is kept.
With --rules, a rule set of your own is held against the one in force before it goes live: who would stand where.`,
		Example: `  retain lifecycle
  retain lifecycle --preset crm
  retain lifecycle --rules new.yaml
  retain lifecycle --from 2026-01-01 --to 2026-04-01 --json
  retain lifecycle journey
  retain lifecycle kpis`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if l.preset != "" && l.rules != "" {
				return usagef("--preset and --rules: name one of them")
			}
			if problem := presetProblem(cmp.Or(l.preset, lifecycle.Presets[0])); problem != "" {
				return usagef("--preset: %s", problem)
			}
			if l.span.From, err = instantIf("from", from); err != nil {
				return err
			}
			if l.span.To, err = instantIf("to", to); err != nil {
				return err
			}
			if !l.span.From.IsZero() && !l.span.To.IsZero() && l.span.To.Before(l.span.From) {
				return usagef("--to: %s is before --from", to)
			}
			return a.lifecycle(cmd.Context(), l)
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.preset, "preset", "", "full, classic, journey, crm or touchpoint (default: the rule set of the run in force)")
	f.StringVar(&l.rules, "rules", "", "what if: a rule set in this file, held against the one in force")
	f.StringVar(&from, "from", "", "history from the first month start on or after this day (default: 12 months back; at most 24)")
	f.StringVar(&to, "to", "", "and to this day (default: the run in force)")
	cmd.AddCommand(a.journeyCommand(), a.lifecycleKPIsCommand(), a.lifecycleRFMCommand(), a.lifecycleLeadsCommand(), a.lifecycleSegmentsCommand())
	return cmd
}

func (a *app) journeyCommand() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use:   "journey",
		Short: "What happens in which stage: touchpoints, contacts, tickets, surveys, orders",
		Long: `Count what happened to those who stood in a stage at the start of the month, by the stages stored with the run in force and the
month starts before it. Who became known in the course of a month counts in the first stage.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var span pipelines.BoardSpan
			if span.From, err = instantIf("from", from); err != nil {
				return err
			}
			if span.To, err = instantIf("to", to); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "lifecycle journey", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			run, err := pipelines.Scores{DB: s.db}.InForce(cmd.Context())
			if err != nil {
				return explainNoRun(err)
			}
			journey, err := pipelines.JourneyMap(cmd.Context(), s.store, run, span)
			if err != nil {
				return err
			}
			return a.print(journey, journeyWords(journey))
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "months that begin on or after this day (default: 12 months back; at most 24)")
	f.StringVar(&to, "to", "", "months that begin on or before this day")
	return cmd
}

func (a *app) lifecycle(ctx context.Context, l lifecycleFlags) (err error) {
	s, err := a.open(ctx, "lifecycle", reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	scores, model, err := s.scores(ctx)
	if err != nil {
		return err
	}
	run, err := scores.InForce(ctx)
	if err != nil {
		return err
	}
	if l.rules != "" {
		return a.compareRules(ctx, s, model, run, l)
	}
	board, err := a.board(ctx, s, model, run, l)
	if err != nil {
		return err
	}
	if a.asJSON {
		if board.KPIs, err = s.boardKPIs(ctx, board); err != nil {
			return err
		}
	}
	return a.print(board, boardWords(board))
}

// board is the stored board, or the computed one of a preset that is not stored.
func (a *app) board(ctx context.Context, s *session, model registered, run models.Run, l lifecycleFlags) (*lifecycle.Board, error) {
	configured, err := s.config.lifecycleRules()
	if err != nil {
		return nil, err
	}
	rules := configured
	if l.preset != "" {
		if rules, err = s.config.lifecyclePreset(l.preset); err != nil {
			return nil, err
		}
	}
	board, err := pipelines.StageBoard(ctx, s.db, run, l.span)
	switch {
	case errors.Is(err, pipelines.ErrNoStages):
	case err != nil:
		return nil, err
	case l.preset == "":
		if board.Version != configured.Version {
			a.say(fmt.Sprintf("the run in force has its stages by another version of the rules (%s) than the configuration's (%s); `retain score` finds them anew", board.Version, configured.Version))
		}
		return board, nil
	case board.Version == rules.Version:
		return board, nil
	}
	return a.stages(s, model, rules).Board(ctx, run, l.span)
}

// stages computes stages for a reading command, which keeps nothing.
func (a *app) stages(s *session, model registered, rules *lifecycle.Rules) *pipelines.Stages {
	return &pipelines.Stages{DB: s.db, Sources: s.config.sources(), Rules: rules, Churn: model.artifact.Churn, Say: a.say}
}

func (a *app) compareRules(ctx context.Context, s *session, model registered, run models.Run, l lifecycleFlags) error {
	rules, err := s.config.lifecycleFile(l.rules)
	if err != nil {
		return err
	}
	c, err := a.stages(s, model, rules).Compare(ctx, run, l.span)
	if err != nil {
		return err
	}
	return a.print(c, comparisonWords(c))
}

// boardKPIs are the key figures of the board's months.
func (s *session) boardKPIs(ctx context.Context, b *lifecycle.Board) (any, error) {
	counter, err := s.kpiCounter()
	if err != nil {
		return nil, err
	}
	report, err := counter.Everywhere(ctx, kpi.Options{Cutoff: b.Cutoff, From: b.From, To: b.To})
	var wrong *kpi.UsageError
	if errors.As(err, &wrong) || errors.Is(err, pipelines.ErrNothingKnown) {
		return []any{}, nil // no month of the board is over
	}
	if err != nil {
		return nil, explainKPIs(err)
	}
	return report.KPIs, nil
}
