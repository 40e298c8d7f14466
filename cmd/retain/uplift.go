package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"retain/internal/atomicfile"
	"retain/internal/spoken"
	"retain/training"
	"retain/training/metrics"
)

func (a *app) upliftCommand() *cobra.Command {
	return group("uplift", "For whom an action changes the outcome", a.upliftEvaluateCommand())
}

func (a *app) upliftEvaluateCommand() *cobra.Command {
	var o training.UpliftOptions
	var out string
	cmd := &cobra.Command{
		Use:   "evaluate FILE --treatment COL --treated VALUE --control VALUE --target COL --positive V",
		Short: "Measure the uplift learners on a flat table of an experiment",
		Long: `Measure the uplift learners on a flat table of an experiment, out of fold.

The rows of --treated got the action, those of --control got nothing, and chance decided which; rows of other values are left out. --positive
is the outcome that is wanted. Qini is by how many wanted outcomes per 1,000 customers the order of a learner beats a random one on average:
0 is no better than chance. Columns that were written after the treatment must be left out by --drop. A table in which the other columns tell
who was treated is no experiment and gets no figure, unless --propensity names the column of the logged probabilities.
The interval of the Qini holds where nothing is to be found, too: for it, models without two folds are fitted as well, ten for five folds,
whatever --repeats.`,
		Example: "  retain uplift evaluate hillstrom.csv.gz --treatment segment --treated 'Womens E-Mail' --control 'No E-Mail' \\\n    --target visit --positive 1 --id customer_id --drop conversion,spend",
		Args:    exactly("a FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out != "" && o.Flat.ID == "" {
				return usagef("--out: the rows are told apart by --id")
			}
			o.Flat.Path, o.Flat.Stdin, o.Flat.Progress = args[0], a.stdin, a.say
			report, err := training.EvaluateUplift(cmd.Context(), o)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeEstimates(out, report.Estimates); err != nil {
					return err
				}
			}
			return a.print(report, func(w io.Writer) { printUplift(w, report) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Treatment, "treatment", "", "the column that tells the arms")
	f.StringVar(&o.Treated, "treated", "", "its value of those who got the action")
	f.StringVar(&o.Control, "control", "", "its value of those who got nothing")
	f.StringVar(&o.Propensity, "propensity", "", "a column with the logged probability of having been treated, of treated or left alone")
	f.StringVar(&o.Flat.Target, "target", "", "the column of the outcome")
	f.StringVar(&o.Flat.Positive, "positive", "", "the value of it that is wanted")
	f.StringSliceVar(&o.Flat.Negative, "negative", nil, "the values that mean it did not happen, where there are more than one; rows of others are left out")
	f.StringSliceVar(&o.Flat.Null, "null", nil, "texts that mean no value, beside the empty one, NULL, \\N and NaN")
	f.StringVar(&o.Flat.ID, "id", "", "a column that names the customer, not a feature")
	f.StringSliceVar(&o.Flat.Drop, "drop", nil, "columns to leave out: all that was written after the treatment")
	f.IntVar(&o.Flat.Folds, "folds", 5, "how many folds")
	f.Uint64Var(&o.Flat.Seed, "seed", 1, "seed of folds, learners and bootstrap")
	f.StringVar(&out, "out", "", "the CSV file to write the best learner's estimates to, each by a model that has not seen the customer; needs --id")
	f.IntVar(&o.Repeats, "repeats", 1, "how many fold seeds, from --seed on, the figures are means over")
	return cmd
}

// writeEstimates writes the estimates as CSV; the file appears whole or not at all.
func writeEstimates(path string, estimates []training.UpliftEstimate) (err error) {
	f, err := atomicfile.Create(path, 0o644)
	if err != nil {
		return fmt.Errorf("estimates: %w", err)
	}
	defer func() { err = errors.Join(err, f.Discard()) }()
	w := csv.NewWriter(f)
	number := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	_ = w.Write([]string{"customer_id", "effect", "standard_error", "probability_untreated", "rank"}) // the writer keeps its first error
	for _, e := range estimates {
		_ = w.Write([]string{e.Customer, number(e.Effect), number(e.SE), number(e.Control), number(e.Rank)})
	}
	if w.Flush(); w.Error() != nil {
		return fmt.Errorf("estimates: %w", w.Error())
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("estimates: %w", err)
	}
	return f.Publish()
}

func printUplift(w io.Writer, r *training.UpliftReport) {
	fmt.Fprintf(w, "%s rows, %s treated and %s left alone, %d features, %d folds", spoken.Count(r.Rows), spoken.Count(r.Treated), spoken.Count(r.Control), r.Features, r.Folds)
	if r.Repeats > 1 {
		fmt.Fprintf(w, ", means over %d fold seeds", r.Repeats)
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(w, "; %s of other arms are left out", spoken.Counted(r.LeftOut, "row"))
	}
	fmt.Fprintf(w, "\nwho was treated is told by the columns with an AUC of %s; chance stays below %s\n\n", metric(r.Balance.AUC, 3), metric(r.Balance.Bound, 3))
	table(w, func(line func(string, ...any)) {
		line("learner\tQini per 1,000\t95 %%\tuplift of 10 %%\tof 20 %%\tof 50 %%\tof all\tfit s\tverdict")
		for _, l := range r.Learners {
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.1f\t%s", l.Name, metric(l.Qini, 2), toward(l.Interval, 2),
				metric(l.Curve[0].Uplift, 4), metric(l.Curve[1].Uplift, 4), metric(l.Curve[4].Uplift, 4), metric(l.Curve[9].Uplift, 4), l.FitSeconds, l.Verdict)
		}
	})
	fmt.Fprintln(w, r.Intervals)
	for _, l := range r.Learners {
		if l.Name == r.Best {
			printUpliftGroups(w, l)
		}
	}
	for _, d := range r.Dropped {
		fmt.Fprintf(w, "%s is no feature: %s\n", d.Name, d.Why)
	}
	printWarnings(w, r.Warnings)
	for _, line := range r.Verdict {
		fmt.Fprintln(w, line)
	}
}

// printUpliftGroups is the table of the four groups of a learner.
func printUpliftGroups(w io.Writer, l training.UpliftLearner) {
	fmt.Fprintf(w, "\nthe groups by %s, and what was measured of them\n", l.Name)
	table(w, func(line func(string, ...any)) {
		line("group\tcustomers\ttreated\tleft alone\tuplift\t95 %%\testimated")
		for _, g := range l.Groups {
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s", g.Name, spoken.Count(g.Customers), metric(g.Treated, 4), metric(g.Control, 4), metric(g.Uplift, 4), toward(g.Interval, 4), metric(g.Estimated, 4))
		}
	})
	fmt.Fprintln(w)
}

// toward writes an interval whose ends may be negative.
func toward(i metrics.Interval, decimals int) string {
	if !i[0].Defined() || !i[1].Defined() {
		return ""
	}
	return metric(i[0], decimals) + " to " + metric(i[1], decimals)
}
