package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/training"
)

// modelKinds are what models of the registry tell.
var modelKinds = []string{training.KindChurn, training.KindLoyalty, training.KindUplift}

// modelAliases are what a model can be, in the order in which they are told.
var modelAliases = []string{warehouse.AliasChampion, warehouse.AliasChallenger, warehouse.AliasShadow}

func (a *app) modelsCommand() *cobra.Command {
	kind := modelKind(training.KindChurn)
	cmd := group("models", "The registry of trained models", a.modelsListCommand(&kind), a.modelsShowCommand(&kind), a.modelsChampionCommand(&kind), a.modelsHistoryCommand(&kind),
		a.modelsReportCommand(), a.modelsPromoteCommand(&kind), a.modelsRollbackCommand(&kind), a.modelsShadowCommand(&kind))
	cmd.PersistentFlags().Var(&kind, "kind", "what the models tell: "+strings.Join(modelKinds, " or "))
	return cmd
}

// modelKind is the value of --kind.
type modelKind string

func (k *modelKind) String() string { return string(*k) }

// Type is the word for the value in the help.
func (k *modelKind) Type() string { return "kind" }

// Set takes one of modelKinds.
func (k *modelKind) Set(text string) error {
	if !slices.Contains(modelKinds, text) {
		return fmt.Errorf("%q is none of %s", text, strings.Join(modelKinds, ", "))
	}
	*k = modelKind(text)
	return nil
}

func (a *app) modelsListCommand(kind *modelKind) *cobra.Command {
	var atText string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the registered models, newest first; the champion scores",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			at, err := instantIf("at", atText)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "models list", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			rows, err := s.db.Models(cmd.Context(), string(*kind))
			if err != nil {
				return err
			}
			meant, err := s.meanings(cmd.Context(), string(*kind), at)
			if err != nil {
				return err
			}
			listed := []listedModel{}
			for _, m := range rows {
				if at.IsZero() || !m.CreatedAt.After(at) {
					listed = append(listed, listedOf(m, meant))
				}
			}
			return a.print(map[string]any{"models": listed}, func(w io.Writer) { printModels(w, string(*kind), listed) })
		},
	}
	cmd.Flags().StringVar(&atText, "at", "", "the registry as it stood at this instant: a date is its 00:00 UTC (default: now)")
	return cmd
}

// listedModel is one model in the JSON of `retain models list`.
type listedModel struct {
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Family    string    `json:"family"`
	CreatedAt time.Time `json:"created_at"`
	Rows      int       `json:"rows"`
	Positives int       `json:"positives"`
	Artifact  string    `json:"artifact"`
	Champion  bool      `json:"champion"`
	Aliases   []string  `json:"aliases"` // what it is: champion, challenger, shadow
}

func listedOf(m warehouse.ModelRow, meant map[string]string) listedModel {
	l := listedModel{Name: m.Name, Version: int(m.Version), Family: m.Family, CreatedAt: m.CreatedAt.UTC(), Rows: int(m.Rows), Positives: int(m.Positives), Artifact: m.Artifact, Aliases: []string{}}
	for _, alias := range modelAliases {
		if meant[alias] == m.Artifact {
			l.Aliases = append(l.Aliases, alias)
		}
	}
	l.Champion = meant[warehouse.AliasChampion] == m.Artifact
	return l
}

// meanings are the artifacts that the aliases of a kind mean at an instant; zero: now. A champion is no challenger, and no shadow; a shadow whose time is over is
// none.
func (s *session) meanings(ctx context.Context, kind string, at time.Time) (map[string]string, error) {
	meant := map[string]string{}
	for _, alias := range modelAliases {
		r, err := s.db.Alias(ctx, kind, alias, at)
		switch {
		case errors.Is(err, warehouse.ErrNoAlias):
		case err != nil:
			return nil, err
		case r.Artifact != "" && r.Artifact != meant[warehouse.AliasChampion]:
			meant[alias] = r.Artifact
		}
	}
	if at.IsZero() && meant[warehouse.AliasShadow] != "" {
		shadow, err := s.db.Shadow(ctx, kind)
		if err != nil {
			return nil, err
		}
		if shadow.Over {
			delete(meant, warehouse.AliasShadow)
		}
	}
	return meant, nil
}

func printModels(w io.Writer, kind string, models []listedModel) {
	if len(models) == 0 {
		fmt.Fprintf(w, "no %s model yet: `retain train %s`\n", kind, kind)
		return
	}
	table(w, func(line func(string, ...any)) {
		line("model\tfamily\ttrained\trows\tpositive\tartifact\t")
		for _, m := range models {
			line("%s v%d\t%s\t%s\t%s\t%s\t%s\t%s", m.Name, m.Version, m.Family, m.CreatedAt.Format(time.DateTime), spoken.Count(m.Rows), spoken.Count(m.Positives), shortArtifact(m.Artifact),
				strings.Join(m.Aliases, ", "))
		}
	})
}

// shortArtifact is the beginning of a content address, for people.
func shortArtifact(address string) string {
	return address[:min(len(address), len("sha256:")+12)]
}

// versionArgument takes one VERSION.
func versionArgument(cmd *cobra.Command, text string) (uint32, error) {
	version, err := strconv.ParseUint(strings.TrimPrefix(text, "v"), 10, 32)
	if err != nil || version < 1 {
		return 0, usagef("%s: %q is no version; `retain models list --kind %s` has them", cmd.CommandPath(), text, cmd.Flag("kind").Value)
	}
	return uint32(version), nil
}

// operator is who sits at the command line: the user of the system.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

// gateOf is the gate's verdict on a model; ok is false for one that was registered before verdicts were kept.
func gateOf(m warehouse.ModelRow) (g training.GateVerdict, ok bool) {
	var report struct {
		Gate *training.GateVerdict `json:"gate"`
	}
	if json.Unmarshal([]byte(m.Report), &report) != nil || report.Gate == nil {
		return g, false
	}
	return *report.Gate, true
}
