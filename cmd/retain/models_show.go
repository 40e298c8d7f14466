package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/models"
	"retain/training"
)

func (a *app) modelsShowCommand(kind *modelKind) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show a model, the champion by default, with its aliases and what the gate said; --out exports its artifact",
		Args:  atMostOne,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			s, err := a.open(cmd.Context(), "models show", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			entry, err := s.registered(cmd, args)
			if err != nil {
				return err
			}
			if out != "" {
				if err := atomicfile.Write(out, 0o644, entry.row.Blob); err != nil {
					return err
				}
			}
			meant, err := s.meanings(cmd.Context(), string(*kind), time.Time{})
			if err != nil {
				return err
			}
			history, err := s.db.AliasHistory(cmd.Context(), string(*kind), "")
			if err != nil {
				return err
			}
			card := cardOf(entry, listedOf(entry.row, meant), movesOf(history, func(m aliasMove) bool { return m.Artifact == entry.row.Artifact }))
			return a.print(card, func(w io.Writer) { printCard(w, entry, card, out) })
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to export the artifact to")
	return cmd
}

// registered is the model of the version in args, the champion without one, of the kind that --kind names.
func (s *session) registered(cmd *cobra.Command, args []string) (registered, error) {
	kind := cmd.Flag("kind").Value.String()
	if len(args) == 0 {
		return s.championOf(cmd.Context(), kind)
	}
	version, err := versionArgument(cmd, args[0])
	if err != nil {
		return registered{}, err
	}
	return s.versionOf(cmd.Context(), kind, version)
}

// modelCard is the JSON of `retain models show`.
type modelCard struct {
	listedModel
	Churn        features.ChurnSpec    `json:"churn"`
	Features     []string              `json:"features"`
	Bands        models.Bands          `json:"bands"`
	Calibration  models.Calibration    `json:"calibration"`
	Cutoffs      []time.Time           `json:"cutoffs"`
	TrainedUntil time.Time             `json:"trained_until"`
	Seed         uint64                `json:"seed"`
	Gate         *training.GateVerdict `json:"gate"`            // null for a model of before verdicts were kept
	History      []aliasMove           `json:"history"`         // when an alias began to mean it, latest first
	Training     json.RawMessage       `json:"training"`        // the report of the training
	Parts        []partCard            `json:"parts,omitempty"` // of loyalty; what stands above is its first part's
}

func cardOf(r registered, listed listedModel, history []aliasMove) modelCard {
	m := r.artifact
	card := modelCard{
		listedModel: listed, Churn: m.Churn, Bands: m.Bands, Calibration: m.Calibration, Cutoffs: m.Cutoffs, TrainedUntil: m.TrainedUntil, Seed: m.Seed,
		History: history, Training: json.RawMessage(r.row.Report), Features: []string{},
	}
	if gate, ok := gateOf(r.row); ok {
		card.Gate = &gate
	}
	for _, column := range m.Schema {
		card.Features = append(card.Features, column.Name)
	}
	if r.loyalty != nil {
		card.Parts = partCards(r.loyalty)
	}
	return card
}

func printCard(w io.Writer, entry registered, card modelCard, out string) {
	m := entry.artifact
	what := strings.Join(card.Aliases, ", ")
	if what == "" {
		what = "registered"
	}
	if entry.loyalty != nil {
		fmt.Fprintf(w, "%s v%d, %s, of customers alive by churn: %s\n", entry.row.Name, entry.row.Version, what, m.Churn.Setting)
		printParts(w, card.Parts)
	} else {
		fmt.Fprintf(w, "%s v%d, %s: %s, %d features, trained on %s rows (%s positive) of %d cutoffs, known until %s\n", m.Name, entry.row.Version, what, m.Family,
			len(m.Schema), spoken.Count(m.Rows), spoken.Count(m.Positives), len(m.Cutoffs), day(m.TrainedUntil))
	}
	if entry.row.Kind == training.KindChurn {
		fmt.Fprintf(w, "churn: %s within %d days after a gap of %d; bands: high from %.3f, medium from %.3f\n", m.Churn.Setting, m.Churn.HorizonDays, m.Churn.GapDays, m.Bands.High, m.Bands.Medium)
	}
	fmt.Fprintf(w, "artifact %s\n", entry.row.Artifact)
	if out != "" {
		fmt.Fprintf(w, "exported to %s (%s bytes)\n", out, spoken.Count(len(entry.row.Blob)))
	}
	if card.Gate != nil {
		fmt.Fprintf(w, "\nthe gate %s:\n", map[bool]string{true: "lets it pass", false: "does not let it pass"}[card.Gate.Pass])
		for _, line := range card.Gate.Verdict {
			fmt.Fprintln(w, "  "+line)
		}
	}
	if len(card.History) > 0 {
		fmt.Fprintln(w)
		printMoves(w, card.History)
	}
}
