package main

import (
	"fmt"
	"os"
	"time"

	"retain/pipelines"
)

// ScheduleConfig says when jobs run by themselves: cron expressions of five fields on the clocks of Timezone, "" for never.
type ScheduleConfig struct {
	Score    string        `yaml:"score"`   // import, snapshot, score and monitor
	Train    string        `yaml:"train"`   // import, train and loyalty; then snapshot, score and monitor, if the new model is promoted
	Monitor  string        `yaml:"monitor"` // beside those after each score
	Import   WatchConfig   `yaml:"import"`
	Timezone string        `yaml:"timezone"`
	Jitter   time.Duration `yaml:"jitter"`  // a start is delayed by up to this, always the same for one host and instant
	Timeout  time.Duration `yaml:"timeout"` // of one attempt at a job
	Retries  int           `yaml:"retries"` // attempts after one that failed for a reason that may pass
	Backoff  time.Duration `yaml:"backoff"` // before the first of them, then doubled
}

// WatchConfig names the folder whose files are imported.
type WatchConfig struct {
	Folder *string       `yaml:"folder"` // null: none
	Cron   string        `yaml:"cron"`   // beside the scans before each score and train; "" for none
	Settle time.Duration `yaml:"settle"` // a file is taken when it has not been changed for so long
}

func defaultSchedule() ScheduleConfig {
	return ScheduleConfig{Score: "0 3 * * *", Train: "0 4 * * 0", Timezone: "UTC", Import: WatchConfig{Settle: time.Minute},
		Jitter: 30 * time.Second, Timeout: 4 * time.Hour, Retries: 2, Backoff: time.Minute}
}

// entries are the jobs with their times, in the order in which missed ones are caught up. Problems are given to wrong with their key.
func (c *ScheduleConfig) entries(wrong func(key, format string, args ...any)) (entries []pipelines.ScheduleEntry, zone *time.Location) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil || c.Timezone == "" {
		wrong("schedule.timezone", "%q is no time zone such as Europe/Berlin", c.Timezone)
		zone = time.UTC
	}
	for _, e := range []struct{ key, job, cron string }{
		{"schedule.import.cron", pipelines.JobImport, c.Import.Cron},
		{"schedule.train", pipelines.JobTrain, c.Train},
		{"schedule.score", pipelines.JobScore, c.Score},
		{"schedule.monitor", pipelines.JobMonitor, c.Monitor},
	} {
		if e.cron == "" {
			continue
		}
		cron, err := pipelines.ParseCron(e.cron, zone)
		if err != nil {
			wrong(e.key, "%q: %v", e.cron, err)
			continue
		}
		entries = append(entries, pipelines.ScheduleEntry{Job: e.job, Cron: cron})
	}
	return entries, zone
}

// check lists what is wrong with the values.
func (c *ScheduleConfig) check(wrong func(key, format string, args ...any)) {
	c.entries(wrong)
	if c.Import.Folder != nil && *c.Import.Folder == "" {
		wrong("schedule.import.folder", "is empty; null watches none")
	}
	if c.Import.Cron != "" && c.Import.Folder == nil {
		wrong("schedule.import.cron", "there is no schedule.import.folder to look into")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
		least time.Duration
		most  time.Duration
	}{
		{"schedule.jitter", c.Jitter, 0, 6 * time.Hour},
		{"schedule.timeout", c.Timeout, time.Second, 7 * 24 * time.Hour},
		{"schedule.backoff", c.Backoff, time.Second, time.Hour},
		{"schedule.import.settle", c.Import.Settle, 0, 24 * time.Hour},
	} {
		if d.value < d.least || d.value > d.most {
			wrong(d.key, "%v is not between %v and %v", d.value, d.least, d.most)
		}
	}
	if c.Retries < 0 || c.Retries > 10 {
		wrong("schedule.retries", "%d is not between 0 and 10", c.Retries)
	}
}

// schedule is the configuration's schedule for a runner; the configuration has been checked.
func (c *ScheduleConfig) schedule(r *pipelines.Runner) (*pipelines.Schedule, error) {
	entries, zone := c.entries(func(string, string, ...any) {})
	if len(entries) == 0 {
		return nil, usagef("schedule: every job is off; set schedule.score or schedule.train")
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	return &pipelines.Schedule{Runner: r, Entries: entries, Zone: zone, Jitter: c.Jitter, Host: host}, nil
}
