package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/training"
	"retain/training/metrics"
)

func (a *app) trainCommand() *cobra.Command {
	var untilText, page string
	var seed uint64
	churn := &cobra.Command{
		Use:   "churn",
		Short: "Compare the model families out of time, register the best and promote it if it passes the gate",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, o, err := a.beginTraining(cmd.Context(), "train churn", untilText, seed)
			if err != nil {
				return err
			}
			defer s.close(&err)
			write, discard, err := s.reportTo(page)
			if err != nil {
				return err
			}
			defer discard(&err)
			report, err := training.Train(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := write(cmd.Context(), report.Model.Version); err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printTraining(w, report) })
		},
	}
	churn.Flags().StringVar(&untilText, "until", "", "train as if it were this instant: only labels known by then")
	churn.Flags().StringVar(&page, "report", "", "the HTML file to write the report of the training to")
	churn.Flags().Uint64Var(&seed, "seed", 1, "seed of folds, sampling and bootstrap")
	return group("train", "Train a model", churn, a.trainLoyaltyCommand(), a.trainUpliftCommand())
}

// beginTraining opens the warehouse for a training as of an instant, "" for now. Close the session unless there is an error.
func (a *app) beginTraining(ctx context.Context, command, untilText string, seed uint64) (*session, training.Options, error) {
	until, err := instantIf("until", untilText)
	if err != nil {
		return nil, training.Options{}, err
	}
	s, err := a.open(ctx, command, reading)
	if err != nil {
		return nil, training.Options{}, err
	}
	o, err := a.trainingOptions(s, seed)
	if err != nil {
		s.close(&err)
		return nil, training.Options{}, err
	}
	o.Until = until
	return s, o, nil
}

func (a *app) backtestCommand() *cobra.Command {
	var trainTexts, testTexts []string
	var seed uint64
	cmd := &cobra.Command{
		Use:     "backtest [--train T,… --test T,…]",
		Short:   "Train on earlier cutoffs, test on later ones, for every model family",
		Example: "  retain backtest --train 1997-08-01,1997-11-01,1998-01-01 --test 1998-04-01",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if (len(trainTexts) == 0) != (len(testTexts) == 0) {
				return usagef("--train and --test go together: give both, or neither for the rolling origin")
			}
			train, err := instants("train", trainTexts)
			if err != nil {
				return err
			}
			test, err := instants("test", testTexts)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "backtest", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			o, err := a.trainingOptions(s, seed)
			if err != nil {
				return err
			}
			report, err := training.Backtest(cmd.Context(), o, train, test)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) {
				printTournament(w, report.Models, report.Intervals)
				printProof(w, report.Segments.Family, report.Models, report.Curves, report.Segments)
				printTuning(w, report.Tuning)
				for _, line := range report.Warnings {
					fmt.Fprintln(w, "warning: "+line)
				}
			})
		},
	}
	cmd.Flags().StringSliceVar(&trainTexts, "train", nil, "training cutoffs")
	cmd.Flags().StringSliceVar(&testTexts, "test", nil, "test cutoffs")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of folds, sampling and bootstrap")
	return cmd
}

func printTraining(w io.Writer, r *training.TrainReport) {
	fmt.Fprintf(w, "trained on %d cutoffs, %s rows, %s of them churned\n\n", len(r.Cutoffs), spoken.Count(r.Rows), spoken.Count(r.Positives))
	printTournament(w, r.Models, r.Intervals)
	if r.Anatomy != nil {
		printProof(w, r.Model.Family, r.Models, r.Anatomy.Curves, r.Segments)
	}
	fmt.Fprintln(w)
	printTuning(w, r.Tuning)
	for _, line := range r.Warnings {
		fmt.Fprintln(w, "warning: "+line)
	}
	for _, line := range r.Verdict {
		fmt.Fprintln(w, line)
	}
	printTrained(w, r.Model, r.Promoted, r.Seconds)
}

// trainedWords tells which model a training registered, and whether it became champion.
func trainedWords(m training.ModelName, promoted bool) string {
	state := "registered, not promoted"
	if promoted {
		state = "promoted"
	}
	return fmt.Sprintf("%s v%d (%s): %s", m.Name, m.Version, m.Family, state)
}

// printTrained ends what is told of a training.
func printTrained(w io.Writer, m training.ModelName, promoted bool, seconds float64) {
	words := trainedWords(m, promoted)
	if promoted {
		words += ": it scores from now on"
	}
	fmt.Fprintf(w, "%s, in %.1f s\n", words, seconds)
}

func metricCells(m metrics.Figures) string {
	return strings.Join([]string{metric(m.AUC, 4), metric(m.PRAUC, 4), metric(m.LogLoss, 4), metric(m.Brier, 4), metric(m.ECE, 4), metric(m.TopDecileLift, 2)}, "\t")
}

// metric writes a figure of training with so many decimals.
func metric(f metrics.Figure, decimals int) string {
	v := float64(f)
	return figure(&v, decimals)
}
