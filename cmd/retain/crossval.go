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
			o.Path, o.Stdin, o.Progress = args[0], a.stdin, a.say
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
	f.StringVar(&o.ID, "id", "", "a column that names the row, not a feature")
	f.StringSliceVar(&o.Drop, "drop", nil, "columns to leave out")
	f.IntVar(&o.Folds, "folds", 5, "how many folds")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of folds and sampling")
	return cmd
}

func printCrossval(w io.Writer, r *training.CrossvalReport) {
	fmt.Fprintf(w, "%s rows, %d features, %d folds\n\n", spoken.Count(r.Rows), r.Features, r.Folds)
	table(w, func(line func(string, ...any)) {
		line("model\tAUC\tPR AUC\tlog loss\tBrier\tECE\tlift 10 %%\tfit s\tpredict s")
		for _, m := range r.Models {
			line("%s\t%s\t%.2f\t%.3f", m.Name, metricCells(m.Figures), m.FitSeconds, m.PredictSeconds)
		}
	})
	for _, line := range r.Warnings {
		fmt.Fprintln(w, "warning: "+line)
	}
}
