package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/warehouse"
	"retain/pipelines"
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
			models, err := s.db.Models(cmd.Context(), pipelines.KindChurn)
			if err != nil {
				return err
			}
			return a.print(map[string]any{"models": models}, func(w io.Writer) { printModels(w, models) })
		},
	}
}

func printModels(w io.Writer, models []warehouse.ModelRow) {
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
			line("%s v%d\t%s\t%s\t%s\t%s\t%s\t%s", m.Name, m.Version, m.Family, m.CreatedAt.Format(time.DateTime), count(m.Rows), count(m.Positives), m.Artifact, mark)
		}
	})
}

func (a *app) modelsShowCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "show [VERSION]",
		Short: "Show a model, the champion by default; --out exports its artifact",
		Args:  cobra.MaximumNArgs(1),
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
				if err := writeWhole(out, entry.Blob); err != nil {
					return err
				}
			}
			return a.print(entry.Card(), func(w io.Writer) { printCard(w, entry, out) })
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to export the artifact to")
	return cmd
}

func (s *session) registered(cmd *cobra.Command, args []string) (training.Registered, error) {
	if len(args) == 0 {
		return training.Champion(cmd.Context(), s.db, pipelines.KindChurn)
	}
	version, err := strconv.Atoi(args[0])
	if err != nil || version < 1 {
		return training.Registered{}, usagef("models show: %q is no version; `retain models list` has them", args[0])
	}
	return training.Version(cmd.Context(), s.db, pipelines.KindChurn, version)
}

func printCard(w io.Writer, entry training.Registered, out string) {
	m := entry.Artifact
	fmt.Fprintf(w, "%s v%d: %s, %d features, trained on %s rows (%s churned) of %d cutoffs, known until %s\n", m.Name, entry.Version, m.Family,
		len(m.Schema), count(m.Rows), count(m.Positives), len(m.Cutoffs), day(m.TrainedUntil))
	fmt.Fprintf(w, "churn: %s within %d days after a gap of %d; bands: high from %.3f, medium from %.3f\n", m.Churn.Setting, m.Churn.HorizonDays, m.Churn.GapDays, m.Bands.High, m.Bands.Medium)
	fmt.Fprintf(w, "artifact %s\n", entry.Address)
	if out != "" {
		fmt.Fprintf(w, "exported to %s (%s bytes)\n", out, count(len(entry.Blob)))
	}
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errorsJoin(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errorsJoin(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}
