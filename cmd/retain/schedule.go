package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"retain/pipelines"
)

func (a *app) scheduleCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Run the jobs at their times: import, train, loyalty, snapshot, score, monitor",
		Long: `Run the jobs of the schedule (schedule: in the configuration) at their times, in the foreground, until it is stopped. What was missed
while nothing ran is caught up once at the start, a first training included. Other retain commands work beside it.

Several schedulers on one warehouse do no harm: one runs each night, and another takes over should it die.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			config, err := loadConfig(a.configPath, a.environ)
			if err != nil {
				return err
			}
			k := &keeper{app: a, config: config, command: "schedule", how: holding, who: "retain schedule"}
			if _, err := k.open(cmd.Context()); err != nil {
				return err
			}
			defer func() { err = errorsJoin(err, k.close()) }()
			return k.keepSchedule(cmd.Context(), once)
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run what is due now, then end: for a timer of the system's")
	return cmd
}

// keepSchedule runs the configuration's schedule until ctx ends, or only what is due.
func (k *keeper) keepSchedule(ctx context.Context, once bool) error {
	schedule, err := k.config.Schedule.schedule(k.runner())
	if err != nil {
		return err
	}
	if _, err := k.app.catalogues.read(&k.config, k.app.say); err != nil { // from here on the last good one stays in force
		return err
	}
	if !once {
		return schedule.Run(ctx)
	}
	nights, err := schedule.CatchUp(ctx)
	entries := make([]pipelines.Entry, len(nights))
	for i, row := range nights {
		entries[i] = pipelines.EntryOf(row)
	}
	return errorsJoin(err, k.app.print(map[string]any{"nights": entries}, func(w io.Writer) {
		if len(entries) == 0 && err == nil {
			fmt.Fprintln(w, "nothing is due that is not done")
		}
		for _, e := range entries {
			printEntry(w, e)
		}
	}))
}
