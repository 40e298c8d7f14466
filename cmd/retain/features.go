package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
)

func (a *app) featuresCommand() *cobra.Command {
	return group("features", "The feature catalogue and the matrix", a.featuresListCommand(), a.featuresExportCommand())
}

func (a *app) featuresListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the catalogue: every feature with its source, unit and meaning",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			catalogue, err := config.catalogue()
			if err != nil {
				return err
			}
			return a.print(map[string]any{"features": catalogue.Entries}, func(w io.Writer) {
				table(w, func(line func(string, ...any)) {
					line("feature\tsource\tunit\tmeaning")
					for _, e := range catalogue.Entries {
						line("%s\t%s\t%s\t%s", e.Name, sourceOf(e.Measure), e.Unit, e.Doc)
					}
				})
			})
		},
	}
}

func (a *app) featuresExportCommand() *cobra.Command {
	var cutoffText, out string
	var labels bool
	cmd := &cobra.Command{
		Use:     "export --cutoff T --out FILE",
		Short:   "Write the matrix of one cutoff as CSV or Parquet: customer_id, every feature, and the label if asked",
		Example: "  retain features export --cutoff 1998-04-01 --out features.csv\n  retain features export --cutoff 1998-04-01 --out features.parquet --labels",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cutoffText == "" || out == "" {
				return usagef("features export needs --cutoff and --out")
			}
			if !isParquet(out) && otherThanCSV(out) {
				return usagef("--out: %s: the matrix is written as CSV or Parquet; name a file that ends in .csv or .parquet", out)
			}
			cutoff, err := instant("cutoff", cutoffText)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "features export", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			rows, columns, leftOut, err := s.export(cmd.Context(), cutoff, out, labels)
			if err != nil {
				return err
			}
			for _, d := range leftOut {
				a.say(d.Name + " is no feature: " + d.Why)
			}
			return a.print(map[string]any{"file": out, "cutoff": cutoff, "rows": rows, "features": columns}, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s customers × %d features at %s\n", out, spoken.Count(rows), columns, cutoff.Format(time.RFC3339))
			})
		},
	}
	cmd.Flags().StringVar(&cutoffText, "cutoff", "", "the instant at which to stand, exclusive")
	cmd.Flags().StringVar(&out, "out", "", "the file to write: Parquet if it ends in .parquet, else CSV")
	cmd.Flags().BoolVar(&labels, "labels", false, "add the label: 1 churned, 0 stayed, empty not known")
	return cmd
}

func isParquet(path string) bool { return strings.EqualFold(filepath.Ext(path), ".parquet") }

// export writes the eligible customers of the cutoff with every feature of the catalogue and, if asked, their labels.
func (s *session) export(ctx context.Context, cutoff time.Time, out string, labels bool) (rows, columns int, leftOut []features.Dropped, err error) {
	catalogue, err := s.config.catalogue()
	if err != nil {
		return 0, 0, nil, err
	}
	if catalogue, err = catalogue.For(s.config.Churn).Resolve(ctx, s.store, []time.Time{cutoff}); err != nil {
		return 0, 0, nil, err
	}
	population, err := s.store.Population(ctx, s.config.Churn, cutoff)
	if err != nil {
		return 0, 0, nil, err
	}
	defer func() { err = errorsJoin(err, population.Close(ctx)) }()
	snapshot, err := s.store.Snapshot(ctx, catalogue, population)
	if err != nil {
		return 0, 0, nil, err
	}
	var y []float64
	if labels {
		if y, err = s.labels(ctx, population); err != nil {
			return 0, 0, nil, err
		}
	}
	write := snapshot.ExportCSV
	if isParquet(out) {
		write = snapshot.ExportParquet
	}
	if err := write(out, y); err != nil {
		return 0, 0, nil, err
	}
	return snapshot.X.Rows(), snapshot.X.Cols(), catalogue.LeftOut, nil
}

// labels are those of the population, known by the watermark.
func (s *session) labels(ctx context.Context, p *features.Population) ([]float64, error) {
	spec := s.config.Churn
	watermark, err := s.store.Watermark(ctx, spec)
	if err != nil {
		return nil, err
	}
	if !spec.Known(p.Cutoff, watermark) {
		latest := watermark.AddDate(0, 0, -spec.MaturityDays())
		return nil, usagef("--labels: those of %s are not known yet; the latest cutoff with known labels is %s", p.Cutoff.Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	known, err := s.store.Labels(ctx, spec, p, time.Time{})
	if err != nil {
		return nil, err
	}
	return known.Y, nil
}

// sourceOf names the sources that a measure reads.
func sourceOf(m features.Measure) string {
	var names []string
	for _, part := range []*features.Measure{&m, m.Of, m.Over} {
		if part != nil && part.Source != "" && !slices.Contains(names, part.Source) {
			names = append(names, part.Source)
		}
	}
	return strings.Join(names, ", ")
}
