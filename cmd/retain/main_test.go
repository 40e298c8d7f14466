package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outcome is what one command line did.
type outcome struct {
	code           int
	stdout, stderr string
}

// retain runs a command line in this process, without an environment.
func retain(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, args: args}
	return outcome{a.run(t.Context()), out.String(), errs.String()}
}

// diffJSON compares two values as the JSON documents they are.
func diffJSON(t *testing.T, want, got any) string {
	t.Helper()
	generic := func(v any) (out any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	return cmp.Diff(generic(want), generic(got))
}

func TestWrongUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no such command", []string{"frobnicate"}, "unknown command"},
		{"no such flag", []string{"score", "--fast"}, "unknown flag"},
		{"missing argument", []string{"import", "usage"}, "needs a FILE"},
		{"too many", []string{"customer", "1", "2"}, "unexpected argument"},
		{"bad instant", []string{"score", "--cutoff", "yesterday"}, "--cutoff"},
		{"an instant before all times", []string{"score", "--cutoff", "0001-01-01"}, "between the years 1900 and 2262"},
		{"an instant after them", []string{"score", "--cutoff", "9999-12-31"}, "between the years 1900 and 2262"},
		{"half a backtest", []string{"backtest", "--train", "2024-01-01"}, "go together"},
		{"bad band", []string{"at-risk", "--band", "extreme"}, "--band"},
		{"bad mapping", []string{"import", "usage", "x.csv", "--map", "at"}, "--map"},
		{"unknown source", []string{"import", "gossip", "x.csv"}, "gossip"},
		{"no such data set", []string{"demo", "--dataset", "enron"}, "--dataset"},
		{"group alone", []string{"keys"}, "create, list, revoke"},
		{"group alone as JSON", []string{"models", "--json"}, "list, show, "},
		{"too many versions", []string{"models", "show", "1", "2"}, "unexpected argument"},
		{"report and JSON at once", []string{"models", "report", "--out", "-", "--json"}, "name a file"},
		{"key without a scope", []string{"keys", "create"}, "scope"},
		{"simulation without a size", []string{"simulate", "--days", "365"}, "--customers"},
		{"no such job", []string{"run", "cleanup"}, "import"},
		{"negative skip", []string{"import", "usage", "x.csv", "--skip-bad", "-1"}, "--skip-bad"},
		{"missing configuration", []string{"at-risk", "--config", "none.yaml"}, "none.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := retain(t, "", c.args...)
			if got.code != exitUsage || !strings.Contains(got.stderr, c.want) {
				t.Errorf("exit %d, stderr %q; want %d and %q", got.code, got.stderr, exitUsage, c.want)
			}
			if got.stdout != "" {
				t.Errorf("standard output is not empty: %q", got.stdout)
			}
		})
	}
}

func TestReadingNeverCreatesAWarehouse(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, args := range [][]string{{"at-risk"}, {"customer", "1"}, {"score"}, {"train", "churn"}, {"label", "preview"}, {"models", "list"}, {"keys", "list"}} {
		got := retain(t, "", args...)
		if got.code != exitFailed || !strings.Contains(got.stderr, "retain demo") || !strings.Contains(got.stderr, "retain import") {
			t.Errorf("%v: exit %d, %q; want 1 and the way to a warehouse", args, got.code, got.stderr)
		}
	}
	if names := listDir(t, dir); len(names) > 0 {
		t.Errorf("reading commands left %v behind", names)
	}
}

func TestHelpListsOnlyWhatIsBuilt(t *testing.T) {
	got := retain(t, "", "--help")
	if got.code != exitDone {
		t.Fatalf("exit %d: %s", got.code, got.stderr)
	}
	for _, later := range []string{"erase"} {
		if strings.Contains(got.stdout, "\n  "+later) {
			t.Errorf("help lists %s, which is not built yet", later)
		}
	}
}

// listDir names what is in a folder.
func listDir(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// What was not written is not done.
func TestAFullDiskIsAnError(t *testing.T) {
	for _, args := range [][]string{{"features", "list"}, {"features", "list", "--json"}} {
		var errs bytes.Buffer
		a := &app{stdin: strings.NewReader(""), stdout: fullDisk{}, stderr: &errs, args: args}
		if code := a.run(t.Context()); code != exitFailed || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: exit %d, %q", args, code, errs.String())
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestFilesAreWhatTheirNamesSay(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{
		{"features", "export", "--cutoff", "2026-01-01", "--out", "f.csv.gz"},
		{"features", "export", "--cutoff", "2026-01-01", "--out", "f.tsv"},
		{"actions", "plan", "--out", "plan.xlsx"},
		{"features", "export", "--cutoff", "2026-01-01", "--out", "-"},
	} {
		if got := retain(t, "", args...); got.code != exitUsage || !strings.Contains(got.stderr, "name a file that ends in .csv") {
			t.Errorf("%v: exit %d, %s; want %d and what can be written", args, got.code, got.stderr, exitUsage)
		}
	}
}

func TestFlagsSayWhatTheyWant(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"simulate", "--seed", "-1"}, `--seed: "-1" is not a whole number of 0 or more`},
		{[]string{"simulate", "--customers", "ten"}, `--customers: "ten" is not a whole number`},
		{[]string{"doctor", "--wait", "5"}, `--wait: "5" is not a duration such as 30s`},
		{[]string{"at-risk", "--min-value", "much"}, `--min-value: "much" is not a number`},
		{[]string{"simulate", "--force=perhaps"}, `--force: "perhaps" is not true or false`},
		{[]string{"simulate", "--nosuch"}, "--nosuch"},
	} {
		if got := retain(t, "", c.args...); got.code != exitUsage || !strings.Contains(got.stderr, c.want) || strings.Contains(got.stderr, "strconv") {
			t.Errorf("%v: exit %d, %s; want %q", c.args, got.code, got.stderr, c.want)
		}
	}
}
