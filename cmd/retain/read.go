package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models"
	"retain/pipelines"
)

func (a *app) atRiskCommand() *cobra.Command {
	q := warehouse.AtRisk{MinValue: math.NaN()}
	var sort string
	cmd := &cobra.Command{
		Use:   "at-risk",
		Short: "List the customers most at risk in the run in force",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case sort != "expected_loss" && sort != "churn_probability":
				return usagef("--sort: %q is neither expected_loss nor churn_probability", sort)
			case q.Band != "" && q.Band != "low" && q.Band != "medium" && q.Band != "high":
				return usagef("--band: %q is none of low, medium, high", q.Band)
			case cmd.Flags().Changed("min-value") && math.IsNaN(q.MinValue):
				return usagef("--min-value: give a number")
			case q.Limit < 1:
				return usagef("--limit: %d is not above 0", q.Limit)
			}
			q.ByProbability = sort == "churn_probability"
			return a.readRun(cmd.Context(), "at-risk", func(scores pipelines.Scores, _ registered) error {
				run, customers, total, err := scores.AtRisk(cmd.Context(), q)
				if err != nil {
					return explainNoRun(err)
				}
				return a.print(map[string]any{"run_id": run.ID, "cutoff": run.Cutoff, "total": total, "customers": customers}, func(w io.Writer) {
					printAtRisk(w, run, customers, total)
				})
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&q.Limit, "limit", 20, "how many to list")
	f.StringVar(&q.Band, "band", "", "only low, medium or high")
	f.StringVar(&q.Stage, "stage", "", "only customers in this stage of the lifecycle (retain lifecycle)")
	f.Float64Var(&q.MinValue, "min-value", math.NaN(), "only customers worth at least this")
	f.Lookup("min-value").DefValue = ""
	f.StringVar(&sort, "sort", "expected_loss", "expected_loss or churn_probability")
	return cmd
}

func (a *app) customerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "customer ID",
		Short: "What is known of one customer in the run in force",
		Args:  exactly("a customer ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.readRun(cmd.Context(), "customer", func(scores pipelines.Scores, _ registered) error {
				score, _, ok, err := scores.Score(cmd.Context(), args[0])
				if err != nil {
					return explainNoRun(err)
				}
				if !ok {
					return unknownCustomer(args[0])
				}
				return a.print(score, func(w io.Writer) { printScore(w, score) })
			})
		},
	}
}

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Every feature's exact contribution to one customer's score",
		Args:  exactly("a customer ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.readRun(cmd.Context(), "explain", func(scores pipelines.Scores, entry registered) error {
				model, err := entry.serving()
				if err != nil {
					return err
				}
				e, ok, err := scores.Explain(cmd.Context(), model, args[0])
				if err != nil {
					return err
				}
				if !ok {
					return unknownCustomer(args[0])
				}
				return a.print(e, func(w io.Writer) { printExplanation(w, e) })
			})
		},
	}
}

