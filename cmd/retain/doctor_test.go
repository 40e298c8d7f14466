package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"retain/pipelines/doctor"
)

func TestDoctorWithoutAWarehouse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	got := retain(t, "", "doctor", "--json")
	if got.code != exitFailed || !strings.Contains(got.stderr, "retain demo") || !strings.Contains(got.stderr, "retain import") {
		t.Errorf("exit %d, stderr %q", got.code, got.stderr)
	}
	checks := doctorChecks(t, got.stdout)
	if c := checks["connection.server"]; len(checks) != 1 || c.Status != doctor.Error || !strings.Contains(c.Mend, "retain import SOURCE FILE") {
		t.Errorf("%+v", checks)
	}
	if names := listDir(t, dir); len(names) > 0 {
		t.Errorf("doctor left %v behind", names)
	}
}

func TestDoctorOfAServerThatIsNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("retain.yaml", []byte("warehouse: {url: 'http://me:secret@127.0.0.1:1/retain'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := retain(t, "", "doctor")
	if got.code != exitFailed || !strings.Contains(got.stdout, "start the server, or correct the port in warehouse.url") {
		t.Errorf("exit %d, stdout %q", got.code, got.stdout)
	}
	if strings.Contains(got.stdout+got.stderr, "secret") {
		t.Error("the password is told")
	}
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("retain.yaml", "warehouse: {url: 'embedded:./w'}\nchurn: {activity: [usage], active_days: 30, horizon_days: 30}\n")
	rows := "customer_id,at\n" // 20 customers who come every week of 2020, and half of whom leave, one a month
	for c := range 20 {
		for week := range 52 {
			if c < 10 || week < 4*(c-7) {
				rows += fmt.Sprintf("c%02d,%s\n", c, time.Date(2020, 1, 1+7*week, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
			}
		}
	}
	write("usage.csv", rows)
	if got := retain(t, "", "import", "usage", "usage.csv"); got.code != exitDone {
		t.Fatal(got.stderr)
	}

	const told = "820 rows, 2020-01-01 to 2020-12-23 (357 days)"
	got := retain(t, "", "doctor", "--json") // few churners: a warning, and nothing that is wrong
	checks := doctorChecks(t, got.stdout)
	if got.code != exitDone || checks["usage.rows"].Message != told || checks["usage.rows"].Source != "usage" || checks["label.coverage"].Status != doctor.Warning {
		t.Errorf("exit %d, stderr %q: %+v", got.code, got.stderr, checks)
	}

	people := retain(t, "", "doctor")
	for _, part := range []string{"\nusage\n", "  ok        rows ", told, "(--all lists them)", "→ "} {
		if !strings.Contains(people.stdout, part) {
			t.Errorf("the report lacks %q:\n%s", part, people.stdout)
		}
	}
	if strings.Contains(people.stdout, "skipped   ") || !strings.Contains(retain(t, "", "doctor", "--all").stdout, "  skipped   rows ") {
		t.Error("skipped checks are listed with --all only")
	}

	write("retain.yaml", "warehouse: {url: 'embedded:./w'}\n")
	got = retain(t, "", "doctor", "--json")
	if c := doctorChecks(t, got.stdout)["configuration.setting"]; got.code != exitFailed || c.Status != doctor.Error || !strings.Contains(c.Mend, "churn.activity: [usage]") {
		t.Errorf("exit %d: %+v", got.code, c)
	}
	if !strings.Contains(got.stderr, "checks found an error") {
		t.Errorf("stderr %q", got.stderr)
	}
}

// doctorChecks decodes the document by name.
func doctorChecks(t *testing.T, stdout string) map[string]doctor.Check {
	t.Helper()
	var r doctor.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	out := map[string]doctor.Check{}
	for _, c := range r.Checks {
		out[c.Name] = c
	}
	return out
}
