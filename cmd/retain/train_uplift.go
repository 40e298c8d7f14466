package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/pipelines"
	"retain/training"
)

func (a *app) trainUpliftCommand() *cobra.Command {
	var untilText string
	var seed uint64
	var u training.UpliftTraining
	cmd := &cobra.Command{
		Use:   "uplift",
		Short: "Learn what each action does for whom, from the logged decisions in which chance had its part",
		Long: `Learn what each action does for whom: P(stays | action) - P(stays | nothing) of each customer.

What teaches are logged decisions in which the action or nothing was drawn and either might have been, with the logged propensities given what was decided for
the customer before in the quarter, and whether the customer stayed from the decision on, churn.gap_days included. A customer counts once per horizon, as what
was drawn for him, whatever became of it (intention to treat): whether the action was shown, or another one was taken, may hang together with who stays. How
many got another action is told; where they are many, the effect is that of being drawn. Runs that decided more than a week after their cutoff teach nothing,
unless an outcome of them was told. Neither do contacts without a decision: a contact, even one that chance picked, does not tell who else might have been
picked and was left alone, which an effect is measured against (an experiment with its control group as a table: retain uplift evaluate). Without such decisions
there is no uplift figure. The next
scoring runs weigh the catalogue's prior effects against what was learned; from 100 outcome events per arm they call it learned. Subgroups that the catalogue
names beforehand have a say of their own in what is learned, and what was measured of each is told.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, o, err := a.beginTraining(cmd.Context(), "train uplift", untilText, seed)
			if err != nil {
				return err
			}
			defer s.close(&err)
			if u.Engine, err = s.config.actionEngine(); err != nil {
				return err
			}
			u.Log = s.db
			if err := a.joinContacts(cmd.Context(), s); err != nil {
				return err
			}
			report, err := training.TrainUplift(cmd.Context(), o, u)
			if err != nil {
				return err
			}
			return a.print(report, func(w io.Writer) { printUpliftTraining(w, report) })
		},
	}
	cmd.Flags().StringSliceVar(&u.Actions, "action", nil, "learn these actions anew, and keep the others as they are known (default: learn all that decisions tell of)")
	cmd.Flags().StringVar(&untilText, "until", "", "train as if it were this instant: only labels known by then")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of folds, learners and bootstrap")
	return cmd
}

func printUpliftTraining(w io.Writer, r *training.UpliftTrainReport) {
	fmt.Fprintf(w, "%s of %s, %s to %s", spoken.Counted(r.Decisions, "decision"), spoken.Counted(len(r.Cutoffs), "run"), day(r.Cutoffs[0]), day(r.Cutoffs[len(r.Cutoffs)-1]))
	if r.Skipped > 0 {
		fmt.Fprintf(w, "; %s too close to others or too far back were left out", spoken.Counted(r.Skipped, "run"))
	}
	if r.Idle > 0 {
		fmt.Fprintf(w, "; so were, since nobody can have acted on it, %s that decided more than a week after the cutoff and of which nothing was told", spoken.Counted(r.Idle, "run"))
	}
	fmt.Fprintln(w)
	if r.Otherwise > 0 {
		fmt.Fprintf(w, "of %s an outcome names another action than the drawn one; they count as what was drawn (intention to treat)\n", spoken.Counted(r.Otherwise, "decision"))
	}
	if r.Reached > 0 {
		fmt.Fprintf(w, "contacts without a decision brought an action to %s of the control group all the same: effects are drawn towards 0\n", spoken.Counted(r.Reached, "customer"))
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("action\trows\ttreated\tevents\teffect on staying\t95 %%\tlearner\tQini per 1,000\t95 %%\t")
		for _, a := range r.Actions {
			if a.KeptFrom != nil {
				a.Why = strings.TrimPrefix(fmt.Sprintf("%s; kept from v%d", a.Why, *a.KeptFrom), "; ")
			}
			line("%s\t%s\t%s\t%d + %d\t%s\t%s\t%s\t%s\t%s\t%s", a.Action, spoken.Count(a.Rows), spoken.Count(a.Treated), a.EventsTreated, a.EventsControl,
				metric(a.Effect.Uplift, 4), toward(a.Effect.Interval, 4), a.Learner, metric(a.Qini, 2), toward(a.Interval, 2), a.Why)
		}
	})
	fmt.Fprintln(w, r.Intervals)
	printSubgroups(w, r.Actions)
	for _, line := range r.Verdict {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "%s, in %.1f s\n", trainedWords(r.Model, r.Promoted), r.Seconds)
}

// printSubgroups is the table of what was measured of the subgroups that the catalogue names.
func printSubgroups(w io.Writer, of []training.UpliftAction) {
	if !slices.ContainsFunc(of, func(a training.UpliftAction) bool { return len(a.Subgroups) > 0 }) {
		return
	}
	fmt.Fprintln(w, "\nsubgroups named beforehand, by their rules as written; each interval is for itself, so that of twenty one misses by chance")
	table(w, func(line func(string, ...any)) {
		line("action\tsubgroup\trows\ttreated\teffect on staying\t95 %%\ton the others\tdifference\t95 %%\texpected\trule")
		for _, a := range of {
			for _, g := range a.Subgroups {
				line("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", a.Action, g.Name, spoken.Count(g.Rows), spoken.Count(g.Treated),
					metric(g.Effect.Uplift, 4), toward(g.Effect.Interval, 4), metric(g.Others.Uplift, 4), metric(g.Difference, 4), toward(g.Interval, 4), cmp.Or(g.Expected, "-"), g.Rule)
			}
		}
	})
	fmt.Fprintln(w)
}

// upliftChampion is the model of what actions do; nil if none serves yet.
func (s *session) upliftChampion(ctx context.Context) (pipelines.EffectModel, error) {
	row, err := s.db.ChampionModel(ctx, training.KindUplift)
	if errors.Is(err, warehouse.ErrNoModel) {
		return nil, nil
	}
	r, err := decoded(row, err)
	if err != nil {
		return nil, err
	}
	return r.effects()
}

// effects decodes a model of kind uplift.
func (r registered) effects() (*pipelines.UpliftModel, error) {
	return pipelines.NewUpliftModel(r.artifact, r.row.Artifact, int(r.row.Version))
}
