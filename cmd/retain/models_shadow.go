package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training"
)

// shadowed is the JSON of `retain models shadow`.
type shadowed struct {
	Shadow *aliasMove `json:"shadow"` // null: there is none
	Runs   int        `json:"runs"`   // that it was scored beside
	First  *time.Time `json:"first_cutoff"`
	Latest *time.Time `json:"latest_cutoff"`
	Ends   *time.Time `json:"ends"` // runs at cutoffs from here on are scored without it; null while it has none
	Over   bool       `json:"over"`
}

func (a *app) modelsShadowCommand(kind *modelKind) *cobra.Command {
	var reason string
	var stop bool
	cmd := &cobra.Command{
		Use:   "shadow [VERSION]",
		Short: "Score a model beside the champion for one horizon, never served; without VERSION: how far the present one is",
		Long: `Score a model in the champion's shadow: every run at cutoffs within one horizon of the first one scores it too. Its scores are kept apart and
never served. When the labels are known, ` + "`retain run monitor`" + ` compares it with the champion on the same customers.

A trained model that is not promoted becomes the shadow by itself, unless another one is under way.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if stop && len(args) == 1 {
				return usagef("%s: --stop takes no VERSION", cmd.CommandPath())
			}
			return atMostOne(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := checkReason(reason, false); err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "models shadow", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			r := warehouse.AliasRow{Kind: string(*kind), Alias: warehouse.AliasShadow, At: time.Now(), Who: operator(), Why: reason}
			switch {
			case stop:
				if _, err := s.db.Shadow(cmd.Context(), string(*kind)); errors.Is(err, warehouse.ErrNoModel) {
					return fmt.Errorf("no %s model is scored in the champion's shadow", *kind)
				}
				r.Action = warehouse.ActionStopped
				if _, err := s.db.SetAlias(cmd.Context(), r, nil); err != nil {
					return err
				}
			case len(args) == 1:
				if err := s.beginShadow(cmd, args[0], r); err != nil {
					return err
				}
			}
			state, err := s.db.Shadow(cmd.Context(), string(*kind))
			if err != nil && !errors.Is(err, warehouse.ErrNoModel) {
				return err
			}
			return a.print(shadowedOf(state, err == nil), func(w io.Writer) { printShadow(w, state, err == nil) })
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history")
	cmd.Flags().BoolVar(&stop, "stop", false, "end the present one")
	return cmd
}

// beginShadow makes a version the shadow.
func (s *session) beginShadow(cmd *cobra.Command, text string, r warehouse.AliasRow) error {
	version, err := versionArgument(cmd, text)
	if err != nil {
		return err
	}
	if r.Kind != training.KindChurn {
		return usagef("only churn models are scored in the shadow")
	}
	entry, err := s.versionOf(cmd.Context(), r.Kind, version)
	if err != nil {
		return err
	}
	champion, err := s.champion(cmd.Context())
	if err != nil {
		return err
	}
	switch {
	case champion.row.Artifact == entry.row.Artifact:
		return fmt.Errorf("%s v%d is the champion: it has no shadow of its own", entry.row.Name, entry.row.Version)
	case !sameChurn(champion.artifact.Churn, entry.artifact.Churn):
		return fmt.Errorf("%s v%d was trained for another definition of churn than the champion v%d: their scores do not compare", entry.row.Name, entry.row.Version, champion.row.Version)
	}
	if _, err := entry.artifact.LoadModel(training.Decoders()); err != nil {
		return err
	}
	r.Action, r.Artifact, r.Name, r.Version = warehouse.ActionShadowed, entry.row.Artifact, entry.row.Name, entry.row.Version
	_, err = s.db.SetAlias(cmd.Context(), r, nil)
	return err
}

func shadowedOf(s warehouse.ShadowState, there bool) shadowed {
	if !there {
		return shadowed{}
	}
	move := moveOf(s.AliasRow)
	out := shadowed{Shadow: &move, Runs: s.Runs, Over: s.Over}
	if s.Runs > 0 {
		out.First, out.Latest, out.Ends = &s.First, &s.Latest, &s.Ends
	}
	return out
}

func printShadow(w io.Writer, s warehouse.ShadowState, there bool) {
	if !there {
		fmt.Fprintln(w, "no model is scored in the champion's shadow; `retain models shadow VERSION` begins")
		return
	}
	fmt.Fprintf(w, "%s v%d, since %s by %s: ", s.Name, s.Version, s.At.Format(time.DateTime), printable(s.Who))
	switch {
	case s.Runs == 0 && s.Over:
		fmt.Fprintln(w, "runs are made without it; `retain score` says why")
	case s.Runs == 0:
		fmt.Fprintln(w, "the next run scores it")
	default:
		fmt.Fprintf(w, "scored beside %s, at cutoffs %s to %s; ", spoken.Counted(s.Runs, "run"), day(s.First), day(s.Latest))
		if s.Over {
			fmt.Fprintln(w, "its time is over")
		} else {
			fmt.Fprintf(w, "it ends by itself at cutoff %s\n", day(s.Ends))
		}
		fmt.Fprintln(w, "`retain run monitor` compares it with the champion when the labels are known")
	}
}
