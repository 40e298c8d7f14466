package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/warehouse"
	"retain/training"
)

// maxReason bounds --reason: it is a sentence, not a file.
const maxReason = 1000

// promoted is the JSON of `retain models promote` and `rollback`.
type promoted struct {
	Kind     string     `json:"kind"`
	Changed  bool       `json:"changed"` // false: it was the champion already
	Champion aliasMove  `json:"champion"`
	Previous *aliasMove `json:"previous"` // the champion before; null if there was none
}

func (a *app) modelsPromoteCommand(kind *modelKind) *cobra.Command {
	var reason string
	var force bool
	cmd := &cobra.Command{
		Use:   "promote VERSION --reason TEXT [--force]",
		Short: "Make a registered model the champion",
		Long: `Make a registered model the champion: it scores from the next run on.

What the gate said when the model was trained is looked up. A model that it did not let pass, or judged against another champion than the one of
today, needs --force, and the history tells that it was forced, by whom and why.`,
		Example: "  retain models promote 3 --reason 'the new price list is in its features'",
		Args:    exactly("a VERSION"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			version, err := versionArgument(cmd, args[0])
			if err != nil {
				return err
			}
			if err := checkReason(reason, true); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "models promote", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			row, err := s.scoring(cmd.Context(), string(*kind), version)
			if err != nil {
				return err
			}
			champion, err := s.db.Alias(cmd.Context(), string(*kind), warehouse.AliasChampion, time.Time{})
			if err != nil && !errors.Is(err, warehouse.ErrNoAlias) {
				return err
			}
			if champion.Artifact == row.Artifact {
				told := promoted{Kind: string(*kind), Champion: moveOf(champion)}
				return a.print(told, func(w io.Writer) { fmt.Fprintf(w, "%s v%d is the champion already\n", champion.Name, champion.Version) })
			}
			p := warehouse.PromotionRow{At: time.Now(), Kind: string(*kind), Artifact: row.Artifact, Name: row.Name, Version: row.Version,
				Who: operator(), Why: reason, Action: warehouse.ActionPromoted, Over: &champion.Artifact}
			if against := againstGate(row, champion); against != "" {
				if !force {
					return fmt.Errorf("%s v%d is not promoted: %s\n--force promotes it all the same, and the history tells that you did", row.Name, row.Version, against)
				}
				p.Action = warehouse.ActionForced
			}
			if err := s.db.PromoteModel(cmd.Context(), p); err != nil {
				return explainMoved(*kind, err)
			}
			return a.tellChampion(cmd, s, string(*kind), champion)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history (required)")
	cmd.Flags().BoolVar(&force, "force", false, "also against the gate, or without its word")
	return cmd
}

// scoring is a registered model that is fit to score.
func (s *session) scoring(ctx context.Context, kind string, version uint32) (warehouse.ModelRow, error) {
	entry, err := s.versionOf(ctx, kind, version)
	if err != nil {
		return entry.row, err
	}
	switch {
	case entry.loyalty != nil:
		_, err = (&registeredLoyalty{entry.row, entry.loyalty}).serving()
	case entry.artifact.Kind == training.KindUplift:
		_, err = entry.effects()
	default:
		_, err = entry.serving()
	}
	return entry.row, err
}

func checkReason(reason string, required bool) error {
	switch {
	case required && strings.TrimSpace(reason) == "":
		return usagef("--reason: say why; the history keeps it")
	case len(reason) > maxReason:
		return usagef("--reason: %d bytes are more than %d", len(reason), maxReason)
	}
	return nil
}

// againstGate says in words what the gate has against promoting a model over a champion; "" if it agrees. The gate holds nobody back where there is no champion.
func againstGate(m warehouse.ModelRow, champion warehouse.AliasRow) string {
	if champion.Artifact == "" {
		return ""
	}
	gate, ok := gateOf(m)
	switch {
	case !ok:
		return "it was registered before the gate's verdicts were kept, so that nothing is known of how it compares"
	case !gate.Pass:
		return "the gate did not let it pass:\n  " + strings.Join(gate.Verdict, "\n  ")
	case gate.Over == nil || *gate.Over != champion.Artifact:
		return fmt.Sprintf("the gate judged it against another champion than %s v%d, so that nothing is known of how it compares with that one; `retain train %s` trains and compares anew",
			champion.Name, champion.Version, m.Kind)
	}
	return ""
}

// explainMoved words the errors of a change that came too late.
func explainMoved(kind modelKind, err error) error {
	if errors.Is(err, warehouse.ErrAliasMoved) {
		return &explainedError{message: fmt.Sprintf("somebody else changed the champion at this moment: look at `retain models history --kind %s`, and try again", kind), cause: err}
	}
	return err
}

func (a *app) modelsRollbackCommand(kind *modelKind) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "rollback [--reason TEXT]",
		Short: "Make the champion of before the champion again",
		Long: `Undo the latest promotion: the champion that it replaced scores again, from the next run on.

Rolling back again undoes the promotion before that one, and so on; to return to a model that was rolled back, promote it. No training promotes
it again by itself.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := checkReason(reason, false); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "models rollback", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			from, _, err := s.db.RollBack(cmd.Context(), string(*kind), operator(), reason, time.Now())
			if errors.Is(err, warehouse.ErrNoAlias) {
				return fmt.Errorf("there is no %s champion to go back to: no promotion replaced one, or all are undone; see `retain models history --kind %s`", *kind, *kind)
			}
			if err != nil {
				return explainMoved(*kind, err)
			}
			return a.tellChampion(cmd, s, string(*kind), from)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history")
	return cmd
}

// tellChampion prints who serves now in place of whom, and whose scores are still in force.
func (a *app) tellChampion(cmd *cobra.Command, s *session, kind string, before warehouse.AliasRow) error {
	now, err := s.db.Alias(cmd.Context(), kind, warehouse.AliasChampion, time.Time{})
	if err != nil {
		return err
	}
	told := promoted{Kind: kind, Changed: true, Champion: moveOf(now)}
	if before.Artifact != "" {
		previous := moveOf(before)
		told.Previous = &previous
	}
	run, err := s.db.RunInForce(cmd.Context(), kind)
	if err != nil && !errors.Is(err, warehouse.ErrNoRun) {
		return err
	}
	return a.print(told, func(w io.Writer) {
		fmt.Fprintf(w, "%s v%d is the champion", now.Name, now.Version)
		if told.Previous != nil {
			fmt.Fprintf(w, " in place of v%d", before.Version)
		}
		fmt.Fprintln(w)
		if run.Artifact != "" && run.Artifact != now.Artifact {
			fmt.Fprintf(w, "the run in force is still one of v%d: `retain score` makes one of v%d\n", run.ModelVersion, now.Version)
		}
	})
}
