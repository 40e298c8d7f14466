package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"retain/pipelines"
)

func TestSimulate(t *testing.T) {
	t.Chdir(t.TempDir())
	small := []string{"simulate", "--customers", "40", "--days", "200", "--seed", "2"}
	got := retain(t, "", append(small, "--truth", "truth.csv")...)
	if got.code != exitDone {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	for _, part := range []string{"40 customers from 2025-12-13 to 2026-07-01", "touchpoints", "setting: contractual", "horizon_days: 91", "truth.csv", "churn.horizon_days: 90"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("the report does not say %q:\n%s", part, got.stdout)
		}
	}
	file, err := os.Open("truth.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) < 100 || lines[1][1] != "2026-01-01T00:00:00Z" {
		t.Errorf("the truth has %d lines (%v), the first %v", len(lines), err, lines[:2])
	}

	if got := retain(t, "", small...); got.code != exitFailed || !strings.Contains(got.stderr, "--force") {
		t.Errorf("the second time: exit %d, %s; want 1 and the way on", got.code, got.stderr)
	}
	if err := os.WriteFile("retain.yaml", []byte("churn: {setting: contractual, grace_days: 30, gap_days: 0, horizon_days: 91}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got = retain(t, "", append(small, "--force", "--json", "--effects", "none")...)
	if got.code != exitDone {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	var report pipelines.SimulateReport
	if err := json.Unmarshal([]byte(got.stdout), &report); err != nil {
		t.Fatalf("%v: %s", err, got.stdout)
	}
	if report.Customers != 40 || report.Rows["customers"] != 40 || report.Rows["usage"] == 0 || report.Truth != nil || report.BaseRate == nil {
		t.Errorf("report %+v", report)
	}
	got = retain(t, "", append(small, "--force")...)
	if strings.Contains(got.stdout, "retain.yaml") {
		t.Errorf("the configuration is as it should be, and still: %s", got.stdout)
	}
	if err := os.WriteFile("retain.yaml", []byte("churn: {setting: contractual, horizon_days: 60}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got = retain(t, "", append(small, "--force")...); strings.Contains(got.stdout, "retain.yaml") {
		t.Errorf("another horizon was chosen, and is talked out of: %s", got.stdout)
	}
}

func TestSimulateWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no number", []string{"--days", "200", "--seed", "1"}, "--customers"},
		{"nobody", []string{"--customers", "0", "--days", "200", "--seed", "1"}, "customers: 0"},
		{"no time", []string{"--customers", "5", "--days", "3", "--seed", "1"}, "days: 3"},
		{"unknown effects", []string{"--customers", "5", "--days", "200", "--seed", "1", "--effects", "huge"}, "huge"},
		{"end amid a day", []string{"--customers", "5", "--days", "200", "--seed", "1", "--end", "2026-01-01T12:00:00Z"}, "midnight"},
		{"end before all time", []string{"--customers", "5", "--days", "200", "--seed", "1", "--end", "0001-01-01"}, "end: 0001-01-01"},
		{"a truth in Parquet", []string{"--customers", "5", "--days", "200", "--seed", "1", "--truth", "t.parquet"}, ".csv"},
		{"a truth compressed", []string{"--customers", "5", "--days", "200", "--seed", "1", "--truth", "t.csv.gz"}, ".csv"},
		{"until after the end", []string{"--customers", "5", "--days", "200", "--seed", "1", "--until", "2027-01-01"}, "--until: 2027-01-01 is no day of these records: name one after 2025-12-13 and not after 2026-07-01"},
		{"until amid a day", []string{"--customers", "5", "--days", "200", "--seed", "1", "--until", "2026-03-01T12:00:00Z"}, "--until: 2026-03-01T12:00:00Z"},
		{"no instant", []string{"--customers", "5", "--days", "200", "--seed", "1", "--end", "soon"}, "--end"},
	} {
		if got := retain(t, "", append([]string{"simulate"}, c.args...)...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: exit %d, %s; want %d and %q", c.name, got.code, got.stderr, exitUsage, c.want)
		}
	}
	if names := listDir(t, "."); len(names) > 0 {
		t.Errorf("wrong usage left %v behind", names)
	}

	if err := os.WriteFile("own.yaml", []byte("sources: {usage: {table: analytics.sessions}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := retain(t, "", "simulate", "--config", "own.yaml", "--customers", "5", "--days", "200", "--seed", "1", "--force")
	if got.code != exitUsage || !strings.Contains(got.stderr, "sources.usage.table: usage is read from analytics.sessions") {
		t.Errorf("sources that are read elsewhere: exit %d, %s", got.code, got.stderr)
	}
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	got = retain(t, "", "simulate", "--customers", "5", "--days", "40", "--seed", "1", "--truth", "folder")
	if got.code != exitFailed || !strings.Contains(got.stderr, "write folder: it is a folder: name a file in it") {
		t.Errorf("a truth that cannot be written: exit %d, %s", got.code, got.stderr)
	}
	for _, name := range listDir(t, ".") {
		if strings.HasPrefix(name, ".") {
			t.Errorf("%s is left behind", name)
		}
	}
}
