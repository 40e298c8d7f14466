package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/warehouse"
)

// aliasMove is one row of the history of aliases in JSON.
type aliasMove struct {
	Alias    string    `json:"alias"`
	Step     int       `json:"step"` // per alias, from 1
	At       time.Time `json:"at"`
	Action   string    `json:"action"` // trained, promoted, forced, rolled_back; registered; shadowed, stopped
	Name     string    `json:"name"`   // "" with version 0: from here on the alias meant no model
	Version  int       `json:"version"`
	Artifact string    `json:"artifact"`
	Who      string    `json:"who"`
	Why      string    `json:"why"`
}

func moveOf(r warehouse.AliasRow) aliasMove {
	return aliasMove{Alias: r.Alias, Step: int(r.Step), At: r.At, Action: r.Action, Name: r.Name, Version: int(r.Version), Artifact: r.Artifact, Who: r.Who, Why: r.Why}
}

// movesOf are the rows that keep keeps, in their order.
func movesOf(rows []warehouse.AliasRow, keep func(aliasMove) bool) []aliasMove {
	moves := []aliasMove{}
	for _, r := range rows {
		if m := moveOf(r); keep(m) {
			moves = append(moves, m)
		}
	}
	return moves
}

func (a *app) modelsHistoryCommand(kind *modelKind) *cobra.Command {
	var alias string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Who was champion, challenger and shadow when, by whom and why, latest first",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if alias != "" && !slices.Contains(modelAliases, alias) {
				return usagef("--alias: %q is none of %s", alias, strings.Join(modelAliases, ", "))
			}
			s, err := a.open(cmd.Context(), "models history", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			rows, err := s.db.AliasHistory(cmd.Context(), string(*kind), alias)
			if err != nil {
				return err
			}
			moves := movesOf(rows, func(aliasMove) bool { return true })
			return a.print(map[string]any{"kind": *kind, "history": moves}, func(w io.Writer) {
				if len(moves) == 0 {
					fmt.Fprintf(w, "nothing yet: `retain train %s`\n", *kind)
					return
				}
				printMoves(w, moves)
			})
		},
	}
	cmd.Flags().StringVar(&alias, "alias", "", "only "+strings.Join(modelAliases, ", "))
	return cmd
}

func printMoves(w io.Writer, moves []aliasMove) {
	table(w, func(line func(string, ...any)) {
		line("at\talias\tmodel\taction\tby\twhy")
		for _, m := range moves {
			model := "none"
			if m.Artifact != "" {
				model = fmt.Sprintf("%s v%d", m.Name, m.Version)
			}
			action := strings.ReplaceAll(m.Action, "_", " ")
			if m.Action == warehouse.ActionForced {
				action = "FORCED"
			}
			line("%s\t%s\t%s\t%s\t%s\t%s", m.At.Format(time.DateTime), m.Alias, model, action, printable(m.Who), shorten(printable(m.Why), 100))
		}
	})
}

// shorten cuts a text for a table after so many characters.
func shorten(text string, limit int) string {
	if r := []rune(text); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return text
}

func (a *app) modelsChampionCommand(kind *modelKind) *cobra.Command {
	var atText string
	cmd := &cobra.Command{
		Use:   "champion",
		Short: "Which model is champion, or was at an instant",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			at, err := instantIf("at", atText)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "models champion", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			r, err := s.db.Alias(cmd.Context(), string(*kind), warehouse.AliasChampion, at)
			if errors.Is(err, warehouse.ErrNoAlias) {
				return noChampionAt(string(*kind), at)
			}
			if err != nil {
				return err
			}
			move := moveOf(r)
			return a.print(move, func(w io.Writer) {
				fmt.Fprintf(w, "%s v%d, since %s (%s by %s)\n", r.Name, r.Version, r.At.Format(time.RFC3339), strings.ReplaceAll(r.Action, "_", " "), printable(r.Who))
				fmt.Fprintf(w, "artifact %s\n", r.Artifact)
				if r.Why != "" {
					fmt.Fprintln(w, printable(r.Why))
				}
			})
		},
	}
	cmd.Flags().StringVar(&atText, "at", "", "the instant: a date is its 00:00 UTC (default: now)")
	return cmd
}

func noChampionAt(kind string, at time.Time) error {
	if at.IsZero() {
		return fmt.Errorf("no %s model has been promoted yet: `retain train %s` trains one", kind, kind)
	}
	return fmt.Errorf("no %s model was champion at %s; `retain models history --kind %s` tells since when there is one", kind, at.Format(time.RFC3339), kind)
}
