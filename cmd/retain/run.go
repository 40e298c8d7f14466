package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"retain/internal/spoken"
	"retain/pipelines"
)

func (a *app) runCommand() *cobra.Command {
	var cutoffText string
	var list bool
	var limit int
	cmd := &cobra.Command{
		Use:   "run JOB",
		Short: "Run one job of the night now: import, train, loyalty, snapshot, score, monitor; or decide",
		Long: `Run one job now, by hand. The jobs are those of the schedule: import (files of the watched folder), train, loyalty (its training,
after that of churn), snapshot (the features of a cutoff, kept), score and monitor. The ledger keeps who did what, when and how it ended,
for 400 days; --list shows it.

decide is score, told by its decisions, which are part of it: the control group and the smallest effect that it can show, what was
given, the prices of capacity and budget, and how far the plan may lie below the best possible one.

A job that runs elsewhere at this moment is waited for, and taken over if its process has died.`,
		Example: "  retain run score --cutoff 2026-03-01\n  retain run --list",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case list && len(args) > 0 || !list && len(args) != 1:
				return usagef("%s needs one of %s, decide, or --list", cmd.CommandPath(), strings.Join(pipelines.JobNames, ", "))
			case !list && args[0] != decideJob && !slices.Contains(pipelines.JobNames, args[0]):
				return usagef("no job %q; there are %s, decide", args[0], strings.Join(pipelines.JobNames, ", "))
			case limit < 1 || limit > 10_000:
				return usagef("--limit: %d is not between 1 and 10,000", limit)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return a.listJobs(cmd.Context(), limit)
			}
			cutoff, err := instantIf("cutoff", cutoffText)
			if err != nil {
				return err
			}
			if !cutoff.IsZero() && slices.Contains([]string{pipelines.JobImport, pipelines.JobTrain, pipelines.JobLoyalty}, args[0]) {
				return usagef("--cutoff: %s has none", args[0])
			}
			if args[0] == decideJob {
				return a.runDecide(cmd.Context(), cutoff)
			}
			return a.runJob(cmd.Context(), args[0], cutoff)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cutoffText, "cutoff", "", "of snapshot, score and monitor: the instant at which to stand, exclusive (default: the latest midnight with complete data)")
	f.BoolVar(&list, "list", false, "show the latest rows of the ledger")
	f.IntVar(&limit, "limit", 30, "of --list: how many")
	return cmd
}

// decideJob is score, told by its decisions.
const decideJob = "decide"

// runJob runs one job and prints its row of the ledger.
func (a *app) runJob(ctx context.Context, name string, cutoff time.Time) (err error) {
	how := reading
	if name == pipelines.JobImport {
		how = writing
	}
	config, err := loadConfig(a.configPath, a.environ)
	if err != nil {
		return err
	}
	k := &keeper{app: a, config: config, command: "run " + name, how: how, who: "retain run"}
	defer func() { err = errorsJoin(err, k.close()) }()
	if _, err := k.open(ctx); err != nil { // what is wrong with the warehouse is told as by every other command
		return err
	}
	r := k.runner()
	r.Again, r.Retries, r.Log = true, 0, nil
	row, err := r.Run(ctx, name, pipelines.Call{Cutoff: cutoff})
	if row.Job == "" {
		return err
	}
	entry := pipelines.EntryOf(row)
	return errorsJoin(err, a.print(entry, func(w io.Writer) { printEntry(w, entry) }))
}

// listJobs prints the ledger.
func (a *app) listJobs(ctx context.Context, limit int) (err error) {
	s, err := a.open(ctx, "run --list", reading)
	if err != nil {
		return err
	}
	defer s.close(&err)
	rows, err := s.db.Jobs(ctx, "", limit)
	if err != nil {
		return err
	}
	entries := make([]pipelines.Entry, len(rows))
	for i, row := range rows {
		entries[i] = pipelines.EntryOf(row)
	}
	return a.print(map[string]any{"jobs": entries}, func(w io.Writer) {
		if len(entries) == 0 {
			fmt.Fprintln(w, "no job has run yet: `retain run JOB` or `retain schedule` does")
			return
		}
		table(w, func(line func(string, ...any)) {
			line("job\tstate\tstarted\tseconds\trows\tby\tattempt\twhat")
			for _, e := range entries {
				what := e.Message
				if e.Error != nil {
					what = *e.Error
				}
				line("%s\t%s\t%s\t%.1f\t%s\t%s\t%d\t%s", e.Job, e.State, e.StartedAt.Format(time.RFC3339), e.Seconds, spoken.Count(e.Rows), e.Who, e.Attempt, printable(firstLine(what)))
			}
		})
	})
}

// firstLine is a text for a table: what stands before its first line break.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func printEntry(w io.Writer, e pipelines.Entry) {
	fmt.Fprintf(w, "%s: %s", e.Job, e.State)
	if e.Cutoff != nil {
		fmt.Fprintf(w, " at %s", e.Cutoff.Format(time.RFC3339))
	}
	fmt.Fprintf(w, ", %s in %.1f s", spoken.Counted(e.Rows, "row"), e.Seconds)
	if e.Message != "" {
		fmt.Fprintf(w, ": %s", e.Message)
	}
	fmt.Fprintln(w)
	if e.Job == pipelines.JobMonitor {
		printMonitor(w, e.Report)
	}
}
