package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"retain/internal/atomicfile"
	"retain/internal/warehouse"
	"retain/training"
	"retain/training/report"
)

// reportMode lets others read a report: it holds figures of all customers together and of no single one.
const reportMode = 0o644

func (a *app) modelsReportCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "report [VERSION]",
		Short:   "Write the report of a training, of the champion by default: one HTML page that needs nothing else",
		Example: "  retain models report --out report.html\n  retain models report 3 --json",
		Args:    atMostOne,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if out == "-" && a.asJSON {
				return usagef("%s: --out - and --json both want the standard output; name a file", cmd.CommandPath())
			}
			s, err := a.open(cmd.Context(), "models report", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			entry, err := s.registered(cmd, args)
			if err != nil {
				return err
			}
			d, err := s.reportOf(cmd.Context(), entry.row)
			if err != nil {
				return err
			}
			if out == "-" {
				return report.Write(a.stdout, d)
			}
			if out == "" && !a.asJSON {
				out = fmt.Sprintf("%s-v%d.html", d.Model.Name, d.Model.Version)
			}
			if out != "" {
				if err := writeReport(out, d); err != nil {
					return err
				}
			}
			return a.print(d, func(w io.Writer) { printReport(w, d, out) })
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to write, - for the standard output (default NAME-vVERSION.html; none with --json)")
	return cmd
}

// reportOf gathers what the registry holds of a model and its training.
func (s *session) reportOf(ctx context.Context, row warehouse.ModelRow) (*report.Document, error) {
	if row.Kind != training.KindChurn {
		return nil, fmt.Errorf("there is no report of %s models; `retain models show --kind %s` tells their figures", row.Kind, row.Kind)
	}
	champion, err := s.db.ChampionModel(ctx, row.Kind)
	if err != nil && !errors.Is(err, warehouse.ErrNoModel) {
		return nil, err
	}
	history, err := s.db.AliasHistory(ctx, row.Kind, warehouse.AliasChampion)
	if err != nil {
		return nil, err
	}
	return report.New(report.Registered{Row: row, Champion: champion.Artifact == row.Artifact, History: history, Currency: s.config.currency()})
}

// reportTo opens the file of a report before a long training, so that a wrong path is told at once. write writes the report of a churn model's version
// there, discard drops what was not written. With an empty path both do nothing.
func (s *session) reportTo(path string) (write func(ctx context.Context, version int) error, discard func(err *error), err error) {
	if path == "" {
		return func(context.Context, int) error { return nil }, func(*error) {}, nil
	}
	f, err := atomicfile.Create(path, reportMode)
	if err != nil {
		return nil, nil, err
	}
	write = func(ctx context.Context, version int) error {
		entry, err := s.version(ctx, uint32(version))
		if err != nil {
			return err
		}
		d, err := s.reportOf(ctx, entry.row)
		if err != nil {
			return err
		}
		if err := report.Write(f, d); err != nil {
			return err
		}
		return f.Publish()
	}
	return write, func(err *error) { *err = errors.Join(*err, f.Discard()) }, nil
}

// demoReportFile stands beside the demo's data.
const demoReportFile = "report.html"

// writeChampionReport writes the report of the churn model that scores.
func (s *session) writeChampionReport(ctx context.Context, path string) error {
	entry, err := s.champion(ctx)
	if err != nil {
		return err
	}
	d, err := s.reportOf(ctx, entry.row)
	if err != nil {
		return err
	}
	return writeReport(path, d)
}

func writeReport(path string, d *report.Document) error {
	return atomicfile.WriteFunc(path, reportMode, func(w io.Writer) error { return report.Write(w, d) })
}

func printReport(w io.Writer, d *report.Document, path string) {
	size := int64(0)
	if there, err := os.Stat(path); err == nil {
		size = there.Size()
	}
	fmt.Fprintf(w, "report of %s v%d (%s): %s (%d kB), for any browser\n", d.Model.Name, d.Model.Version, d.Model.Family, path, (size+999)/1000)
	for _, line := range report.Verdict(d) {
		fmt.Fprintln(w, "  "+line)
	}
}
