package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training"
)

func (a *app) modelsCommand() *cobra.Command {
	return group("models", "The registry of trained models", a.modelsListCommand(), a.modelsShowCommand())
}

func (a *app) modelsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the registered models, newest first; the champion scores",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.open(cmd.Context(), "models list", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			models, err := s.db.Models(cmd.Context(), training.KindChurn)
			if err != nil {
				return err
			}
			champion, err := s.db.ChampionModel(cmd.Context(), training.KindChurn)
			if err != nil && !errors.Is(err, warehouse.ErrNoModel) {
				return err
			}
			listed := make([]listedModel, len(models))
			for i, m := range models {
				listed[i] = listedModel{m.Name, int(m.Version), m.Family, m.CreatedAt, int(m.Rows), int(m.Positives), m.Artifact, m.Artifact == champion.Artifact}
			}
			return a.print(map[string]any{"models": listed}, func(w io.Writer) { printModels(w, listed) })
		},
	}
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
}

func printModels(w io.Writer, models []listedModel) {
	if len(models) == 0 {
		fmt.Fprintln(w, "no model yet: `retain train churn`")
		return
	}
	table(w, func(line func(string, ...any)) {
		line("model\tfamily\ttrained\trows\tchurned\tartifact\t")
		for _, m := range models {
			mark := ""
			if m.Champion {
				mark = "champion"
			}
			line("%s v%d\t%s\t%s\t%s\t%s\t%s\t%s", m.Name, m.Version, m.Family, m.CreatedAt.Format(time.DateTime), spoken.Count(m.Rows), spoken.Count(m.Positives), m.Artifact, mark)
		}
	})
}

func (a *app) modelsShowCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show a model, the champion by default; --out exports its artifact",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s: unexpected argument %q", cmd.CommandPath(), args[1])
			}
			return nil
		},
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
			champion, err := s.db.ChampionModel(cmd.Context(), training.KindChurn)
			if err != nil && !errors.Is(err, warehouse.ErrNoModel) {
				return err
			}
			return a.print(cardOf(entry, entry.row.Artifact == champion.Artifact), func(w io.Writer) { printCard(w, entry, out) })
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to export the artifact to")
	return cmd
}

func (s *session) registered(cmd *cobra.Command, args []string) (registered, error) {
	if len(args) == 0 {
		return s.champion(cmd.Context())
	}
	version, err := strconv.ParseUint(strings.TrimPrefix(args[0], "v"), 10, 32)
	if err != nil || version < 1 {
		return registered{}, usagef("models show: %q is no version; `retain models list` has them", args[0])
	}
	return s.version(cmd.Context(), uint32(version))
}

// modelCard is the JSON of `retain models show`.
type modelCard struct {
	listedModel
	Churn        features.ChurnSpec `json:"churn"`
	Features     []string           `json:"features"`
	Bands        models.Bands       `json:"bands"`
	Calibration  models.Calibration `json:"calibration"`
	Cutoffs      []time.Time        `json:"cutoffs"`
	TrainedUntil time.Time          `json:"trained_until"`
	Seed         uint64             `json:"seed"`
	Training     json.RawMessage    `json:"training"` // the report of the training
}

func cardOf(r registered, champion bool) modelCard {
	m := r.artifact
	card := modelCard{
		listedModel: listedModel{r.row.Name, int(r.row.Version), r.row.Family, r.row.CreatedAt, int(r.row.Rows), int(r.row.Positives), r.row.Artifact, champion},
		Churn:       m.Churn, Bands: m.Bands, Calibration: m.Calibration, Cutoffs: m.Cutoffs, TrainedUntil: m.TrainedUntil, Seed: m.Seed,
		Training: json.RawMessage(r.row.Report),
	}
	for _, column := range m.Schema {
		card.Features = append(card.Features, column.Name)
	}
	return card
}

func printCard(w io.Writer, entry registered, out string) {
	m := entry.artifact
	fmt.Fprintf(w, "%s v%d: %s, %d features, trained on %s rows (%s churned) of %d cutoffs, known until %s\n", m.Name, entry.row.Version, m.Family,
		len(m.Schema), spoken.Count(m.Rows), spoken.Count(m.Positives), len(m.Cutoffs), day(m.TrainedUntil))
	fmt.Fprintf(w, "churn: %s within %d days after a gap of %d; bands: high from %.3f, medium from %.3f\n", m.Churn.Setting, m.Churn.HorizonDays, m.Churn.GapDays, m.Bands.High, m.Bands.Medium)
	fmt.Fprintf(w, "artifact %s\n", entry.row.Artifact)
	if out != "" {
		fmt.Fprintf(w, "exported to %s (%s bytes)\n", out, spoken.Count(len(entry.row.Blob)))
	}
}
