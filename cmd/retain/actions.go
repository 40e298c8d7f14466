package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/models/actions"
	"retain/pipelines"
	"retain/serving"
)

// maxActions is the most that --max may ask for, as over HTTP.
const maxActions = 25

func (a *app) actionsCommand() *cobra.Command {
	var limit int
	var catalogue, explain bool
	cmd := &cobra.Command{
		Use:   "actions ID",
		Short: "What to do next for one customer, decided in the run in force",
		Long: `Tell what to do next for a customer, as it was decided in the run in force: every possible action with its priority, the terms of it and the
probability with which it was drawn, and why the others are not possible. A customer called plan or report stands behind --, as all ids may.`,
		Example: `  retain actions c0000021
  retain actions c0000021 --explain --json
  retain actions -- plan
  retain actions --catalogue`,
		Args: func(cmd *cobra.Command, args []string) error {
			if catalogue {
				return exactly()(cmd, args)
			}
			return exactly("a customer ID, or --catalogue")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("max") && (limit < 1 || limit > maxActions) {
				return usagef("--max: %d is not from 1 to %d", limit, maxActions)
			}
			if catalogue {
				return a.listActions()
			}
			return a.readRun(cmd.Context(), "actions", func(scores pipelines.Scores, _ registered) error {
				answer, shared, score, ok, err := scores.Answer(cmd.Context(), args[0])
				if errors.Is(err, pipelines.ErrNoDecisions) {
					return errors.New("the run in force was made before actions were decided: `retain score` makes them")
				}
				if err != nil {
					return explainNoRun(err)
				}
				if !ok {
					return unknownCustomer(args[0])
				}
				if cmd.Flags().Changed("max") {
					answer.Cut(limit)
				}
				if explain {
					shared.Explain(&answer, &score)
				}
				return a.print(answer, func(w io.Writer) { printActions(w, answer) })
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&limit, "max", 0, "list so many actions at most, 1 to 25 (default: all that are possible)")
	f.BoolVar(&explain, "explain", false, "tell what led to the answer")
	f.BoolVar(&catalogue, "catalogue", false, "check and list the catalogue of actions instead")
	cmd.AddCommand(a.actionsPlanCommand(), a.actionsReportCommand())
	return cmd
}

// listActions checks the configured catalogue and lists it; it needs no warehouse.
func (a *app) listActions() error {
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return err
	}
	engine, err := config.actionEngine()
	if err != nil {
		return err
	}
	return a.print(engine.Catalogue, func(w io.Writer) {
		table(w, func(line func(string, ...any)) {
			line("action\tclass\tchannel\teffect\tcost\tincentive\tper day\twhen")
			for i, x := range engine.Catalogue.Actions {
				perDay, class := "–", string(x.Class)
				if x.Capacity != nil {
					perDay = spoken.Count(*x.Capacity)
				}
				if x.Proactive {
					class += ", proactive"
				}
				if x.ID == actions.DoNothing {
					line("%s\t\t\t\t\t\t\talways possible, at priority 0", x.ID)
					continue
				}
				line("%s\t%s\t%s\t%+.3f ± %.3f\t%s\t%s\t%s\t%s", x.ID, class, x.Channel, x.Prior.Mean, x.Prior.SD, amount(&x.ContactCost), amount(&x.Incentive), perDay, engine.Catalogue.Rule(i))
			}
		})
		fmt.Fprintln(w)
		for _, x := range engine.Catalogue.Actions {
			for _, g := range x.Subgroups {
				fmt.Fprintf(w, "%s is thought to work %s for %s: %s\n", x.ID, cmp.Or(g.Expected, "otherwise"), g.Name, g.Rule)
			}
		}
		for _, c := range engine.Catalogue.Policy.Caps {
			fmt.Fprintln(w, c)
		}
	})
}

func printActions(w io.Writer, a actions.Answer) {
	first := a.Actions[0]
	fmt.Fprintf(w, "%s: %s", printable(a.CustomerID), first.Title)
	if first.Moment != nil {
		fmt.Fprintf(w, ", by %s, %s (void from %s)", first.Channel, moment(*first.Moment), moment(*first.ExpiresAt))
	}
	fmt.Fprintf(w, "\n")
	if first.Message != "" {
		fmt.Fprintf(w, "  %s\n", first.Message)
	}
	if a.Holdout {
		fmt.Fprintln(w, "in this quarter's control group: no marketing and no service that was not asked for")
	}
	if a.Unit == actions.UnitCustomers {
		fmt.Fprintln(w, "what this customer is worth is not known: ranked by customers saved, costs ignored")
	}
	fmt.Fprintf(w, "as of %s, decision %s\n", day(a.Cutoff), a.DecisionID)
	for _, o := range a.Outcomes {
		fmt.Fprintf(w, "%s\n", outcomeWords(o, a.Chosen))
	}
	fmt.Fprintln(w)
	table(w, func(line func(string, ...any)) {
		line("action\tpriority\t= uplift\t× value\t× lever\t- contact\t- P(accept) × incentive\t- fatigue\tchance")
		for _, p := range a.Actions {
			if p.Action == actions.DoNothing {
				line("%s\t0\t\t\t\t\t\t\t%s", p.Action, percent(&p.Propensity))
				continue
			}
			priority, fatigue := amount(&p.Priority), amount(&p.Fatigue)
			if a.Unit == actions.UnitCustomers {
				priority, fatigue = figure(&p.Priority, 4), figure(&p.Fatigue, 4)
			}
			line("%s\t%s\t%s %s\t%s\t%s\t%s\t%s × %s\t%s\t%s", p.Action, priority, figure(&p.Uplift, 4), p.UpliftSource, amount(p.Value),
				strconv.FormatFloat(p.Lever, 'g', 3, 64), amount(&p.ContactCost), figure(&p.PAccept, 2), amount(&p.Incentive), fatigue, percent(&p.Propensity))
		}
	})
	for _, p := range a.Actions {
		if p.Price > 0 {
			net := p.Priority - p.Price
			fmt.Fprintf(w, "%s: the capacity and budget it takes would bring %s elsewhere; %s counts\n", p.Action, figure(&p.Price, 4), figure(&net, 4))
		}
	}
	if len(a.Suppressed) > 0 {
		fmt.Fprintln(w, "\nnot possible:")
		table(w, func(line func(string, ...any)) {
			for _, s := range a.Suppressed {
				line("  %s\t%s", s.Action, s.Reason)
			}
		})
	}
	if len(a.Explained) > 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(a.Explained, "\n"))
	}
}

