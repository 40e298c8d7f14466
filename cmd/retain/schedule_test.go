package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"retain/pipelines"
)

func TestScheduleConfigIsChecked(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a cron expression that is none", "schedule: {score: at night}\n", "schedule.score"},
		{"one that never comes", "schedule: {train: '0 0 30 2 *'}\n", "schedule.train"},
		{"too few fields", "schedule: {monitor: '0 3 * *'}\n", "schedule.monitor"},
		{"a cron without a folder", "schedule: {import: {cron: '*/15 * * * *'}}\n", "schedule.import.cron"},
		{"an unknown key", "schedule: {import: {dir: x}}\n", "schedule.import.dir"},
		{"a negative jitter", "schedule: {jitter: -1s}\n", "schedule.jitter"},
		{"no time at all", "schedule: {timeout: 0s}\n", "schedule.timeout"},
		{"too many retries", "schedule: {retries: 99}\n", "schedule.retries"},
		{"a zone of another planet", "schedule: {timezone: Mars}\n", "schedule.timezone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := retain(t, "", "config", "check", "--config", writeConfig(t, c.text))
			if got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
				t.Errorf("exit %d, %q; want %d and %s", got.code, got.stderr, exitUsage, c.want)
			}
		})
	}
	c, err := loadConfig(writeConfig(t, "schedule: {score: '', import: {folder: in}}\n"), []string{"RETAIN_SCHEDULE_TRAIN=30 2 * * 6", "RETAIN_SCHEDULE_TIMEZONE=Europe/Berlin", "RETAIN_SCHEDULE_RETRIES=5"})
	if err != nil {
		t.Fatal(err)
	}
	entries, zone := c.Schedule.entries(func(key, format string, _ ...any) { t.Error(key, format) })
	if len(entries) != 1 || entries[0].Job != pipelines.JobTrain || entries[0].Cron.String() != "30 2 * * 6" || zone.String() != "Europe/Berlin" || c.Schedule.Retries != 5 {
		t.Errorf("entries %v in %v, %d retries", entries, zone, c.Schedule.Retries)
	}
	if want := filepath.Join(filepath.Dir(c.path), "in"); *c.Schedule.Import.Folder != want {
		t.Errorf("folder %s, want %s", *c.Schedule.Import.Folder, want)
	}
}

func TestRunUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run"}, "import, train, loyalty, snapshot, score, monitor, decide, or --list"},
		{[]string{"run", "dance"}, "no job"},
		{[]string{"run", "score", "--cutoff", "soon"}, "--cutoff"},
		{[]string{"run", "train", "--cutoff", "2026-01-01"}, "has none"},
		{[]string{"run", "--list", "--limit", "0"}, "--limit"},
		{[]string{"run", "--list", "score"}, "--list"},
	} {
		if got := retain(t, "", c.args...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%v: exit %d, %q; want %d and %q", c.args, got.code, got.stderr, exitUsage, c.want)
		}
	}
	for _, args := range [][]string{{"run", "score"}, {"run", "monitor"}, {"run", "--list"}} {
		if got := retain(t, "", args...); got.code != exitFailed || !strings.Contains(got.stderr, "no warehouse") {
			t.Errorf("%v: exit %d, %q; want 1 and that there is no warehouse", args, got.code, got.stderr)
		}
	}
	if names := listDir(t, "."); len(names) > 0 {
		t.Errorf("they left %v behind", names)
	}
}

// A whole night from the command line: by hand, then by the schedule, which is stopped while it waits; the service picks the run up by itself.
func TestRunAndScheduleCommands(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("in", 0o750); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	log.WriteString("customer_id,at,order_id,amount\n")
	today := time.Now().UTC().Truncate(24 * time.Hour)
	for c := range 60 {
		for d := 200; d > 0 && (c%3 > 0 || d > 60); d -= 3 + c%17 {
			log.WriteString("c" + string(rune('A'+c%26)) + string(rune('a'+c/26)) + "," + today.AddDate(0, 0, -d).Add(time.Hour).Format("2006-01-02 15:04:05") + ",,5\n")
		}
	}
	config := "churn: {horizon_days: 30, active_days: 60}\nschedule: {import: {folder: in, settle: 0s}, jitter: 0s, train: '', score: '* * * * *'}\n"
	for name, text := range map[string]string{"retain.yaml": config, "in/purchases.csv": log.String()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry := func(code int, args ...string) (e pipelines.Entry) {
		t.Helper()
		got := retain(t, "", append(args, "--json")...)
		if err := json.Unmarshal([]byte(got.stdout), &e); err != nil || got.code != code {
			t.Fatalf("%v: exit %d, %q, %q", args, got.code, got.stdout, got.stderr)
		}
		return e
	}
	if e := entry(exitDone, "run", "import"); e.State != "done" || e.Rows == 0 || e.Who != "retain run" {
		t.Errorf("%+v", e)
	}
	if e := entry(exitFailed, "run", "score"); e.State != "failed" || e.Error == nil || !strings.Contains(*e.Error, "retain train churn") {
		t.Errorf("without a champion: %+v", e)
	}
	entry(exitDone, "run", "train")
	snapshot, score := entry(exitDone, "run", "snapshot"), entry(exitDone, "run", "score")
	if snapshot.Cutoff == nil || score.Cutoff == nil || !snapshot.Cutoff.Equal(*score.Cutoff) || score.Rows != 60 {
		t.Errorf("snapshot %+v, score %+v", snapshot, score)
	}
	if e := entry(exitDone, "run", "monitor"); len(e.Report) == 0 {
		t.Errorf("%+v", e)
	}
	if got := retain(t, "", "schedule", "--once"); got.code != exitDone || !strings.Contains(got.stderr, "job=night") || !strings.HasPrefix(got.stdout, "night: done, ") {
		t.Errorf("exit %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	// A file that cannot be read is told, and keeps nobody from being scored.
	for name, text := range map[string]string{"in/purchases-bad.csv": "customer_id,at,amount\nx,yesterday,1\n", "yearly.yaml": strings.ReplaceAll(config, "* * * * *", "0 0 1 1 *")} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var once struct{ Nights []pipelines.Entry }
	got := retain(t, "", "schedule", "--once", "--json", "--config", "yearly.yaml")
	if err := json.Unmarshal([]byte(got.stdout), &once); err != nil || got.code != exitFailed || len(once.Nights) != 1 ||
		once.Nights[0].Message != "import failed, snapshot done, score done, monitor done" || !strings.Contains(got.stderr, "purchases-bad.csv") {
		t.Errorf("exit %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	if got := retain(t, "", "schedule", "--once", "--config", "yearly.yaml"); got.code != exitDone || got.stdout != "nothing is due that is not done\n" {
		t.Errorf("a night that was run badly is over: exit %d, %q, %q", got.code, got.stdout, got.stderr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	var out, errs strings.Builder
	a := &app{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, args: []string{"schedule"}}
	begin := time.Now()
	if code := a.run(ctx); code != exitDone || !strings.Contains(errs.String(), "job scheduled") || time.Since(begin) > 20*time.Second {
		t.Errorf("stopped: exit %d after %v, %q", code, time.Since(begin), errs.String())
	}
	var list struct{ Jobs []pipelines.Entry }
	if got := retain(t, "", "run", "--list", "--json"); json.Unmarshal([]byte(got.stdout), &list) != nil || len(list.Jobs) < 7 {
		t.Errorf("%q", got.stdout)
	}
	for _, e := range list.Jobs {
		if e.State == "running" {
			t.Errorf("still running in the ledger: %+v", e)
		}
	}
}
