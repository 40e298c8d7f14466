package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/models/offpolicy"
	"retain/pipelines"
	"retain/training/metrics"
)

func (a *app) policyCommand() *cobra.Command {
	return group("policy", "Judge a policy of actions before it goes live", a.policyEvaluateCommand())
}

func (a *app) policyEvaluateCommand() *cobra.Command {
	var file pipelines.PolicyFileOptions
	var columns map[string]string
	var reward string
	var decisions policyDecisions
	cmd := &cobra.Command{
		Use:   "evaluate [FILE]",
		Short: "Tell what a new policy would have earned, from the log of another",
		Long: `Tell what a new policy would have earned, from the log of another.

FILE is a log in any format of import: a row per choice, with the columns action, reward and propensity (the probability with which the logged
policy took the action); customer, where one has several choices; and what was known at the choice. --map names columns that are called otherwise.
The new policy is that of a second log (--like), or stands in columns (--probability, --probabilities).

Without FILE the log is the warehouse's decisions whose customers are known to have stayed or left, and the new policy the configured one: its
catalogue of actions (or --catalogue), its holdout, its budget and whether it explores. --config FILE so judges another configuration.

A log that cannot tell is refused, with the reason and the mend: exit code 1.`,
		Example: `  retain policy evaluate random.csv.gz --like thompson.csv.gz --per position --map action=item_id,reward=click,propensity=propensity_score
  retain policy evaluate log.csv --map probability=new_probability
  retain policy evaluate log.parquet --probabilities new_ --context plan,tenure_days
  retain policy evaluate --catalogue actions-new.yaml`,
		Args: atMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(offpolicy.RewardModels, offpolicy.RewardModel(reward)) {
				return usagef("--reward-model %s: it is linear or boost", reward)
			}
			if len(args) == 0 {
				return a.evaluateDecisions(cmd, &decisions, offpolicy.Options{Seed: file.Seed, Reward: offpolicy.RewardModel(reward)})
			}
			for _, name := range decisionFlags {
				if cmd.Flags().Changed(name) {
					return usagef("--%s judges the warehouse's decisions: leave FILE out", name)
				}
			}
			file.Path, file.Stdin, file.Map, file.Reward = args[0], a.stdin, columns, offpolicy.RewardModel(reward)
			report, err := pipelines.EvaluatePolicyFile(cmd.Context(), file)
			return a.tellPolicy(report, err)
		},
	}
	f := cmd.Flags()
	f.StringToStringVar(&columns, "map", nil, "canonical=column,…: columns that are called otherwise (action, reward, propensity, customer, probability)")
	f.StringVar(&file.Like, "like", "", "a second log: the new policy is the shares of its actions")
	f.BoolVar(&file.Probability, "probability", false, "column probability holds the new policy's probability of the action taken")
	f.StringVar(&file.Probabilities, "probabilities", "", "prefix of the columns with the new policy's probability of each action")
	f.StringVar(&file.Propensities, "propensities", "", "prefix of the columns with the logged propensity of each action (else column propensity, of the one taken)")
	f.StringSliceVar(&file.Per, "per", nil, "columns that part the logs (default: position, if there is such a column)")
	f.StringSliceVar(&file.Context, "context", nil, "columns that the reward model may see, * for all others (beside the action and --per)")
	f.StringVar(&decisions.catalogue, "catalogue", "", "without FILE: the new catalogue of actions, else the configured one")
	f.Float64Var(&decisions.holdout, "holdout", 0, "without FILE: the share that the new policy holds out, at least as logged (default: actions.holdout, else as logged)")
	f.Float64Var(&decisions.budget, "budget", 0, "without FILE: what the new policy may spend in a run (default: actions.budget)")
	f.BoolVar(&decisions.plan, "plan", false, "without FILE: the new policy chooses the greatest priority instead of exploring")
	f.StringVar(&reward, "reward-model", string(offpolicy.LinearReward), "family of the doubly robust estimate's reward model: linear or boost")
	f.Uint64Var(&file.Seed, "seed", 1, "seed of folds and draws")
	return cmd
}

// policyDecisions are the flags of an evaluation on the warehouse's decisions.
type policyDecisions struct {
	catalogue string
	holdout   float64
	budget    float64
	plan      bool
}

// The flags that go without FILE, and those that need it.
var (
	decisionFlags = []string{"catalogue", "holdout", "budget", "plan"}
	logFlags      = []string{"map", "like", "probability", "probabilities", "propensities", "per", "context"}
)

