package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/training"
	"retain/training/metrics"
)

func (a *app) trainLoyaltyCommand() *cobra.Command {
	var untilText string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "loyalty",
		Short: "Train the loyalty model: who repeats or renews within 180 days, and who of them promotes",
		Long: `Train the loyalty model, P(repeats or renews in 180 days) · P(promotes | repeats), on customers who are alive by churn:.

A customer repeats who buys again or is active again (non_contractual), has not left (event), or is still paid for after a renewal fell
due (contractual). Who repeats promotes with an NPS answer of 9 or 10, with a referral (touchpoints of kind referral_sent), or by spending no
less than in the 180 days before. Who was never asked counts by what else is known, and not at all where nothing is.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, o, err := a.beginTraining(cmd.Context(), "train loyalty", untilText, seed)
			if err != nil {
				return err
			}
			defer s.close(&err)
			report, err := training.TrainLoyalty(cmd.Context(), o)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printLoyalty(w, report) })
		},
	}
	cmd.Flags().StringVar(&untilText, "until", "", "train as if it were this instant: only labels known by then")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of folds, sampling and bootstrap")
	return cmd
}

func printLoyalty(w io.Writer, r *training.LoyaltyReport) {
	for _, part := range []struct {
		title, yes string
		report     *training.TrainReport
	}{
		{fmt.Sprintf("Who repeats or renews within %d days", features.LoyaltyDays), "repeated", r.Parts.Repeat},
		{"Who promotes, of those who repeat", "promoted", r.Parts.Promotes},
	} {
		fmt.Fprintf(w, "%s: %s on %s, %s, %s of them %s\n\n", part.title, part.report.Model.Family, spoken.Counted(len(part.report.Cutoffs), "cutoff"),
			spoken.Counted(part.report.Rows, "row"), spoken.Count(part.report.Positives), part.yes)
		printPart(w, part.report.Models, part.yes)
		fmt.Fprintln(w)
		printWarnings(w, part.report.Warnings)
	}
	printProduct(w, r.Product)
	for _, line := range r.Verdict {
		fmt.Fprintln(w, line)
	}
	printTrained(w, r.Model, r.Promoted, r.Seconds)
}

// printPart is the tournament of one part; yes says what its positives did.
func printPart(w io.Writer, families []metrics.ModelFigures, yes string) {
	table(w, func(line func(string, ...any)) {
		line("model\ttest cutoff\trows\t%s\tAUC\tPR AUC\tlog loss\tBrier\tECE\tlift 10 %%\tO/E", yes)
		for _, m := range families {
			for _, f := range m.Folds {
				line("%s\t%s\t%s\t%s\t%s\t", m.Name, day(f.Cutoff), spoken.Count(f.Rows), spoken.Count(f.Positives), metricCells(f.Figures))
			}
			line("%s\tpooled\t%s\t%s\t%s\t%s", m.Name, spoken.Count(m.Pooled.Rows), spoken.Count(m.Pooled.Positives), metricCells(m.Pooled.Figures), metric(m.Pooled.Calibration.ObservedExpected, 3))
		}
	})
}

func printProduct(w io.Writer, p *training.LoyaltyProduct) {
	if p == nil {
		fmt.Fprintln(w, "repeats and promotes: no test cutoff measures both parts out of time")
		return
	}
	fmt.Fprintf(w, "repeats and promotes: %s of %s at %s; AUC %s, log loss %s, observed/expected %s (95 %%: %s to %s)\n", spoken.Count(p.Positives), spoken.Counted(p.Rows, "row"),
		spoken.Counted(len(p.Cutoffs), "test cutoff"), metric(p.AUC, 4), metric(p.LogLoss, 4), metric(p.ObservedExpected, 3), metric(p.OEInterval[0], 3), metric(p.OEInterval[1], 3))
	switch {
	case p.Weighted:
		fmt.Fprintln(w, "only answered questions tell who promotes: those who answer are taken for a fair sample of those who repeat")
	case p.Share < 1:
		fmt.Fprintf(w, "these are the %.0f %% of the customers of whom it was sure at the cutoff that both would be known\n", 100*float64(p.Share))
	}
}