// readRun opens the warehouse and hands the run in force, and the model that made it, to a reading command.
func (a *app) readRun(ctx context.Context, command string, read func(scores pipelines.Scores, model registered) error) (err error) {
	s, err := a.open(ctx, command, reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	scores, model, err := s.scores(ctx)
	if err != nil {
		return err
	}
	return read(scores, model)
}

// scores reads the runs of the warehouse, and returns the model of the run in force, whose it is to say what is actionable.
func (s *session) scores(ctx context.Context) (pipelines.Scores, registered, error) {
	out := pipelines.Scores{DB: s.db}
	run, err := out.InForce(ctx)
	if err != nil {
		return out, registered{}, explainNoRun(err)
	}
	entry, err := byArtifact(ctx, s.db, run.Artifact)
	if err != nil {
		return out, registered{}, err
	}
	out.Actionable = entry.artifact.Actionable
	return out, entry, nil
}

func explainNoRun(err error) error {
	if errors.Is(err, pipelines.ErrNoRun) {
		return errors.New("nothing has been scored yet: `retain train churn`, then `retain score`")
	}
	return err
}

func unknownCustomer(id string) error {
	return fmt.Errorf("customer %q did not exist at the cutoff of the run in force; ids are compared byte for byte", id)
}

func printAtRisk(w io.Writer, run models.Run, customers []models.Score, total int) {
	now := time.Now().UTC()
	fmt.Fprintf(w, "%s of %s customers at risk of leaving within %d days, as of %s (%s), by %s v%d\n\n",
		spoken.Count(len(customers)), spoken.Count(total), run.HorizonDays, day(run.Cutoff), ago(run.Cutoff, now), run.Model.Name, run.Model.Version)
	table(w, func(line func(string, ...any)) {
		line("customer\tchurn probability\t\tband\tvalue\tat stake\twhy")
		for _, s := range customers {
			line("%s\t%s\t%s\t%s\t%s\t%s\t%s", short(s.CustomerID), percent(s.ChurnProbability), bar(s.ChurnProbability), *s.Band, amount(s.ExpectedValue), amount(s.ExpectedLoss), mainReason(s))
		}
	})
}

func printScore(w io.Writer, s models.Score) {
	fmt.Fprintf(w, "%s: %s", printable(s.CustomerID), statusWords(s))
	if s.Status == models.StatusScored {
		fmt.Fprintf(w, ", %s to leave within %d days (%s, percentile %d)", percent(s.ChurnProbability), s.HorizonDays, *s.Band, *s.Percentile)
		if s.ExpectedValue == nil {
			fmt.Fprint(w, "\nworth: not known (no price, no spend and no value.per_customer)")
		} else {
			fmt.Fprintf(w, "\nworth %s over the next year, %s of it at stake", amount(s.ExpectedValue), amount(s.ExpectedLoss))
		}
	}
	if s.LoyaltyScore != nil {
		fmt.Fprintf(w, "\nloyalty %d of 100: %s to repeat or renew within %d days, and %s to promote if so", *s.LoyaltyScore, percent(s.PRepeat), features.LoyaltyDays, percent(s.PPromotes))
	}
	if s.Stage != nil {
		fmt.Fprintf(w, "\nstage of the lifecycle: %s", *s.Stage)
	}
	fmt.Fprintf(w, "\nas of %s, by %s v%d\n", day(s.Cutoff), s.Model.Name, s.Model.Version)
	if len(s.Reasons) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("risk\twhy\tin log-odds")
		for _, r := range s.Reasons {
			line("%s\t%s\t%+.3f", arrow(r.Contribution), r.Text, r.Contribution)
		}
	})
}

func printExplanation(w io.Writer, e pipelines.Explanation) {
	printScore(w, e.Score)
	if e.Base == nil {
		return
	}
	fmt.Fprintf(w, "\nbase %+.4f and all contributions add up to the margin %+.4f:\n\n", *e.Base, *e.Margin)
	table(w, func(line func(string, ...any)) {
		line("feature\tvalue\ttypical\tcontribution\twhat it says")
		for _, c := range e.Contributions {
			line("%s\t%s\t%s\t%+.4f\t%s", c.Feature, figure(c.Value, 2), figure(c.Reference, 2), c.Contribution, c.Text)
		}
	})
}

// statusWords tells a status to a person.
func statusWords(s models.Score) string {
	switch s.Status {
	case models.StatusScored:
		return "alive"
	case models.StatusAlreadyChurned:
		return "already gone"
	case models.StatusNotEligible:
		if s.StatusCode != nil {
			return "not scored (" + *s.StatusCode + ")"
		}
		return "not scored"
	case models.StatusInsufficientHistory:
		return "not scored: never a customer by the rule so far"
	case models.StatusErased:
		return "erased on request"
	case models.StatusOptedOut:
		return "opted out of scoring"
	default:
		return s.Status
	}
}

func arrow(contribution float64) string {
	if contribution > 0 {
		return "▲"
	}
	return "▼"
}

// short is an id for a table: at most shortID characters.
func short(id string) string {
	runes := []rune(printable(id))
	if len(runes) <= shortID {
		return string(runes)
	}
	return string(runes[:shortID-1]) + "…"
}

// shortID keeps a table on the screen whatever the ids are.
const shortID = 40

// printable keeps control and direction characters of an id out of the terminal.
func printable(id string) string {
	for _, r := range id {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return fmt.Sprintf("%q", id)
		}
	}
	return id
}