// moment is an instant to the minute.
func moment(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }

// actionEngine reads the configured catalogue of actions, or the one that is shipped, over the configured features.
func (c *Config) actionEngine() (*actions.Engine, error) {
	known, err := c.catalogue()
	if err != nil {
		return nil, err
	}
	if c.Actions.Catalogue == nil {
		return actions.Default(known)
	}
	text, err := readRules(*c.Actions.Catalogue)
	if err != nil {
		return nil, usagef("actions.catalogue: %v", err)
	}
	rules, err := c.lifecycleRules()
	if err != nil {
		return nil, err
	}
	var stages []string
	for _, stage := range rules.Set.All() {
		stages = append(stages, stage.Name)
	}
	engine, err := actions.ParseFor(text, known, stages)
	if err != nil {
		return nil, unfit(*c.Actions.Catalogue, err)
	}
	return engine, nil
}

// decideOptions is the configuration of decisions.
func (a *app) decideOptions(c *Config) (pipelines.DecideOptions, error) {
	engine, err := a.catalogues.read(c, a.say)
	return pipelines.DecideOptions{Engine: engine, Holdout: c.Actions.Holdout, Plan: !c.Actions.Explore, Budget: c.Actions.Budget}, err
}

// decisionReader gives the service the decisions of the warehouse.
type decisionReader struct{ db *warehouse.Warehouse }

func (r decisionReader) Decisions(ctx context.Context, runID string) (*actions.Deciding, iter.Seq2[actions.Decision, error], error) {
	decisions := pipelines.Decisions{DB: r.db}
	shared, err := decisions.Shared(ctx, runID)
	if errors.Is(err, pipelines.ErrNoDecisions) {
		err = serving.ErrNoDecisions
	}
	if err != nil {
		return nil, nil, err
	}
	return shared, decisions.Of(ctx, runID), nil
}
