package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/training"
)

func (a *app) crossvalCommand() *cobra.Command {
	var o training.FlatOptions
	cmd := &cobra.Command{
		Use:     "crossval FILE --target COL --positive VALUE",
		Short:   "Compare the model families by stratified k-fold on any flat table",
		Example: "  retain crossval telco.csv.gz --target churn --positive Yes --id customer_id",
		Args:    exactly("a FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			o.Path, o.Stdin, o.Progress, o.TimeBudget = args[0], a.stdin, a.say, config.Train.TimeBudget
			report, err := training.CrossValidate(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printCrossval(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Target, "target", "", "the column to predict")
	f.StringVar(&o.Positive, "positive", "", "the value of it that means churn")
	f.StringSliceVar(&o.Negative, "negative", nil, "the values that mean none, where there are more than one; rows of others are left out")
	f.StringSliceVar(&o.Null, "null", nil, "texts that mean no value, beside the empty one, NULL, \\N and NaN")
	f.StringVar(&o.ID, "id", "", "a column that names the row, not a feature")
	f.StringSliceVar(&o.Drop, "drop", nil, "columns to leave out")
	f.IntVar(&o.Folds, "folds", 5, "how many folds")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of folds and sampling")
	return cmd
}

func printCrossval(w io.Writer, r *training.CrossvalReport) {
	fmt.Fprintf(w, "%s rows, %d features, %d folds; figures are means over the folds, the ECE is that of all rows\n\n", spoken.Count(r.Rows), r.Features, r.Folds)
	rows := make([]standing, len(r.Models))
	for k, m := range r.Models {
		ece := m.Pooled.ECE          // of all rows, as the band of chance is: on the fewer rows of a fold chance alone makes it greater
		m.Pooled.Figures = m.Figures // the contract's means over folds, a hair from the figures of all rows that the intervals belong to
		m.Pooled.ECE = ece
		rows[k] = standing{name: m.Name, pooled: m.Pooled, fit: m.FitSeconds, predict: m.PredictSeconds, verdict: m.Verdict}
	}
	printStandings(w, rows, r.Intervals)
	printTuning(w, r.Tuning)
	for _, d := range r.Dropped {
		fmt.Fprintf(w, "%s is no feature: %s\n", d.Name, d.Why)
	}
	for _, line := range r.Warnings {
		fmt.Fprintln(w, "warning: "+line)
	}
}