// evaluateDecisions judges a catalogue on the decisions of the warehouse.
func (a *app) evaluateDecisions(cmd *cobra.Command, flags *policyDecisions, o offpolicy.Options) (err error) {
	for _, name := range logFlags {
		if cmd.Flags().Changed(name) {
			return usagef("--%s reads a log: give its FILE, or leave --%s out to judge the warehouse's decisions", name, name)
		}
	}
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return err
	}
	if flags.catalogue != "" {
		config.Actions.Catalogue = &flags.catalogue
	}
	engine, err := config.actionEngine()
	if err != nil {
		return err
	}
	s, err := a.openWith(cmd.Context(), config, "policy evaluate", reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	options := pipelines.PolicyDecisionsOptions{DB: s.db, Sources: config.sources(), Churn: config.Churn, Engine: engine,
		Holdout: config.Actions.Holdout, Budget: config.Actions.Budget, Plan: flags.plan || !config.Actions.Explore, Options: o}
	if cmd.Flags().Changed("holdout") {
		if !(flags.holdout >= 0 && flags.holdout < 1) {
			return usagef("--holdout %v: a share, from 0 to below 1", flags.holdout)
		}
		options.Holdout = &flags.holdout
	}
	if cmd.Flags().Changed("budget") {
		if !(flags.budget >= 0) || math.IsInf(flags.budget, 1) {
			return usagef("--budget %v: an amount of 0 or more", flags.budget)
		}
		options.Budget = &flags.budget
	}
	report, err := pipelines.EvaluatePolicyDecisions(cmd.Context(), options)
	return a.tellPolicy(report, err)
}

// tellPolicy prints a report, one that was refused too, and turns what was wrong into words.
func (a *app) tellPolicy(report *pipelines.PolicyReport, err error) error {
	var wrong *pipelines.PolicyUsageError
	if errors.As(err, &wrong) {
		return usagef("%s", wrong.Message)
	}
	if err != nil && offpolicy.Refusals(err) == nil {
		return err
	}
	return errors.Join(a.print(report, func(w io.Writer) { printPolicy(w, report) }), err)
}

// policyActions is how many actions a table lists.
const policyActions = 12

func printPolicy(w io.Writer, r *pipelines.PolicyReport) {
	whom := ""
	if r.Rows > r.Customers {
		whom = " for " + spoken.Counted(r.Customers, "customer")
	}
	fmt.Fprintf(w, "%s%s in %s; the new policy: %s\n", spoken.Counted(r.Rows, "choice"), whom, r.Log, r.Policy)
	if len(r.Refused) == 0 {
		fmt.Fprintln(w)
		table(w, func(line func(string, ...any)) {
			line("%s per choice\testimate\tse\t95 %%\tgain over the log\t95 %%", r.Reward)
			for _, e := range r.Estimates {
				line("%s\t%s\t%s\t%s\t%s\t%s", policyNames[e.Name], policyFigure(e.Value), policyFigure(e.SE), span(e.PolicyInterval), gainFigure(e.Gain), span(e.Gain))
			}
			line("the log's own\t%s\t%s\t%s\t\t", policyFigure(r.Logged.Value), policyFigure(r.Logged.SE), span(r.Logged))
			if c := r.OnPolicy; c != nil {
				line("the new one's own log\t%s\t%s\t%s\t\t", policyFigure(c.Value), policyFigure(c.SE), span(c.PolicyInterval))
			}
			if c := r.Cost; c != nil {
				line("cost per choice\t%s\t\tthe log's: %s\t\t", policyFigure(c.New), policyFigure(c.Logged))
			}
		})
	}
	d := r.Diagnostics
	fmt.Fprintf(w, "\neffective rows %.0f (%.1f %%, at least 5 %% are needed); mean weight %.4f (1 ± %.4f); largest weight %.4g, %.2g %% of all\n\n",
		float64(d.EffectiveRows), 100*float64(d.EffectiveShare), float64(d.MeanWeight), float64(d.MeanAllowed), float64(d.LargestWeight), 100*float64(d.LargestShare))
	table(w, func(line func(string, ...any)) {
		line("action\tlogged\tnew")
		for k, s := range r.Shares {
			if k == policyActions {
				line("and %d more\t\t", len(r.Shares)-k)
				break
			}
			logged, now := float64(s.Logged), float64(s.New)
			fresh := "–"
			if s.New.Defined() {
				fresh = percent(&now)
			}
			line("%s\t%s\t%s", printable(s.Action), percent(&logged), fresh)
		}
	})
	if len(r.Refused) == 0 {
		fmt.Fprintf(w, "\n%s\n", strings.Join(r.Verdict, "\n"))
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
}

// policyNames are the estimates as people read them.
var policyNames = map[string]string{"snips": "SNIPS", "doubly_robust": "doubly robust", "ips": "IPS"}

// policyFigure writes a figure of an evaluation with four digits; a dash where it is undefined.
func policyFigure(v metrics.Figure) string {
	if !v.Defined() {
		return "–"
	}
	return strconv.FormatFloat(float64(v), 'g', 4, 64)
}

// span is an interval in words.
func span(i pipelines.PolicyInterval) string {
	if !i.Low.Defined() {
		return "–"
	}
	return policyFigure(i.Low) + " to " + policyFigure(i.High)
}

// gainFigure is a figure with its sign.
func gainFigure(i pipelines.PolicyInterval) string {
	if i.Value.Defined() && i.Value >= 0 {
		return "+" + policyFigure(i.Value)
	}
	return policyFigure(i.Value)
}
