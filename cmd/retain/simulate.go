package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/pipelines"
	"retain/simulation"
)

// simulatedHorizon is the horizon that the known world is made for: 13 weeks.
const simulatedHorizon = 91

func (a *app) simulateCommand() *cobra.Command {
	o := simulation.Options{}
	var end, until, effects, truth string
	var force bool
	cmd := &cobra.Command{
		Use:   "simulate --customers N --days D --seed S",
		Short: "Fill all sources with a made-up software company whose true risks are known",
		Long: `Fill all eight sources with a made-up company that sells software to other companies: customers with usage, invoices, subscriptions, surveys, tickets,
contacts and touchpoints, late rows, corrections and outages. The same flags make the same rows. --truth writes what no real company knows: the true
probability of leaving of every customer on the first of each month, and what each action would change.

With --until the records end earlier than the world: it goes on when the command is given again with a later day and --force. What the decisions in the
warehouse say has then been done to the customers on the days of their runs, by its true effects, and stands among the contacts. So score, decide
and learn can be tried where the truth is known: docs/next-best-action.md.`,
		Example: `  retain simulate --customers 3000 --days 540 --seed 1 --truth truth.csv
  retain simulate --customers 3000 --days 900 --seed 1 --until 2026-01-01 && retain train churn && retain score --cutoff 2026-01-01
  retain simulate --customers 3000 --days 900 --seed 1 --until 2026-04-02 --force`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, flag := range []string{"customers", "days", "seed"} {
				if !cmd.Flags().Changed(flag) {
					return usagef("simulate needs --customers, --days and --seed, such as --customers 3000 --days 540 --seed 1")
				}
			}
			if o.End, err = instantIf("end", end); err != nil {
				return err
			}
			var now time.Time
			if now, err = instantIf("until", until); err != nil {
				return err
			}
			if otherThanCSV(truth) {
				return usagef("--truth: %s: the truth is written as CSV; name a file that ends in .csv", truth)
			}
			o.Effects = simulation.Effects(effects)
			world, err := simulation.New(o)
			if err != nil {
				return usagef("simulate: %v", err)
			}
			if !now.IsZero() && (now.Truncate(24*time.Hour) != now || !now.After(world.Start()) || now.After(world.End())) {
				return usagef("--until: %s is no day of these records: name one after %s and not after %s", until, world.Start().Format(time.DateOnly), world.End().Format(time.DateOnly))
			}
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			for _, source := range warehouse.ImportSources {
				if table := config.Sources[source.Name].Table; table != "" {
					return usagef("sources.%s.table: %s is read from %s, so that simulated rows would not be seen; take the mapping out", source.Name, source.Name, table)
				}
			}
			s, err := a.openWith(cmd.Context(), config, "simulate", writing)
			if err != nil {
				return err
			}
			defer s.close(&err)
			var carried []pipelines.CarriedOut
			if !now.IsZero() {
				label := simulation.Label{GapDays: config.Churn.GapDays, HorizonDays: config.Churn.HorizonDays, MinTenureDays: config.Churn.MinTenureDays}
				if world, carried, err = pipelines.Course(cmd.Context(), s.db, world, now, label); err != nil {
					return fmt.Errorf("simulate --until: %w", err)
				}
			}
			bar := a.progress("rows of usage")
			report, err := pipelines.Simulate(cmd.Context(), pipelines.SimulateOptions{
				Warehouse: s.db, World: world, Churn: s.config.Churn, Replace: force, Truth: truth,
				Progress: func(customers, usage int64) { bar.set(usage, customers, int64(o.Customers)) },
			})
			bar.done()
			if errors.Is(err, warehouse.ErrSourcesHoldRows) {
				return fmt.Errorf("%w; --force replaces them", err)
			}
			if err != nil {
				return err
			}
			report.CarriedOut = carried
			return a.print(report, func(w io.Writer) {
				printSimulation(w, report)
				printSimulatedChurn(w, s.config.Churn, report.Truth)
			})
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.Customers, "customers", 0, "number of customers; each is the same whatever the number")
	f.IntVar(&o.Days, "days", 0, "length of the records")
	f.Uint64Var(&o.Seed, "seed", 0, "another seed is another world")
	f.StringVar(&end, "end", "", "the day on which the records end, exclusive (default "+simulation.DefaultEnd.Format(time.DateOnly)+")")
	f.StringVar(&until, "until", "", "end the records on this day, exclusive, with the decisions in the warehouse carried out (default: --end)")
	f.StringVar(&effects, "effects", string(simulation.MixedEffects), "what actions do: none, proportional or mixed")
	f.StringVar(&truth, "truth", "", "file for the true risks and effects (.csv)")
	f.BoolVar(&force, "force", false, "replace what the sources hold")
	return cmd
}

func printSimulation(w io.Writer, r *pipelines.SimulateReport) {
	fmt.Fprintf(w, "%s customers from %s to %s, in %.1f s\n", spoken.Count(int64(r.Customers)), r.FirstAt.Format(time.DateOnly), r.EndAt.Format(time.DateOnly), r.Seconds)
	table(w, func(line func(string, ...any)) {
		line("source\trows")
		for _, source := range warehouse.ImportSources {
			line("%s\t%s", source.Name, spoken.Count(r.Rows[source.Name]))
		}
	})
	if r.BaseRate != nil {
		fmt.Fprintf(w, "of those who could leave on the first of a month, %s left in the horizon\n", percent(r.BaseRate))
	}
	for _, c := range r.CarriedOut {
		fmt.Fprintf(w, "run at %s: %s decided on, %s treated, %.1f saved of %.1f that could have been\n", c.Cutoff.Format(time.DateOnly), spoken.Count(int64(c.Decided)), spoken.Count(int64(c.Treated)), c.Saved, c.Possible)
	}
	if t := r.Truth; t != nil {
		fmt.Fprintf(w, "%s: the truth of %s customers and cutoffs, on the first of %d months\n", t.File, spoken.Count(t.Rows), t.Cutoffs)
	}
}

// printSimulatedChurn tells what to write into the configuration of who has not said yet that the customers have contracts. A truth that was
// written before tells of another window than the one that will be trained on.
func printSimulatedChurn(w io.Writer, c features.ChurnSpec, truth *pipelines.SimulatedTruth) {
	if c.Setting == features.Contractual {
		return
	}
	fmt.Fprintf(w, "\nThe customers have subscriptions. Put this into retain.yaml before training:\n\nchurn:\n  setting: %s\n  grace_days: 30\n  gap_days: 0\n  horizon_days: %d\n",
		features.Contractual, simulatedHorizon)
	if truth != nil && (c.GapDays != 0 || c.HorizonDays != simulatedHorizon) {
		fmt.Fprintf(w, "\n%s tells who leaves within churn.horizon_days: %d from churn.gap_days: %d on, as is configured now. To have it of those %d days, give the command again then, with --force.\n",
			truth.File, c.HorizonDays, c.GapDays, simulatedHorizon)
	}
}
