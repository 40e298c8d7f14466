package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"retain/features"
	"retain/internal/warehouse"
	"retain/training"
)

// app is one run of the command line.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	args           []string

	configPath string
	asJSON     bool
	wait       time.Duration

	catalogues catalogueShelf // of actions
}

// flagError tells a value that a flag cannot take in the words of the configuration, not in those of the parser.
func flagError(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return usagef("%v", err)
	}
	want, known := map[string]string{"int": "a whole number", "uint64": "a whole number of 0 or more", "float64": "a number", "bool": "true or false", "duration": "a duration such as 30s"}[invalid.GetFlag().Value.Type()]
	if !known {
		return usagef("--%s: %q: %v", invalid.GetFlag().Name, invalid.GetValue(), invalid.Unwrap())
	}
	return usagef("--%s: %q is not %s", invalid.GetFlag().Name, invalid.GetValue(), want)
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "retain",
		Short: "Churn prediction and retention scoring on ClickHouse",
		Long: `retain reads what customers do from ClickHouse (embedded by default), trains churn and loyalty models,
scores every customer with reasons, and serves the answers.

Start with:  retain demo`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; `retain --help` lists the commands", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("retain {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return flagError(err) })
	root.PersistentFlags().StringVar(&a.configPath, "config", "", "configuration file (else RETAIN_CONFIG, else ./retain.yaml, else defaults)")
	root.PersistentFlags().BoolVar(&a.asJSON, "json", false, "one JSON document on standard output and nothing else")
	root.PersistentFlags().DurationVar(&a.wait, "wait", 30*time.Second, "how long to wait for another process that holds the embedded warehouse")
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		a.initCommand(), a.demoCommand(), a.simulateCommand(), a.migrateCommand(), a.importCommand(), a.labelCommand(), a.featuresCommand(),
		a.trainCommand(), a.backtestCommand(), a.crossvalCommand(), a.modelsCommand(), a.scoreCommand(), a.atRiskCommand(),
		a.customerCommand(), a.explainCommand(), a.actionsCommand(), a.outcomesCommand(), a.experimentCommand(), a.policyCommand(), a.upliftCommand(), a.lifetimeCommand(), a.survivalCommand(), a.retentionCommand(),
		a.mrrCommand(), a.forecastCommand(), a.serveCommand(), a.scheduleCommand(), a.runCommand(), a.warehouseCommand(), a.doctorCommand(),
		a.keysCommand(), a.configCommand(), a.lifecycleCommand(),
	)
	return root
}

// group is a command that only holds others.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, RunE: func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usagef("unknown command %q for %q", args[0], cmd.CommandPath())
		}
		names := make([]string, len(sub))
		for i, s := range sub {
			names[i] = s.Name()
		}
		return usagef("%s needs one of %s", cmd.CommandPath(), strings.Join(names, ", "))
	}}
	c.AddCommand(sub...)
	return c
}

// exactly is cobra.ExactArgs as a usage error that names the arguments.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s needs %s", cmd.CommandPath(), names[len(args)])
		}
		if len(args) > len(names) {
			return usagef("%s: unexpected argument %q", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// atMostOne is cobra.MaximumNArgs(1) as a usage error that names the argument too many.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%s: unexpected argument %q", cmd.CommandPath(), args[1])
	}
	return nil
}

// session is an open warehouse with the configuration it came from.
type session struct {
	config Config
	db     *warehouse.Warehouse
	store  *features.Store
	log    *slog.Logger
}

// access says how a command uses the warehouse.
type access int

const (
	reading access = iota // never creates a warehouse
	writing               // creates it if it is absent
	holding               // writing, and answers other processes while it runs
)

// open reads the configuration and opens the warehouse. The caller closes it.
func (a *app) open(ctx context.Context, command string, how access) (*session, error) {
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return nil, err
	}
	return a.openWith(ctx, config, command, how)
}

func (a *app) openWith(ctx context.Context, config Config, command string, how access) (*session, error) {
	wait := a.wait
	switch {
	case wait < 0:
		return nil, usagef("--wait: %v is negative", wait)
	case wait == 0:
		wait = -1 // to warehouse.Open 0 is its default, below it is not at all
	}
	log := a.logger(how)
	db, err := warehouse.Open(ctx, warehouse.Options{
		URL: config.Warehouse.URL, Wait: wait, Create: how != reading, Serve: how == holding, Command: "retain " + command, Logger: a.logger(reading),
	})
	if err != nil {
		return nil, explainMissing(err, config.Warehouse.URL)
	}
	if err := db.RecoverImports(ctx); err != nil {
		return nil, fmt.Errorf("finish interrupted imports: %w", errorsJoin(err, db.Close()))
	}
	return &session{config: config, db: db, store: &features.Store{DB: db, Sources: config.sources()}, log: log}, nil
}

// close closes the warehouse and joins its error to the command's.
func (s *session) close(err *error) {
	*err = explainMissing(errorsJoin(*err, s.db.Close()), s.config.Warehouse.URL)
}

// trainingOptions is what train and backtest share.
func (a *app) trainingOptions(s *session, seed uint64) (training.Options, error) {
	catalogue, err := s.config.catalogue()
	if err != nil {
		return training.Options{}, err
	}
	return training.Options{
		Store: s.store, Catalogue: catalogue, Churn: s.config.Churn, Grid: s.config.Snapshots, Seed: seed, Value: s.config.valueTerms(),
		Registry: s.db, Who: operator(), Progress: a.say, MaxAge: time.Duration(s.config.Train.MaxAgeDays) * 24 * time.Hour, Allowed: s.config.Train.AllowLeaks,
		TimeBudget: s.config.Train.TimeBudget,
	}, nil
}

// logger writes to standard error: warnings, and for a service everything that it logs.
func (a *app) logger(how access) *slog.Logger {
	level := slog.LevelWarn
	if how == holding {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
}

// say tells progress: one line on standard error.
func (a *app) say(line string) { fmt.Fprintln(a.stderr, line) }

// print writes v as the one JSON document with --json, else calls the function that writes for people.
func (a *app) print(v any, people func(w io.Writer)) error {
	if !a.asJSON {
		w := &keptError{w: a.stdout}
		people(w)
		return w.err
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
